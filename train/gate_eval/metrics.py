"""Figures of a gate against the ideal one. Pure functions on arrays; no model, no files.

A hop is 10 ms. `label` is the ideal gate's state at each hop, `open` the judged gate's, `score`
whatever its threshold is applied to. A phrase is one opening of the ideal gate. Hops are pooled
over all mixtures, so that a long mixture counts for more than a short one; intervals come from
drawing whole mixtures with replacement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.gate.ideal import HOPS_PER_S, runs
from realtime.learn.judging import auc

Bools = NDArray[np.bool_]
Scores = NDArray[np.float32]
Audio = NDArray[np.float32]

HOP_MS = 1000.0 / HOPS_PER_S
LOST = 0.05  # share of the target that may be lost where false openings are compared
DRAWS = 1000  # of the bootstrap
STEPS = 500  # score levels in the bootstrap
FINE_STEPS = 4000  # and in curves


class Judged(msgspec.Struct):
    """One mixture and what a gate did with it.

    Attributes:
        kind, snr_db: of the mixture; nan where nobody speaks.
        label, open: bool [hops].
        score: float32 [hops]; higher is more open. Empty for a gate that has none.
        gain_db: what the gate added to the SI-SDR; nan where that means nothing.
    """

    kind: str
    snr_db: float
    label: Bools
    open: Bools
    score: Scores
    gain_db: float = math.nan


class Phrases(msgspec.Struct):
    """What became of the phrases of one mixture.

    Attributes:
        cut_ms: from a phrase's beginning to the first open hop in it, for each that was heard.
        missed: phrases in which the gate never opened.
        overhang_ms: from a phrase's end to the gate's closing, or to the next phrase, for each
            at whose end the gate was open.
    """

    cut_ms: list[float]
    missed: int
    overhang_ms: list[float]

    @property
    def count(self) -> int:
        """All phrases."""
        return len(self.cut_ms) + self.missed


def phrases(label: Bools, opened: Bools) -> Phrases:
    """Onset cuts, missed phrases and overhangs of one mixture."""
    out = Phrases([], 0, [])
    spans = runs(label)
    for i, (begin, end) in enumerate(spans):
        inside = np.flatnonzero(opened[begin:end])
        if not len(inside):
            out.missed += 1
            continue
        out.cut_ms.append(float(inside[0]) * HOP_MS)
        if opened[end - 1]:
            limit = spans[i + 1][0] if i + 1 < len(spans) else len(label)
            closed = np.flatnonzero(~opened[end:limit])
            hops = int(closed[0]) if len(closed) else limit - end
            out.overhang_ms.append(hops * HOP_MS)
    return out


def balanced_accuracy(label: Bools, opened: Bools) -> float:
    """Mean of the shares right among open and among closed hops."""
    if not label.any() or label.all():
        return math.nan
    return (_mean(opened[label]) + _mean(~opened[~label])) / 2


def threshold_for_lost(label: Bools, score: Scores, lost: float = LOST) -> float:
    """The highest threshold at which at most a share `lost` of the target is under it."""
    target = np.sort(score[label])
    return float(target[min(math.floor(lost * len(target)), len(target) - 1)])


def seconds_per_minute(label: Bools, opened: Bools) -> float:
    """Seconds open that should be closed, in each minute of sound."""
    return 60.0 * float((opened & ~label).mean())


def best_threshold(label: Bools, score: Scores) -> float:
    """The threshold with the best balanced accuracy; open is `score >= threshold`."""
    values, place = np.unique(score, return_inverse=True)
    of_up = np.bincount(place[label], minlength=len(values)) / max(1, int(label.sum()))
    of_down = np.bincount(place[~label], minlength=len(values)) / max(1, int((~label).sum()))
    # opening at values[i] and above
    right = np.cumsum(of_up[::-1])[::-1] + np.cumsum(of_down) - of_down
    best = int(np.argmax(right))
    # halfway to the next value down, so that rounding elsewhere changes nothing
    return float(values[best] if best == 0 else (values[best] + values[best - 1]) / 2)


def openings_per_minute(opened: Sequence[Bools]) -> float:
    """How often gates opened, in each minute of sound."""
    hops = sum(len(o) for o in opened)
    return 60.0 * HOPS_PER_S * sum(len(runs(o)) for o in opened) / hops if hops else math.nan


def si_sdr(estimate: Audio, clean: Audio) -> float:
    """Scale-invariant signal-to-distortion ratio, dB.

    Source: Le Roux et al., SDR - half-baked or well done?, ICASSP 2019.
    """
    s, e = clean.astype(np.float64), estimate.astype(np.float64)
    energy = float(np.square(s).sum())  # no BLAS: its threads would wait for a busy core
    if not energy:
        return math.nan
    part = float((e * s).sum()) / energy * s
    kept, lost = float(np.square(part).sum()), float(np.square(e - part).sum())
    return 10.0 * math.log10(max(kept, 1e-20) / max(lost, 1e-20))


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """The figures of a set of mixtures with speech; shares from 0 to 1, percentages as `_pct`.

    Raises:
        ValueError: no mixtures.
    """
    label = np.concatenate([j.label for j in judged])
    opened = np.concatenate([j.open for j in judged])
    score = np.concatenate([j.score for j in judged])
    each = [phrases(j.label, j.open) for j in judged]
    cuts = [ms for p in each for ms in p.cut_ms]
    over = [ms for p in each for ms in p.overhang_ms]
    count, missed = sum(p.count for p in each), sum(p.missed for p in each)
    gains = [j.gain_db for j in judged if not math.isnan(j.gain_db)]
    scored = len(score) == len(label) and bool(label.any())  # an oracle has no score
    lost_at = threshold_for_lost(label, score) if scored else math.nan
    return {
        "mixtures": len(judged),
        "minutes": len(label) / HOPS_PER_S / 60,
        "open_share": float(label.mean()),
        "auc": auc(label, score) if scored else math.nan,
        "balanced_accuracy": balanced_accuracy(label, opened),
        "false_open_s_per_min": seconds_per_minute(label, score >= lost_at)
        if scored
        else math.nan,
        "false_open_at_threshold_s_per_min": seconds_per_minute(label, opened),
        "target_lost_pct": 100 * _mean(~opened[label]),
        "onset_cut_ms": _quantiles(cuts),
        "phrases": count,
        "missed": missed,
        "missed_pct": 100 * missed / count if count else math.nan,
        "overhang_ms": _quantiles(over),
        "si_sdr_gain_db": _mean(np.array(gains)),
    }


def intervals(judged: Sequence[Judged], seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """Intervals at 95 % of the same figures, from drawing mixtures with replacement.

    Scores are counted in `STEPS` levels of equal frequency, which moves an AUC by less than
    0.001.

    Returns:
        Figure to (low, high); `onset_cut_ms` has one pair for each quantile.
    """
    picks, weight = _draws(len(judged), seed, draws)
    up, down = (weight @ h for h in _histograms(judged, STEPS))
    hops = up.sum(1) + down.sum(1)
    below = np.cumsum(down, 1) - down
    area = (up * (below + down / 2)).sum(1) / np.maximum(up.sum(1) * down.sum(1), 1)
    # highest level that loses at most LOST of the target, as in threshold_for_lost
    lost = np.cumsum(up, 1) - up <= LOST * up.sum(1, keepdims=True)
    first = lost.shape[1] - 1 - np.argmax(lost[:, ::-1], 1)
    over = np.cumsum(down[:, ::-1], 1)[:, ::-1][np.arange(draws), first]
    hit, target, _, _ = rights = (weight @ np.array([_rights(j) for j in judged], float)).T
    gains = np.array([j.gain_db for j in judged])
    known = ~np.isnan(gains)
    each = [phrases(j.label, j.open) for j in judged]
    cuts = [np.array(p.cut_ms) for p in each]
    cut = np.array([_both(np.concatenate([cuts[i] for i in row])) for row in picks])
    missed = weight @ np.array([p.missed for p in each], float)
    count = weight @ np.array([p.count for p in each], float)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {
            "auc": area,
            "balanced_accuracy": _balanced(rights),
            "false_open_s_per_min": 60.0 * over / hops,
            "target_lost_pct": 100.0 * (1 - hit / target),
            "missed_pct": 100.0 * missed / count,
            "si_sdr_gain_db": weight[:, known] @ gains[known] / weight[:, known].sum(1),
        }
    out: dict[str, Any] = {name: _span(values) for name, values in found.items()}
    out["onset_cut_ms"] = {"median": _span(cut[:, 0]), "p95": _span(cut[:, 1])}
    return out


def accuracy_interval(
    judged: Sequence[Judged], seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """The interval of the balanced accuracy alone, which is quick."""
    _, weight = _draws(len(judged), seed, draws)
    return _span(_balanced((weight @ np.array([_rights(j) for j in judged], float)).T))


def curve(judged: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Target lost in % and false-open seconds per minute, over all thresholds, rising lost."""
    up, down = (h.sum(0) for h in _histograms(judged, FINE_STEPS))
    lost = 100.0 * (np.cumsum(up) - up) / max(up.sum(), 1)
    over = np.cumsum(down[::-1])[::-1]
    return lost, 60.0 * over / max(up.sum() + down.sum(), 1)


