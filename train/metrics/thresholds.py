"""F1 at thresholds, and thresholds that make it best.

Arrays are [clips, labels]; a score at its threshold is over it, as in `realtime.decide`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Truth = NDArray[np.bool_]
Floats = NDArray[np.float64]

ROUNDS = 20  # over all labels; three or four are the rule


def f1_scores(said: Truth, truth: Truth) -> tuple[float, float]:
    """F1 over all decisions (micro), and the mean of the labels' F1 (macro).

    Labels that no clip has and that nobody said are left out of the mean.
    """
    hits = (said & truth).sum(0).astype(np.float64)
    both = said.sum(0) + truth.sum(0)
    micro = 2.0 * float(hits.sum()) / max(1, int(both.sum()))
    known = both > 0
    return micro, float((2.0 * hits[known] / both[known]).mean()) if known.any() else 0.0


def choose_thresholds(scores: Array, truth: Truth, begin: Floats) -> Floats:
    """Thresholds, one for each label, that make micro-F1 best on these clips.

    Label after label takes the threshold that is best with the others as they are, again and
    again until none changes: micro-F1 never falls. Of equals the one nearest to the label's
    old threshold is taken. A threshold lies half-way between two scores.

    Args:
        scores: 0 to 1.
        truth: which labels the clips have.
        begin: thresholds to begin with, [labels]; those of labels that no clip has stay.

    Returns:
        Thresholds [labels].
    """
    chosen = begin.astype(np.float64).copy()
    tables = [
        _table(scores[:, i], truth[:, i]) if truth[:, i].any() else None
        for i in range(len(chosen))
    ]
    said = scores >= chosen
    hits = (said & truth).sum(0).astype(np.int64)
    both = (said.sum(0) + truth.sum(0)).astype(np.int64)
    for _ in range(ROUNDS):
        changed = False
        for i, table in enumerate(tables):
            if table is None:
                continue
            at, hits_at, both_at = table
            micro = (hits.sum() - hits[i] + hits_at) / (both.sum() - both[i] + both_at)
            best = np.flatnonzero(micro >= micro.max() - 1e-12)
            k = best[np.argmin(np.abs(at[best] - chosen[i]))]
            now = hits.sum() / max(1, both.sum())
            if micro[k] > now + 1e-12:
                chosen[i], hits[i], both[i] = at[k], hits_at[k], both_at[k]
                changed = True
        if not changed:
            break
    return chosen


def _table(scores: Array, truth: Truth) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Thresholds between the scores of a label; hits, and said plus true ones, at each."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    lower = np.append(ranked[ends[:-1] + 1], 0.0)
    at = (ranked[ends] + lower) / 2.0
    hits = np.cumsum(truth[order], dtype=np.int64)[ends]
    both = ends.astype(np.int64) + 1 + int(truth.sum())
    if ranked[0] < 1.0:  # over all scores: a label that is never right is better not said
        at = np.append((ranked[0] + 1.0) / 2.0, at)
        hits, both = np.append(0, hits), np.append(int(truth.sum()), both)
    return at, hits, both
