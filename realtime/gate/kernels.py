"""The gate's inner loops: numba kernels, each beside a NumPy twin.

Used by `Ramp`, `KeyFilter` and `LevelGate`, and by nobody else. numba (extra `numba`) is
imported and all kernels are compiled, or taken out of the cache, when a process calls `warm` or
makes the first of those objects. Signatures are fixed, so nothing is ever compiled later, in a
sound callback. Compiled code is cached beside this file, or in the user's cache folder where
that cannot be written.

Kernels are compiled without any leave to reorder sums, so a sample is computed by the same
instructions whatever its neighbours. `fill` and `detect` give the same bits as their twins. The
twin of the filter is in `realtime.gate.cascade`. Nor do they let go of Python's global lock: a
sound callback that gave it away for a microsecond could wait milliseconds to have it back.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # [samples, channels]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARTS: Final = 3  # of a ramp's plan
TINY: Final = 1e-200  # a filter's state under this is 0: denormal numbers are slow

# numbers of a detector
OPENS, CLOSES, LOUDEST = range(
    3
)  # float64: two lines, largest sample since the last over CLOSES
IS_OPEN, QUIET, HOLD, USED = range(4)  # int64: state, samples since then, hold, samples taken

Fill = Callable[[Audio, int, Floats, float], None]
Detect = Callable[[Audio, Floats, Ints, Ints, Floats], int]
Filter = Callable[[Audio, Floats, Floats, Audio], None]


class Kernels(NamedTuple):
    """The inner loops in one of their two forms.

    Attributes:
        fill: see `fill`.
        detect: see `detect`.
        filter: of numba only, its twin is `realtime.gate.cascade.Chunked`: filters
            float32 [n, channels] with coefficients [sections, 5] and state
            [sections, channels, 2], into float32 [n, channels].
    """

    fill: Fill
    detect: Detect
    filter: Filter | None


def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def load(compiled: bool = True) -> Kernels:
    """The loops, compiled if that is asked for and numba is installed."""
    return _compiled() if compiled and available() else Kernels(fill, detect, None)


def warm() -> bool:
    """Compile everything now, or take it out of the cache; whether numba is there for it."""
    return load().filter is not None


def fill(out: Audio, at: int, plan: Floats, target: float) -> None:
    """Gains of a ramp, the NumPy twin.

    Args:
        out: float32 [n], filled.
        at: samples of the plan already given; the first gain is that of instant `at` + 1.
        plan: float64 [PARTS, 5], its parts in order: instant of its end, of its anchor, gain
            and slope there, half of the acceleration.
        target: gain after the last part.
    """
    begin, n = 0, len(out)
    for until, anchor, gain, slope, half in plan.tolist():
        m = min(n, int(until) - at) - begin
        if m > 0:
            d = np.arange(at + begin + 1, at + begin + m + 1, dtype=np.float64)
            d -= anchor
            out[begin : begin + m] = gain + d * (slope + d * half)
            begin += m
    out[begin:] = target


def detect(key: Audio, lines: Floats, counts: Ints, offsets: Ints, levels: Floats) -> int:
    """Openings and closings of a level gate, the NumPy twin.

    It follows the largest channel and works from change to change, not from sample to sample.

    Args:
        key: float32 [n, channels].
        lines: float64 [3], see `OPENS`; LOUDEST is changed.
        counts: int64 [4], see `IS_OPEN`; all but HOLD are changed. USED says how many samples
            were taken: all, unless `offsets` was too short.
        offsets: int64 [m], filled with the samples at which the gate changes.
        levels: float64 [m], filled with the largest sample since the last over the close line.

    Returns:
        How many changes there are; each is the contrary of the one before.
    """
    size = _sizes(key)
    is_open, quiet, hold = bool(counts[IS_OPEN]), int(counts[QUIET]), int(counts[HOLD])
    loudest = float(lines[LOUDEST])
    n, at, found = len(size), 0, 0
    while at < n and found < len(offsets):
        if not is_open:
            later = size[at:] >= lines[OPENS]
            first = int(later.argmax())
            if not later[first]:
                at = n
                break
            at += first
            is_open, quiet, loudest = True, 0, 0.0
            offsets[found], levels[found] = at, size[at]
            found += 1
            at += 1
            continue
        over = np.flatnonzero(size[at:] >= lines[CLOSES])
        over += at
        last = at - 1 - quiet  # the last one over the line
        end, is_open = _open_until(over, last, hold, n)
        heard = int(np.searchsorted(over, end, side="right"))
        if heard:
            last, loudest = int(over[heard - 1]), 0.0
        loudest = max(loudest, float(size[max(at, last + 1) : end + 1].max(initial=0.0)))
        if not is_open:
            offsets[found], levels[found] = end, loudest
            found += 1
        at, quiet = end + 1, end - last
    lines[LOUDEST] = loudest
    counts[IS_OPEN], counts[QUIET], counts[USED] = is_open, quiet, at
    return found


def _open_until(over: Ints, last: int, hold: int, n: int) -> tuple[int, bool]:
    """Where an open gate closes.

    Args:
        over: samples to come that are over the close line.
        last: the last one before.
        hold: samples.
        n: samples of the block.

    Returns:
        The sample at which it closes, and False; or the block's last and True.
    """
    if n - 1 - last <= hold:
        return n - 1, True
    marks = np.concatenate([[last], over, [n]])
    gaps = np.diff(marks) > hold + 1
    first = int(gaps.argmax())
    return (int(marks[first]) + hold + 1, False) if gaps[first] else (n - 1, True)


def _sizes(key: Audio) -> Audio:
    """Size of each sample in its largest channel, float32 [n]; NaN and infinity are 0."""
    sizes: Audio = np.abs(key)
    finite = sizes < np.inf
    if not finite.all():
        sizes[~finite] = 0.0
    size: Audio = sizes[:, 0]
    for c in range(1, key.shape[1]):  # faster than a maximum over so short an axis
        size = np.maximum(size, sizes[:, c])
    return size


@lru_cache(maxsize=1)
def _compiled() -> Kernels:
    """The kernels of numba; it is imported here and not before."""
    import numba
    from numba import float32, float64, int64, types

    njit: Any = numba.njit

    def given(dtype: Any, dimensions: int) -> Any:  # any array that comes from outside
        return types.Array(dtype, dimensions, "A", readonly=True, aligned=False)

    block, floats, ints = given(float32, 2), float64[::1], int64[::1]
    signatures = (
        types.void(float32[::1], int64, float64[:, ::1], float64),
        int64(block, floats, ints, ints, floats),
        types.void(block, float64[:, ::1], float64[:, :, ::1], float32[:, ::1]),
    )
    loops = (_fill, _detect, _filter)

    def build(cache: bool) -> Kernels:
        compiled = [
            njit(signature, cache=cache, error_model="numpy")(loop)
            for signature, loop in zip(signatures, loops, strict=True)
        ]
        return Kernels(*compiled)

    try:
        return build(cache=True)
    except RuntimeError:  # no folder to cache in
        return build(cache=False)


def _fill(out: Any, at: int, plan: Any, target: float) -> None:
    part = 0
    for i in range(out.shape[0]):
        instant = float(at + i + 1)
        while part < PARTS and instant > plan[part, 0]:
            part += 1
        if part == PARTS:
            out[i] = target
        else:
            d = instant - plan[part, 1]
            out[i] = plan[part, 2] + d * (plan[part, 3] + d * plan[part, 4])


def _detect(key: Any, lines: Any, counts: Any, offsets: Any, levels: Any) -> int:
    opens, closes, loudest = lines[OPENS], lines[CLOSES], lines[LOUDEST]
    is_open, quiet, hold = counts[IS_OPEN] != 0, counts[QUIET], counts[HOLD]
    n, channels, room = key.shape[0], key.shape[1], offsets.shape[0]
    at, found = 0, 0
    while at < n and found < room:
        size = 0.0
        for c in range(channels):
            value = abs(float(key[at, c]))
            if value < np.inf and value > size:  # false for NaN
                size = value
        if is_open:
            if size >= closes:
                quiet, loudest = 0, 0.0
            else:
                quiet += 1
                loudest = max(loudest, size)
                if quiet > hold:
                    is_open = False
                    offsets[found], levels[found] = at, loudest
                    found += 1
        elif size >= opens:
            is_open, quiet, loudest = True, 0, 0.0
            offsets[found], levels[found] = at, size
            found += 1
        at += 1
    lines[LOUDEST] = loudest
    counts[IS_OPEN], counts[QUIET], counts[USED] = is_open, quiet, at
    return found


def _filter(block: Any, sections: Any, state: Any, out: Any) -> None:
    for i in range(block.shape[0]):
        for c in range(block.shape[1]):
            x = float(block[i, c])
            if not abs(x) < np.inf:  # true for NaN
                x = 0.0
            for k in range(sections.shape[0]):
                y = sections[k, 0] * x + state[k, c, 0]
                s1 = sections[k, 1] * x - sections[k, 3] * y + state[k, c, 1]
                s2 = sections[k, 2] * x - sections[k, 4] * y
                state[k, c, 0] = s1 if abs(s1) > TINY else 0.0
                state[k, c, 1] = s2 if abs(s2) > TINY else 0.0
                x = y
            out[i, c] = x