def _draws(count: int, seed: int, draws: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Mixtures drawn, [draws, count], and how often each was, [draws, count]."""
    picks = np.random.default_rng(seed).integers(count, size=(draws, count))
    weight = np.zeros((draws, count))
    np.add.at(weight, (np.arange(draws)[:, None], picks), 1.0)
    return picks, weight


def _histograms(
    judged: Sequence[Judged], steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts [mixtures, levels] of open and of closed hops at levels of the score."""
    values = np.unique(np.concatenate([j.score for j in judged]))
    if len(values) > steps:
        pooled = np.concatenate([j.score for j in judged])
        values = np.unique(np.quantile(pooled, np.linspace(0, 1, steps), method="lower"))
    up, down = np.zeros((2, len(judged), len(values)))
    for i, j in enumerate(judged):
        place = np.searchsorted(values, j.score, side="right") - 1
        np.add.at(up[i], place[j.label], 1.0)
        np.add.at(down[i], place[~j.label], 1.0)
    return up, down


def _balanced(rights: NDArray[np.float64]) -> NDArray[np.float64]:
    hit, target, kept, rest = rights
    with np.errstate(invalid="ignore", divide="ignore"):
        balanced: NDArray[np.float64] = (hit / target + kept / rest) / 2
    return balanced


def _rights(j: Judged) -> tuple[int, int, int, int]:
    return (
        int((j.open & j.label).sum()), int(j.label.sum()),
        int((~j.open & ~j.label).sum()), int((~j.label).sum()),
    )  # fmt: skip


def _both(values: NDArray[np.float64]) -> tuple[float, float]:
    if not len(values):
        return math.nan, math.nan
    median, p95 = np.quantile(values, (0.5, 0.95))
    return float(median), float(p95)


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    median, p95 = _both(np.array(values))
    return {"median": median, "p95": p95}


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)
