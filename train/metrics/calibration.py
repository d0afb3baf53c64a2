"""Are scores probabilities? Expected calibration error, and the temperature that mends it.

A temperature divides a model's logits, so it changes how sure the model is and not what it
says. Logits are taken back from the scores, so that a model file of any kind can be judged.
Source: Guo et al., "On calibration of modern neural networks" (2017).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Truth = NDArray[np.bool_]
Floats = NDArray[np.float64]

BINS = 15
LEAST = 1e-7  # a score nearer to 0 or 1 is taken for this: int8 models give both
COLDEST, HOTTEST = 0.05, 20.0


def reliability(sure: Floats, right: Truth, bins: int = BINS) -> tuple[Floats, Floats, Floats]:
    """How often what is said with some certainty is so, in bins of equal width.

    Args:
        sure: certainty of each decision, 0 to 1.
        right: whether it was so.
        bins: from 0 to 1; each has its upper edge.

    Returns:
        Share of the decisions in each bin, their mean certainty, and the share of right ones.
    """
    which = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins).astype(np.float64)
    some = np.maximum(count, 1.0)
    return (
        count / max(1, len(sure)),
        np.bincount(which, sure, bins) / some,
        np.bincount(which, right.astype(np.float64), bins) / some,
    )


def calibration_error(sure: Floats, right: Truth, bins: int = BINS) -> float:
    """Expected calibration error: how far certainty and truth are apart, on average."""
    share, said, so = reliability(sure, right, bins)
    return float(np.sum(share * np.abs(said - so)))


def decisions(scores: Array, truth: Truth, exclusive: bool) -> tuple[Floats, Truth]:
    """What calibration is judged on, and what of it was so.

    Args:
        scores: [clips, labels].
        truth: of the same shape.
        exclusive: one label a clip: the best label's score counts. Otherwise every score of
            every label does.
    """
    if not exclusive:
        return scores.astype(np.float64).reshape(-1), truth.reshape(-1)
    best = scores.argmax(1)
    row = np.arange(len(scores))
    return scores[row, best].astype(np.float64), truth[row, best]


def logits_of(scores: Array, softmax: bool) -> Floats:
    """Logits that give these scores; of a softmax up to a constant of each clip."""
    p = np.clip(scores.astype(np.float64), LEAST, 1.0 - LEAST)
    return np.log(p) if softmax else np.log(p) - np.log1p(-p)


def scaled(scores: Array, temperature: float, softmax: bool) -> Array:
    """Scores at another temperature, float32 [clips, labels]."""
    z = logits_of(scores, softmax) / temperature
    if softmax:
        e = np.exp(z - z.max(1, keepdims=True))
        return np.asarray(e / e.sum(1, keepdims=True), np.float32)
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)), np.float32)


def find_temperature(scores: Array, truth: Truth, softmax: bool) -> float:
    """The temperature at which these clips are likeliest, by golden section on its logarithm.

    Args:
        scores: [clips, labels] of clips that are no test.
        truth: of the same shape.
        softmax: scores of a clip share 1; otherwise each is a sigmoid's.
    """
    z = logits_of(scores, softmax)
    sign = np.where(truth, 1.0, -1.0)

    def loss(log_t: float) -> float:
        x = z * math.exp(-log_t)
        if not softmax:
            return float(np.logaddexp(0.0, -sign * x).mean())
        top = x.max(1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(x - top).sum(1))
        return float((log_sum * truth.sum(1) - (x * truth).sum(1)).mean())

    low, high = math.log(COLDEST), math.log(HOTTEST)
    golden = (math.sqrt(5.0) - 1.0) / 2.0
    a, b = high - golden * (high - low), low + golden * (high - low)
    at_a, at_b = loss(a), loss(b)
    while high - low > 1e-5:
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            at_a = loss(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            at_b = loss(b)
    return math.exp((low + high) / 2.0)
