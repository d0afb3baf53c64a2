"""Putting a recording of any length into a window. NumPy only: judging needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.02  # level frames
ACTIVE_DB = 25.0  # a word ends where its level was last this close to its loudest frame


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
    played: NDArray[np.float32] = np.interp(at, np.arange(len(clip)), clip).astype(np.float32)
    return played


def active_span(clip: NDArray[np.float32], rate: int) -> tuple[int, int]:
    """First and last sample of the sound in a clip, by level."""
    size = round(FRAME_S * rate)
    whole = (
        clip[: len(clip) // size * size]
        if len(clip) >= size
        else np.pad(clip, (0, size - len(clip)))
    )
    level = 10.0 * np.log10(np.square(whole).reshape(-1, size).mean(1) + 1e-12)
    loud = np.flatnonzero(level > level.max() - ACTIVE_DB)
    return int(loud[0]) * size, min(len(clip), (int(loud[-1]) + 1) * size)


def room_of(clip: NDArray[np.float32], size: int, rate: int) -> tuple[int, int]:
    """How far a centred clip may be moved to either side before the window cuts its sound.

    Args:
        clip: the recording.
        size: samples of the window.
        rate: Hz.

    Returns:
        The least and the greatest move for `place`; crossed where the sound is longer.
    """
    begin, end = active_span(clip, rate)
    at = (size - len(clip)) // 2
    return -(at + begin), size - (at + end)


def edge_of(
    clip: NDArray[np.float32], size: int, rate: int, share: float, first: bool
) -> int | None:
    """How to move a centred clip so that only an edge of its sound is left in the window.

    Args:
        clip: the recording.
        size: samples of the window.
        rate: Hz.
        share: of the sound to leave, 0 to 1.
        first: leave its beginning (at the window's end), or its end (at the window's start).

    Returns:
        The move for `place`, or None where the sound fills the clip: its edges tell nothing.
    """
    begin, end = active_span(clip, rate)
    if end - begin > 0.8 * len(clip):
        return None
    left = round(share * (end - begin))
    at = size - begin - left if first else left - end
    return at - (size - len(clip)) // 2
