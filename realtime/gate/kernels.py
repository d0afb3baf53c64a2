"""The gate's inner loops: numba kernels, each beside a NumPy twin.

Used by `Ramp`, `KeyFilter` and `LevelGate`, and by nobody else. numba (extra `numba`) is
imported and all kernels are compiled, or taken out of the cache, when a process calls `warm` or
makes the first of those objects. Signatures are fixed, so nothing is ever compiled later, in a
sound callback. Compiled code is cached beside this file, or in the user's cache folder where
that cannot be written.

Kernels are compiled without any leave to reorder sums, so a sample is computed by the same
instructions whatever its neighbours. `fill` and `detect` give the same bits as their twins; the
filters agree to about 1e-12, before rounding to float32.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # [samples, channels]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARTS: Final = 3  # of a ramp's plan
CHUNK: Final = 32  # samples that the filter's twin computes at once
TINY: Final = 1e-200  # a filter's state under this is 0: denormal numbers are slow

# numbers of a detector
OPENS, CLOSES, LOUDEST = range(
    3
)  # float64: two lines, largest sample since the last over CLOSES
IS_OPEN, QUIET, HOLD, USED = range(4)  # int64: state, samples since then, hold, samples taken

Fill = Callable[[Audio, int, Floats, float], None]
Detect = Callable[[Audio, Floats, Ints, Ints, Floats], int]


class Kernels(NamedTuple):
    """The inner loops, in one of their two forms; `fill` and `detect` describe the first two.

    Attributes:
        filter: of numba's only: (float32 [n, channels], coefficients [sections, 5],
            state [sections, channels, 2], float32 [n, channels] to fill).
    """

    fill: Fill
    detect: Detect
    filter: Callable[[Audio, Floats, Floats, Audio], None] | None


class Cascade(Protocol):
    """Biquads in a row."""

    def run(self, block: Audio) -> Audio:
        """Filter float32 [n, channels]."""

    def reset(self) -> None:
        """Start after silence."""


def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def load(compiled: bool = True) -> Kernels:
    """The loops, compiled if that is asked for and numba is installed."""
    return _compiled() if compiled and available() else Kernels(fill, detect, None)


def warm() -> bool:
    """Compile everything now, or take it out of the cache; whether numba is there for it."""
    return load().filter is not None


def cascade(sections: Floats, channels: int, compiled: bool = True) -> Cascade:
    """A filter of biquads.

    Args:
        sections: float64 [sections, 5]: b0, b1, b2, a1, a2 of each.
        channels: of the blocks.
        compiled: as in `load`.
    """
    run = load(compiled).filter
    return Chunked(sections, channels) if run is None else Compiled(run, sections, channels)


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
    size = np.abs(key).max(axis=1, initial=0.0)
    size[~np.isfinite(size)] = 0.0
    is_open, quiet, hold = bool(counts[IS_OPEN]), int(counts[QUIET]), int(counts[HOLD])
    opens = np.flatnonzero(size >= lines[OPENS])
    over = np.flatnonzero(size >= lines[CLOSES])
    n, at, found = len(size), 0, 0
    loudest = float(lines[LOUDEST])
    while at < n:
        if found == len(offsets):
            break
        if not is_open:
            later = opens[np.searchsorted(opens, at) :]
            if not len(later):
                at = n
                break
            at = int(later[0])
            is_open, quiet, loudest = True, 0, 0.0
            offsets[found], levels[found] = at, size[at]
            found += 1
            at += 1
            continue
        # the last sample over the line before `at` was `quiet` + 1 samples before it
        heard = over[np.searchsorted(over, at) :]
        last = at - 1 - quiet
        marks = np.concatenate([[last], heard, [n]])
        gaps = np.flatnonzero(np.diff(marks) > hold + 1)
        stop = gaps[0] if len(gaps) else len(heard)
        if stop:
            last, loudest = int(marks[stop]), 0.0
        end = min(last + hold + 1, n - 1)
        loudest = max(loudest, float(size[max(at, last + 1) : end + 1].max(initial=0.0)))
        if len(gaps):
            is_open = False
            offsets[found], levels[found] = end, loudest
            found += 1
        at, quiet = end + 1, end - last
    lines[LOUDEST] = loudest
    counts[IS_OPEN], counts[QUIET], counts[USED] = is_open, quiet, at
    return found


class Compiled:
    """`Cascade` by the numba kernel, sample by sample.

    Args:
        run: the kernel.
        sections: float64 [sections, 5].
        channels: of the blocks.
    """

    def __init__(
        self,
        run: Callable[[Audio, Floats, Floats, Audio], None],
        sections: Floats,
        channels: int,
    ) -> None:
        self._run = run
        self._sections = np.ascontiguousarray(sections.reshape(-1, 5))
        self._state = np.zeros((len(self._sections), channels, 2))

    def run(self, block: Audio) -> Audio:
        """Filter float32 [n, channels]."""
        out: Audio = np.empty(block.shape, np.float32)
        self._run(block, self._sections, self._state, out)
        return out

    def reset(self) -> None:
        """Start after silence."""
        self._state[:] = 0.0


class Chunked:
    """`Cascade` in NumPy, the twin: no loop over samples, and yet exact in any partition.

    A linear filter's output for `CHUNK` samples, and its state after them, are a fixed matrix
    times those samples and the state before. The chunks lie on a grid that counts from the
    start of the stream. A block that ends within a chunk gets its part of the product now and
    the samples wait; when the others come, the whole product is done anew. Samples to come are
    multiplied by exact zeros, and the sums run over whole rows in the same order each time, so
    the same sample is the same bits. (A matrix product of BLAS promises no order.)

    Args:
        sections: float64 [sections, 5].
        channels: of the blocks.
    """

    def __init__(self, sections: Floats, channels: int) -> None:
        self._matrix = _chunk_matrix(sections.reshape(-1, 5))[:, np.newaxis]
        size = len(self._matrix)
        self._known = np.zeros((size, channels, 1))  # a chunk's samples, then the state before
        self._products = np.zeros((size, channels, size))
        self._sums = np.zeros((channels, size))
        self._filled = 0  # samples of the chunk that are known

    def run(self, block: Audio) -> Audio:
        """Filter float32 [n, channels]."""
        out: Audio = np.empty(block.shape, np.float32)
        at = 0
        while at < len(block):
            begin = self._filled
            m = min(CHUNK - begin, len(block) - at)
            new = block[at : at + m]
            self._known[begin : begin + m, :, 0] = np.where(np.isfinite(new), new, 0.0)
            np.multiply(self._matrix, self._known, out=self._products)
            np.add.reduce(self._products, axis=0, out=self._sums)
            out[at : at + m] = self._sums[:, begin : begin + m].T
            at += m
            self._filled += m
            if self._filled == CHUNK:
                state = self._sums[:, CHUNK:].T
                self._known[CHUNK:, :, 0] = np.where(np.abs(state) < TINY, 0.0, state)
                self._known[:CHUNK] = 0.0
                self._filled = 0
        return out

    def reset(self) -> None:
        """Start after silence."""
        self._known[:] = 0.0
        self._filled = 0


def _chunk_matrix(sections: Floats) -> Floats:
    """What a chunk's samples and the state before, each alone, do to all outputs and states.

    Returns:
        float64 [size, size], a row for each input and a column for each output; size is `CHUNK`
        and two for each section.
    """
    size = CHUNK + 2 * len(sections)
    matrix = np.zeros((size, size))
    for source in range(size):
        x = np.zeros(size)
        x[source] = 1.0
        signal, states = x[:CHUNK].tolist(), x[CHUNK:].tolist()
        for i, (b0, b1, b2, a1, a2) in enumerate(sections.tolist()):
            s1, s2 = states[2 * i : 2 * i + 2]
            for k, value in enumerate(signal):
                y = b0 * value + s1
                s1 = b1 * value - a1 * y + s2
                s2 = b2 * value - a2 * y
                signal[k] = y
            states[2 * i : 2 * i + 2] = s1, s2
        matrix[source] = signal + states
    return matrix


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
            njit(signature, cache=cache, nogil=True, error_model="numpy")(loop)
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
