"""Several models as one: late fusion of their scores.

`mean` is their mean; `weighted` a mean with weights found on clips that are no test; `vote`
counts for each label the models that say it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from train.clip_scores import ClipScores, best_of

Fuse = Literal["mean", "weighted", "vote"]

ROUNDS = 2000
SETTLED = 1e-6  # of a weight, from one round to the next
LEAST = 1e-6  # a model that is surely wrong once need not lose all weight


def fuse(
    parts: Sequence[ClipScores], how: Fuse, weights: NDArray[np.float64] | None = None
) -> ClipScores:
    """One set of scores from those of several models of the same clips.

    A vote is for the best label where clips have one each, else for each label over the
    model's threshold; the share of votes is the score, and equal shares are ranked by the mean
    of the scores.

    Args:
        parts: scores of each model.
        how: to fuse.
        weights: of the models, for `weighted`; their sum is 1.
    """
    first = parts[0]
    if weights is None:
        weights = np.full(len(parts), 1.0 / len(parts))
    scores = sum(w * p.scores.astype(np.float64) for w, p in zip(weights, parts, strict=True))
    thresholds = sum(w * p.thresholds for w, p in zip(weights, parts, strict=True))
    if how == "vote":
        votes = sum(_votes(p, first.exclusive).astype(np.float64) for p in parts)
        scores = (votes + scores) / (len(parts) + 1)
        # over it: half of the votes and the mean of the scores over a half, or more votes
        thresholds = np.full(len(first.labels), 0.5)
    return msgspec.structs.replace(
        first,
        model=f"{how} of {', '.join(p.model for p in parts)}",
        scores=np.asarray(scores, np.float32),
        thresholds=np.asarray(thresholds, np.float64),
        softmax=all(p.softmax for p in parts) and how != "vote",
        ms_per_window=sum(p.ms_per_window for p in parts),
    )


def find_weights(parts: Sequence[ClipScores]) -> NDArray[np.float64]:
    """Weights of the mean under which the truth of these clips is likeliest; their sum is 1.

    The likelihood has one summit, which the EM steps of a mixture with fixed components climb.
    Where clips have one label each, what counts is the score of that label; else every score,
    of the label being there or not.

    Args:
        parts: scores of each model, of clips that are no test.
    """
    truth = parts[0].truth
    if parts[0].exclusive:
        each = [p.scores[truth] for p in parts]
    else:
        each = [np.where(truth, p.scores, 1 - p.scores).reshape(-1) for p in parts]
    likely = np.stack(each, 1).astype(np.float64) + LEAST
    weights = np.full(len(parts), 1.0 / len(parts))
    for _ in range(ROUNDS):
        share = weights * likely
        after = (share / share.sum(1, keepdims=True)).mean(0)
        still = np.abs(after - weights).max() < SETTLED
        weights = after
        if still:
            break
    found: NDArray[np.float64] = weights
    return found


def _votes(part: ClipScores, exclusive: bool) -> NDArray[np.bool_]:
    return best_of(part.scores) if exclusive else part.scores >= part.thresholds
