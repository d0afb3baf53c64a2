"""The lesson: from recordings of two sides to a head, and how it compares with a level gate.

Called by `realtime.commands.learn`. It reads top to bottom: a part is held back; mixtures of
the rest teach the head; mixtures of a second part, which taught nothing, choose its threshold;
mixtures of what was held back judge it, beside a level gate that was tuned on all the rest.
Every chance comes from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.gate.ideal import gate_of_levels, hop_levels
from realtime.learn.demands import demand_apart
from realtime.learn.examples import Clip, Side
from realtime.learn.gate_file import GateFile
from realtime.learn.head import EPOCHS, Head, fit_head, sigmoid
from realtime.learn.hearing import (
    Heard,
    Progress,
    Silent,
    ahead_of,
    aligned,
    hear,
    lessons_of,
    teach,
)
from realtime.learn.judging import Figures, Rule, auc, states_of
from realtime.learn.memory import CHOSE, JUDGED, TAUGHT, Memory, remember
from realtime.learn.mixtures import Mixer
from realtime.learn.rival import LevelSettings, filters, run_level, tune_level
from realtime.learn.sounds import decibels, loudness
from realtime.learn.split import hold_back

Floats = NDArray[np.float32]

HELD_BACK: Final = 0.25  # share of the examples that judges
CHOOSING: Final = 0.2  # share of the rest that chooses the threshold
RECORDED: Final = 0.4  # share of mixtures at recorded levels, while learning
THRESHOLD: Final = 0.5  # of every learned gate: the scores are shifted to fit
SHIFTS: Final = tuple(np.arange(-2.5, 2.55, 0.25))  # of the scores, before the sigmoid
APART_DB: Final = -26.0  # level at which held-back recordings are told apart, dBFS
HYSTERESES: Final = (0.05, 0.15, 0.25)
MIN_OPENS: Final = (0, 5, 10, 15)  # hops


class Sizes(msgspec.Struct, frozen=True):
    """Mixtures of five seconds: those that teach, choose, judge, and tune the level gate.

    The last two are for each of the two ways of setting levels.
    """

    taught: int = 200
    chose: int = 40
    judged: int = 60
    tuned: int = 40


SIZES: Final = Sizes()


class Comparison(msgspec.Struct, frozen=True):
    """Both gates over the same held-back mixtures.

    Attributes:
        levels: "recorded", or "any": softer, louder, and at any ratio.
        lookahead_ms: of both gates.
        learned: figures of the learned gate.
        level: of the level gate.
        settings: of the level gate.
        worse: how much more the level gate costs, the 5th and the 95th percentile.
    """

    levels: str
    lookahead_ms: float
    learned: Figures
    level: Figures
    settings: LevelSettings
    worse: tuple[float, float]


class Learned(msgspec.Struct):
    """What came of a lesson.

    Attributes:
        head: for the file.
        rule: for the card.
        memory: for the file.
        held: how examples were held back, by side: "files" or "time".
        apart: how well held-back sides are told apart, 0.5 to 1.
        comparisons: recorded levels first; without look-ahead first.
        heard: the mixtures that judged, at any levels.
    """

    head: Head
    rule: Rule
    memory: Memory
    held: dict[str, str]
    apart: float
    comparisons: list[Comparison]
    heard: Heard


def learn(
    opens: Side,
    closeds: Side,
    gate: GateFile,
    seed: int,
    progress: Progress | None = None,
    sizes: Sizes | None = None,
) -> Learned:
    """Learn a head from two sides.

    Args:
        opens: what shall open the gate.
        closeds: what shall not.
        gate: whose backbone is used.
        seed: of all chance.
        progress: who is told how far it is.
        sizes: how many mixtures.

    Raises:
        AudioError: the two sides cannot be told apart.
    """
    told, n = progress or Silent(), sizes or SIZES
    backbone, rate = gate.backbone, gate.card.rate
    rng = np.random.default_rng(seed)
    kept_open, held_open, how_open = hold_back(opens.clips, HELD_BACK, rng, rate)
    kept_closed, held_closed, how_closed = hold_back(closeds.clips, HELD_BACK, rng, rate)
    teach_open, choose_open, _ = hold_back(kept_open, CHOOSING, rng, rate)
    teach_closed, choose_closed, _ = hold_back(kept_closed, CHOOSING, rng, rate)

    told.begin("listening", n.taught + n.chose + 2 * n.judged)
    mixer = Mixer(teach_open, teach_closed, rate, (seed, 1), vary=True)
    taught = teach(mixer.draw(n.taught, RECORDED), gate, rng, told)
    mixer = Mixer(choose_open, choose_closed, rate, (seed, 2))
    chose = hear(mixer.draw(n.chose, RECORDED), backbone, told)
    mixer = Mixer(held_open, held_closed, rate, (seed, 3))
    judged = {
        levels: hear(mixer.draw(n.judged, recorded), backbone, told)
        for levels, recorded in (("recorded", 1.0), ("any", 0.0))
    }
    told.begin("learning", EPOCHS)
    choosing = lessons_of(chose, gate.card)
    units = len(gate.head.hidden_bias)
    head = fit_head(taught, choosing, units, seed, epochs=EPOCHS, done=told.step)
    head, rule = calibrate(head, chose, gate.card)
    apart = told_apart(head, gate, held_open, held_closed)
    demand_apart(apart)

    told.begin("tuning the level gate", 2 * len(list(filters())))
    mixer = Mixer(kept_open, kept_closed, rate, (seed, 4))
    comparisons: list[Comparison] = []
    for levels, recorded in (("recorded", 1.0), ("any", 0.0)):
        settings = tune_level(list(mixer.draw(n.tuned, recorded)), rate, told.step)
        comparisons += compare(levels, judged[levels], head, rule, settings, gate.card)
    parts = {TAUGHT: taught, CHOSE: choosing, JUDGED: lessons_of(judged["any"], gate.card)}
    digests = {side.name: [c.digest for c in side.clips] for side in (opens, closeds)}
    return Learned(
        head,
        rule,
        remember(parts, digests, rng),
        {"open": how_open, "closed": how_closed},
        apart,
        comparisons,
        judged["any"],
    )


def calibrate(head: Head, heard: Heard, card: Card) -> tuple[Head, Rule]:
    """Shift each score so that `THRESHOLD` is its best threshold; choose the other rules."""
    truth, logits = heard.truth, head.logits(heard.embeddings)
    ahead = ahead_of(card)

    def best(i: int, rules: Sequence[Rule]) -> tuple[float, Rule]:
        """Shift and rule with the least cost for a score."""
        costs = []
        for shift in SHIFTS:
            scores = sigmoid(logits[..., i] + np.float32(shift))
            costs += [truth.cost(states_of(scores, rule, ahead[i])) for rule in rules]
        at, place = divmod(int(np.argmin(costs)), len(rules))
        return SHIFTS[at], rules[place]

    # the first score chooses for all: a card has one rule
    _, rule = best(0, [Rule(THRESHOLD, h, m) for h in HYSTERESES for m in MIN_OPENS])
    shifts = [best(i, [rule])[0] for i in range(len(ahead))]
    bias = head.score_bias + np.array(shifts, np.float32)
    return msgspec.structs.replace(head, score_bias=bias), rule


def told_apart(
    head: Head, gate: GateFile, opens: Sequence[Clip], closeds: Sequence[Clip]
) -> float:
    """Chance that a hop of the one side alone scores over one of the other alone.

    Held-back recordings as they are, at one level, where both sides sound.
    """
    scores: list[Floats] = []
    for clips in (opens, closeds):
        parts = []
        for clip in clips:
            active = gate_of_levels(hop_levels(clip.audio, gate.card.rate)[None])
            level = decibels(APART_DB - loudness(clip.audio, gate.card.rate))
            embedding = gate.backbone.embed(clip.audio * level)
            hops = min(len(embedding), active.shape[1] - 1)
            label = aligned(active[:, : hops + 1], gate.card)[0, :, 0]
            parts.append(head.logits(embedding[:hops])[label, 0])
        scores.append(np.concatenate(parts))
    label = np.repeat([True, False], [len(s) for s in scores])
    return auc(label, np.concatenate(scores))


def compare(
    levels: str,
    heard: Heard,
    head: Head,
    rule: Rule,
    settings: LevelSettings,
    card: Card,
) -> Iterator[Comparison]:
    """Both gates over mixtures, without look-ahead and with the most there is."""
    truth, scores = heard.truth, head.scores(heard.embeddings)
    ahead = ahead_of(card)
    for i in sorted({0, len(ahead) - 1}):
        learned = states_of(scores[..., i], rule, ahead[i])
        level = run_level(heard.mixtures, card.rate, settings, ahead[i])
        yield Comparison(
            levels,
            1000.0 * card.hop_s * ahead[i],
            truth.figures(learned),
            truth.figures(level),
            settings,
            truth.difference(level, learned),
        )
