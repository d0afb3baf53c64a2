"""`rt-eval tune`: choose how a model's scores become events, on a recording that is no test.

The scores of the whole recording are computed once; every decision rule is then tried on
them. The rule that hears the most words within the allowed false alarms wins; of equals the
one that is quicker.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from realtime.card import Card, Decision
from realtime.decide import Decider
from realtime.engine import Engine
from realtime.outputs import Reading, Start
from realtime.runners import Runner
from realtime.sources import open_source
from train.judge_stream import Collector, figures, match
from train.scenes import Truth

AVERAGES = (1, 2, 3, 4, 5, 6)
CONFIRMS = (1, 2, 3, 4, 5)
THRESHOLDS = (0.6, 0.7, 0.8, 0.85, 0.88, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.98)


class _Keeper(Collector):
    """Keeps every score."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []
        self.scores: list[NDArray[np.float32]] = []

    def reading(self, reading: Reading) -> None:
        """Keep it."""
        self.at.append(reading.t)
        self.scores.append(reading.scores.copy())


def raw_scores(
    scorer: Runner, audio: Path
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    """Instants (samples), unsmoothed scores [decisions, labels], and the length in seconds."""
    keeper = _Keeper()
    neutral = Decision(background=scorer.card.decision.background)
    Engine(scorer, [keeper], decision=neutral).run(open_source(str(audio)))
    at = np.round(np.array(keeper.at) * scorer.card.rate).astype(np.int64)
    return at, np.array(keeper.scores), keeper.seconds


def starts_of(
    card: Card,
    decision: Decision,
    threshold: float,
    at: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> list[Start]:
    """Events of a decision rule on scores that are there already."""
    if not decision.smoothing_s:  # most of a recording changes nothing
        scores = averaged(scores, decision.average)
        decision = msgspec.structs.replace(decision, average=1)
        live = _live(card, decision, threshold, at, scores)
        at, scores = at[live], scores[live]
    decider = Decider(card, decision, {"default": threshold})
    return [
        Start(c.label, c.at / card.rate, c.score)
        for t, row in zip(at, scores, strict=True)
        for c in decider.update(row, int(t))
        if c.kind == "start"
    ]


def averaged(scores: NDArray[np.float32], windows: int) -> NDArray[np.float32]:
    """The moving average of a `Decider`, of all decisions at once, float32 [same]."""
    total = np.zeros(scores.shape, np.float64)
    for back in reversed(range(min(windows, len(scores)))):  # the oldest first, as it adds
        total[back:] += scores[: len(scores) - back]
    return (total / windows).astype(np.float32)


def _live(
    card: Card,
    decision: Decision,
    threshold: float,
    at: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Decisions at which some label may be other than idle; no event ends over half of its
    threshold, and all labels rest for no longer than the rule says.
    """  # noqa: D205  one sentence
    foreground = [label not in decision.background for label in card.labels]
    over = (scores[:, foreground] >= threshold / 2).any(1)
    latest = np.maximum.accumulate(np.where(over, at, -(1 << 60)))
    hop = int(np.diff(at).max(initial=0))
    rest = round(max(decision.min_duration_s, decision.refractory_s) * card.rate)
    kept: NDArray[np.bool_] = at - latest <= rest + 3 * hop
    return kept


def tune(
    scorer: Runner, recordings: Sequence[tuple[Path, Sequence[Truth]]], false_alarms: float
) -> list[dict[str, Any]]:
    """Try every rule; those within `false_alarms` an hour, best first."""
    card = scorer.card
    heard = [(*raw_scores(scorer, audio), truth) for audio, truth in recordings]
    results = []
    grid = list(itertools.product(AVERAGES, CONFIRMS, THRESHOLDS))
    for average, confirm, threshold in track(grid, "trying", transient=True):
        rule = msgspec.structs.replace(card.decision, average=average, confirm=confirm)
        parts = [
            (starts_of(card, rule, threshold, at, s), seconds, truth)
            for at, s, seconds, truth in heard
        ]
        found = [
            figures(match(starts, truth), truth, seconds) for starts, seconds, truth in parts
        ]
        words = sum(f["words"] for f in found)
        results.append(
            {
                "average": average,
                "confirm": confirm,
                "threshold": threshold,
                "recall": sum(f["recall"] * f["words"] for f in found) / max(1, words),
                "false_alarms_per_hour": sum(f["false_alarms"] for f in found)
                / sum(f["hours"] for f in found),
                "wrong_words": sum(f["wrong_words"] for f in found),
                "delay_s": max(f["delay_s"]["p95"] for f in found),
            }
        )
    allowed = [r for r in results if r["false_alarms_per_hour"] <= false_alarms]
    return sorted(allowed, key=lambda r: (-round(r["recall"], 3), r["delay_s"]))
