"""Learning more: a gate that exists already is shown what it got wrong.

Called by `realtime.commands.learn` for `--from`. What it learned before is in its memory, and
is taught again beside the new examples, so that it does not forget; whether it did is measured
on remembered hops that never taught it, before and after.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from realtime.card import Card
from realtime.errors import AudioError, CardError
from realtime.learn.examples import Side
from realtime.learn.gate_file import GateFile
from realtime.learn.head import Head, Lessons, fit_head, together
from realtime.learn.hearing import Heard, Progress, Silent, hear, lessons_of, teach
from realtime.learn.judging import Figures, Rule, states_of
from realtime.learn.lesson import HELD_BACK, SHIFTS, THRESHOLD, Sizes
from realtime.learn.memory import CHOSE, JUDGED, TAUGHT, Memory, remember
from realtime.learn.mixtures import Mixer
from realtime.learn.split import hold_back

EPOCHS: Final = 10
SIZES: Final = Sizes(taught=100, chose=20, judged=30)  # mixtures of the new examples
RECORDED: Final = 0.4  # share of them at the levels that were recorded
WORSE_PCT: Final = 0.5  # from here on the old examples suffered, percentage points


class Recall(msgspec.Struct, frozen=True):
    """What a gate makes of remembered hops that never taught it.

    Attributes:
        lost_pct: of those that should be open.
        false_pct: open, of those that should not be.
    """

    lost_pct: float
    false_pct: float

    @property
    def right_pct(self) -> float:
        """Mean of the shares right on both sides."""
        return 100.0 - (self.lost_pct + self.false_pct) / 2


class LearnedMore(msgspec.Struct):
    """What came of it.

    Attributes:
        head: for the file.
        memory: for the file: the old examples and the new ones.
        held: how the new examples were held back, by side.
        old: the old examples before and after.
        new: the held-back part of the new ones before and after.
        heard: its mixtures.
    """

    head: Head
    memory: Memory
    held: dict[str, str]
    old: tuple[Recall, Recall]
    new: tuple[Figures, Figures]
    heard: Heard

    @property
    def worse(self) -> bool:
        """Whether the old examples suffered."""
        return self.old[1].right_pct < self.old[0].right_pct - WORSE_PCT


def learn_more(
    sides: dict[str, Side],
    gate: GateFile,
    seed: int,
    progress: Progress | None = None,
    sizes: Sizes | None = None,
) -> LearnedMore:
    """Show a gate more of one side or of both.

    Args:
        sides: "open", "closed", or both.
        gate: what it was before.
        seed: of all chance.
        progress: who is told how far it is.
        sizes: how many mixtures of the new examples.

    Raises:
        CardError: the gate remembers nothing.
        AudioError: a recording that it learned as the other side.
    """
    told, n, memory, card = progress or Silent(), sizes or SIZES, gate.memory, gate.card
    if memory is None:
        raise CardError(
            f"{gate.path} remembers no examples: rt-gate learn did not make it",
            "use --model to begin with it, and give both --open and --closed",
        )
    _demand_consistent(sides, memory)
    rng = np.random.default_rng(seed)
    kept, held, how = {}, {}, {}
    for name in ("open", "closed"):
        clips = sides[name].clips if name in sides else []
        kept[name], held[name], way = hold_back(clips, HELD_BACK, rng, card.rate)
        if clips:
            how[name] = way

    told.begin("listening", n.taught + n.chose + n.judged)
    mixer = Mixer(kept["open"], kept["closed"], card.rate, (seed, 1), vary=True)
    taught = teach(mixer.draw(n.taught, RECORDED), gate, rng, told)
    mixer = Mixer(kept["open"], kept["closed"], card.rate, (seed, 2))
    chose = hear(mixer.draw(n.chose, RECORDED), gate.backbone, told)
    mixer = Mixer(held["open"], held["closed"], card.rate, (seed, 3))
    judged = hear(mixer.draw(n.judged, RECORDED), gate.backbone, told)
    new = {TAUGHT: taught, CHOSE: lessons_of(chose, card), JUDGED: lessons_of(judged, card)}
    both = {use: _beside(memory.of(use), new[use], memory.lessons) for use in new}

    told.begin("learning", EPOCHS)
    units = len(gate.head.hidden_bias)
    head = fit_head(
        both[TAUGHT], both[CHOSE], units, seed, gate.head, epochs=EPOCHS, done=told.step
    )
    head = _balanced(head, both[CHOSE])
    remembered = memory.of(JUDGED)
    digests = {
        name: [*memory.digests.get(name, []), *(c.digest for c in sides[name].clips)]
        if name in sides
        else memory.digests.get(name, [])
        for name in ("open", "closed")
    }
    return LearnedMore(
        head,
        remember(both, digests, rng, memory.lessons + 1),
        how,
        (recall(gate.head, remembered), recall(head, remembered)),
        (_figures(gate.head, judged, gate), _figures(head, judged, gate)),
        judged,
    )


def rule_of(card: Card) -> Rule:
    """The rule that a card gives."""
    hops = round(card.decision.min_duration_s / card.hop_s)
    return Rule(card.threshold(card.labels[0]), card.decision.hysteresis, hops)


def recall(head: Head, lessons: Lessons) -> Recall:
    """How a head does, hop by hop, without look-ahead."""
    opened = head.scores(lessons.embedding)[:, 0] >= THRESHOLD
    label = lessons.label[:, 0]
    lost = float((~opened[label]).mean()) if label.any() else 0.0
    false = float(opened[~label].mean()) if not label.all() else 0.0
    return Recall(100.0 * lost, 100.0 * false)


def _beside(old: Lessons, new: Lessons, lessons: int) -> Lessons:
    """Old and new hops, each lesson with the same weight."""
    old.share = old.share * np.float32(lessons * new.share.sum() / max(old.share.sum(), 1e-9))
    return together(old, new)


def _balanced(head: Head, lessons: Lessons) -> Head:
    """Shift each score so that `THRESHOLD` makes the fewest mistakes, and no farther."""
    logits, weight = head.logits(lessons.embedding), lessons.weight
    bias = head.score_bias.copy()
    for i in range(len(bias)):
        wrong = [
            float(weight[((logits[:, i] + s) >= 0.0) != lessons.label[:, i], i].sum())
            for s in SHIFTS
        ]
        middle = np.abs(SHIFTS) * 1e-9 * weight[:, i].sum()
        bias[i] += SHIFTS[int(np.argmin(wrong + middle))]
    return msgspec.structs.replace(head, score_bias=bias)


def _figures(head: Head, heard: Heard, gate: GateFile) -> Figures:
    scores = head.scores(heard.embeddings)[..., 0]
    return heard.truth.figures(states_of(scores, rule_of(gate.card), 0))


def _demand_consistent(sides: dict[str, Side], memory: Memory) -> None:
    """Refuse a recording that the gate learned as the other side."""
    for name, other in (("open", "closed"), ("closed", "open")):
        known = set(memory.digests.get(other, []))
        for clip in sides[name].clips if name in sides else []:
            if clip.digest in known:
                raise AudioError(
                    f"--{name}: the gate learned {clip.name} as --{other}",
                    "what it learned it cannot take back: learn anew from all examples, with "
                    f"{clip.name} on the right side only",
                )
