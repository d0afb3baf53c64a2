"""`Layer`: what is learned, and how: logistic regression and the middle of the examples.

Used by `realtime.wake.label`. One layer over embeddings in the directions of
`realtime.wake.hours.Space`; regression is by Newton's method, to the end: the same examples
give the same layer on every machine.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

DECAY: Final = 1e-3  # of the weights, for directions in which windows have a variance of 1
MIDDLE: Final = 0.5
STEPS: Final = 25
ENOUGH: Final = 1e-5  # a step shorter than this is the last


class Layer(msgspec.Struct):
    """Logits are `x @ weight.T + bias`.

    Attributes:
        weight: float32 [labels, directions].
        bias: float32 [labels].
    """

    weight: Floats
    bias: Floats

    def logits(self, turned: Floats) -> Floats:
        """Float32 [..., directions] to [..., labels]."""
        out: Floats = (turned @ self.weight.T + self.bias).astype(np.float32)
        return out


def sigmoid(x: Floats) -> Floats:
    """Of any size without overflow."""
    e = np.exp(-np.abs(x))
    out: Floats = np.where(x >= 0, np.float32(1), e) / (1 + e)
    return out


def fit(turned: Floats, wanted: NDArray[np.bool_], weight: Floats) -> Floats:
    """A direction that tells the wanted windows from the others, float32 [directions].

    Half of it is where logistic regression finds it, half the middle of the wanted windows:
    with few examples the first is too sure of what they happen to have in common.

    Args:
        turned: float32 [windows, directions].
        wanted: bool [windows].
        weight: float32 [windows], how much each counts; 1 in all.
    """
    middle = (turned[wanted] * weight[wanted, None]).sum(axis=0)
    apart = _regression(turned, wanted, weight)
    both = (1.0 - MIDDLE) * _unit(apart) + MIDDLE * _unit(middle)
    return both.astype(np.float32)


def _unit(x: Floats) -> Floats:
    out: Floats = x / max(float(np.linalg.norm(x)), 1e-9)
    return out


def _regression(turned: Floats, wanted: NDArray[np.bool_], weight: Floats) -> Floats:
    """Weights of logistic regression; its bias is not needed, thresholds are set apart."""
    x = np.hstack([turned, np.ones((len(turned), 1), np.float32)]).astype(np.float64)
    y, share = wanted.astype(np.float64), weight.astype(np.float64)
    decay = np.full(x.shape[1], DECAY / turned.shape[1])  # embeddings are of length 1
    decay[-1] = 1e-9
    at: Doubles = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ at, -30.0, 30.0)))
        slope = x.T @ (share * (p - y)) + decay * at
        bend = (x.T * (share * np.maximum(p * (1.0 - p), 1e-7))) @ x + np.diag(decay)
        step = np.linalg.solve(bend, slope)
        at -= step
        if np.abs(step).max() < ENOUGH:
            break
    return at[:-1].astype(np.float32)
