"""Figures of a gate's openings against the ideal ones.

Used by `realtime.learn.lesson` and `realtime.learn.rival`. States are bool
[mixtures, hops + 1]: whether a gate is open at hop 0, 1, ... of each mixture, as `Mixture.gate`
has it for the ideal one.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.gate.ideal import HOPS_PER_S, runs

States = NDArray[np.bool_]  # [mixtures, hops + 1]
Floats = NDArray[np.float32]

ONSET_HOPS = 8  # beginning of an opening, which counts for more
ONSET_WEIGHT = 5.0  # than the rest, by this factor
DRAWS = 500  # of the bootstrap


class Figures(msgspec.Struct, frozen=True):
    """What a gate did over some mixtures.

    Attributes:
        onset_cut_ms: "median" and "p95" of the time from the ideal opening to the gate's.
        targets: ideal openings.
        missed: those in which the gate never opened.
        false_open_s_per_min: seconds open that should be closed, in each minute.
        target_lost_pct: of the hops that should be open.
        cost: mean of the shares wrong among open hops, their beginnings counting for more, and
            among closed ones; what is tuned for.
    """

    onset_cut_ms: dict[str, float]
    targets: int
    missed: int
    false_open_s_per_min: float
    target_lost_pct: float
    cost: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, rounded; what is not known is None."""

        def known(x: float) -> float | None:
            return None if math.isnan(x) else round(x, 3)

        return {
            "onset_cut_ms": {k: known(v) for k, v in self.onset_cut_ms.items()},
            "targets": self.targets,
            "missed": self.missed,
            "false_open_s_per_min": known(self.false_open_s_per_min),
            "target_lost_pct": known(self.target_lost_pct),
            "cost": known(self.cost),
        }


class Truth:
    """The ideal gate over some mixtures, ready for judging many gates.

    Args:
        gate: bool [mixtures, hops + 1].
    """

    def __init__(self, gate: States) -> None:
        self.gate = gate
        self._weight = onset_weight(gate)
        self._due = max(1.0, float(self._weight[gate].sum()))
        self._rest = max(1, int((~gate).sum()))

    def cost(self, states: States) -> float:
        """The cost of a gate; see `Figures`."""
        lost = float(self._weight[self.gate & ~states].sum()) / self._due
        return (lost + float((states & ~self.gate).sum()) / self._rest) / 2

    def figures(self, states: States) -> Figures:
        """All figures of a gate."""
        cuts, missed = [], 0
        for gate, state in zip(self.gate, states, strict=True):
            for begin, end in runs(gate):
                inside = np.flatnonzero(state[begin:end])
                if len(inside):
                    cuts.append(1000.0 * float(inside[0]) / HOPS_PER_S)
                else:
                    missed += 1
        median, p95 = np.quantile(cuts, (0.5, 0.95)) if cuts else (math.nan, math.nan)
        lost = float((~states[self.gate]).mean()) if self.gate.any() else math.nan
        return Figures(
            onset_cut_ms={"median": float(median), "p95": float(p95)},
            targets=len(cuts) + missed,
            missed=missed,
            false_open_s_per_min=60.0 * float((states & ~self.gate).mean()),
            target_lost_pct=100.0 * lost,
            cost=self.cost(states),
        )

    def difference(self, one: States, other: States, seed: int = 0) -> tuple[float, float]:
        """How much more one gate costs than another: from the 5th to the 95th percentile.

        Of mixtures drawn with replacement: what lies within is chance.
        """
        gate, weight = self.gate, self._weight
        lost = (weight * (gate & ~one)).sum(1) - (weight * (gate & ~other)).sum(1)
        false = (~gate & one).sum(1).astype(float) - (~gate & other).sum(1)
        sums = np.stack([lost, (weight * gate).sum(1), false, (~gate).sum(1)], 1)
        rng = np.random.default_rng(seed)
        drawn = sums[rng.integers(len(sums), size=(DRAWS, len(sums)))].sum(1)
        lost, due, false, rest = drawn.T
        gap = (lost / np.maximum(due, 1.0) + false / np.maximum(rest, 1.0)) / 2
        low, high = np.quantile(gap, (0.05, 0.95))
        return float(low), float(high)


def onset_weight(gate: States) -> Floats:
    """How much each hop counts: the beginnings of openings for more.

    Args:
        gate: bool [..., hops].
    """
    before = np.roll(gate, 1, axis=-1)
    before[..., 0] = False
    place = np.arange(gate.shape[-1])
    began = np.maximum.accumulate(np.where(gate & ~before, place, -ONSET_HOPS), axis=-1)
    recent = gate & (place - began < ONSET_HOPS)
    weight: Floats = np.where(recent, np.float32(ONSET_WEIGHT), np.float32(1.0))
    return weight


class Rule(msgspec.Struct, frozen=True):
    """How scores open a learned gate; the words are those of `realtime.gate.judge.Judge`.

    Args:
        threshold: it opens where the score is at least this.
        hysteresis: it closes where the score is under the threshold by more than this.
        min_open: hops that an opening lasts at least.
    """

    threshold: float = 0.5
    hysteresis: float = 0.0
    min_open: int = 0


def states_of(scores: Floats, rule: Rule, ahead: int) -> States:
    """The states of a learned gate.

    Args:
        scores: float32 [mixtures, hops], of each decision.
        rule: what opens and closes it.
        ahead: look-ahead in hops: a decision takes effect so much earlier.

    Returns:
        bool [mixtures, hops + 1]. Decision k has heard what came before hop k + 1.
    """
    hops = scores.shape[-1]
    line = max(rule.threshold - rule.hysteresis, rule.threshold / 2)
    opens, closes = _next(scores >= rule.threshold), _next(scores < line)
    decided = np.zeros(scores.shape, bool)
    for row, openings, closings in zip(decided, opens.tolist(), closes.tolist(), strict=True):
        at = 0
        while (begin := openings[at]) < hops:
            at = closings[min(begin + max(1, rule.min_open), hops)]
            row[begin:at] = True
    states: States = np.zeros((len(scores), hops + 1), bool)
    k = np.minimum(np.arange(hops + 1) - 1 + ahead, hops - 1)
    states[:, k >= 0] = decided[:, k[k >= 0]]
    return states


def _next(where: States) -> NDArray[np.int64]:
    """The first hop from each one on where something holds; the number of hops if none.

    Args:
        where: bool [mixtures, hops].

    Returns:
        int64 [mixtures, hops + 1].
    """
    count, hops = where.shape
    place = np.full((count, hops + 1), hops)
    place[:, :-1] = np.where(where, np.arange(hops), hops)
    return np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]


def auc(label: NDArray[np.bool_], score: Floats) -> float:
    """Area under the ROC curve, half for ties; nan without both classes."""
    up, down = int(label.sum()), int((~label).sum())
    if not up or not down:
        return math.nan
    values, place = np.unique(score, return_inverse=True)
    of_up = np.bincount(place[label], minlength=len(values)).astype(float)
    of_down = np.bincount(place[~label], minlength=len(values)).astype(float)
    below = np.cumsum(of_down) - of_down
    return float((of_up * (below + of_down / 2)).sum() / (up * down))
