"""Putting a recording of any length into a window. NumPy only: judging needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def place(out: NDArray[np.float32], clip: NDArray[np.float32], move: int) -> None:
    """Write `clip` into the middle of `out`, moved by `move` samples; the rest is cut."""
    at = (len(out) - len(clip)) // 2 + move
    first, last = max(at, 0), min(at + len(clip), len(out))
    if first < last:
        out[first:last] = clip[first - at : last - at]


def crop(out: NDArray[np.float32], clip: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Write a random part of `clip` into `out`; a clip that is shorter is placed at random."""
    spare = len(clip) - len(out)
    if spare >= 0:
        at = int(rng.integers(spare + 1))
        out[:] = clip[at : at + len(out)]
    else:
        at = int(rng.integers(-spare + 1))
        out[at : at + len(clip)] = clip


def stretched(clip: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """`clip` played faster (positive share) or slower, by linear interpolation.

    For small shares and as augmentation only: it loses a little of the highest octave.
    """
    if not share or len(clip) < 2:
        return clip
    at = np.arange(0.0, len(clip) - 1.0, 1.0 + share)
    return np.interp(at, np.arange(len(clip)), clip).astype(np.float32)
