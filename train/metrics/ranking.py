"""How well scores rank: ROC, precision and recall, AP, d', lwlrap. One label or many.

`truth` is bool and `scores` are numbers of any range; only their order counts. A label that
no clip has, or that all have, gives NaN and is left out of means.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Truth = NDArray[np.bool_]
Floats = NDArray[np.float64]


def roc_auc(scores: Array, truth: Truth) -> float:
    """Area under the ROC: how often a true one scores above a false one; ties count half."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    # the mean rank of equal scores
    first = np.searchsorted(ranked, ranked, "left")
    last = np.searchsorted(ranked, ranked, "right")
    rank = (first + last + 1) / 2.0
    hits = int(truth.sum())
    if not hits or hits == len(truth):
        return math.nan
    above = float(rank[truth[order]].sum()) - hits * (hits + 1) / 2
    return above / hits / (len(truth) - hits)


def roc_curve(scores: Array, truth: Truth) -> tuple[Floats, Floats]:
    """Shares of false and of true ones at or over each score, from (0, 0) to (1, 1)."""
    hits, false = _over(scores, truth)
    return (
        np.append(0.0, false / max(1.0, float(false[-1:].sum()))),
        np.append(0.0, hits / max(1.0, float(hits[-1:].sum()))),
    )


def precision_recall(scores: Array, truth: Truth) -> tuple[Floats, Floats]:
    """Precision and recall of those at or over each score, the highest score first."""
    hits, false = _over(scores, truth)
    return hits / np.maximum(hits + false, 1.0), hits / max(1.0, float(truth.sum()))


def average_precision(scores: Array, truth: Truth) -> float:
    """Mean of the precision at each true one; equal scores are taken together.

    The area under the steps of the precision-recall curve, without interpolation.
    """
    if not truth.any():
        return math.nan
    precision, recall = precision_recall(scores, truth)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def d_prime(auc: float) -> float:
    """Distance of two unit normals whose ROC has this area: sqrt(2) times the normal quantile.

    Source: Hershey et al., "CNN architectures for large-scale audio classification" (2017).
    """
    if not 0.0 < auc < 1.0:
        return math.nan if math.isnan(auc) else math.copysign(math.inf, auc - 0.5)
    return math.sqrt(2.0) * NormalDist().inv_cdf(auc)


def per_label(scores: Array, truth: Truth) -> tuple[Floats, Floats]:
    """AP and AUC of each label: [clips, labels] each in, [labels] each out."""
    columns = list(zip(scores.T, truth.T, strict=True))
    return (
        np.array([average_precision(s, t) for s, t in columns]),
        np.array([roc_auc(s, t) for s, t in columns]),
    )


def lwlrap(scores: Array, truth: Truth) -> float:
    """Label-weighted label-ranking average precision, of [clips, labels].

    For each label that a clip has: which share of the labels that score at least as high are
    right too. The mean over all of them, so a clip counts as often as it has labels.
    Source: Fonseca et al., "Audio tagging with noisy labels and minimal supervision" (2019).
    """
    total = 0.0
    for s, t in zip(scores, truth, strict=True):
        own = s[t]
        at_least = (s[None, :] >= own[:, None]).sum(1)
        right = (own[None, :] >= own[:, None]).sum(1)
        total += float((right / at_least).sum())
    return total / int(truth.sum()) if truth.any() else math.nan


def mean_of(values: Floats) -> float:
    """Mean without the NaNs; NaN where nothing else is there."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _over(scores: Array, truth: Truth) -> tuple[Floats, Floats]:
    """True and false ones at or over each distinct score, the highest first."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    last = last[last >= 0]
    hits = np.cumsum(truth[order], dtype=np.float64)[last]
    return hits, last + 1.0 - hits
