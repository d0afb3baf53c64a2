"""`Cascade`: biquads in a row, compiled or in NumPy. Used by `KeyFilter`.

A filter whose state is carried from sample to sample is a loop over samples, which in Python
would cost a tenth of a core. So the twin of the compiled loop is another algorithm, `Chunked`.
The two agree to about 1e-12, before rounding to float32.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.gate.kernels import TINY, Filter, load

Audio = NDArray[np.float32]  # [samples, channels]
Floats = NDArray[np.float64]

CHUNK: Final = 32  # samples that the twin computes at once


class Cascade(Protocol):
    """Biquads in a row; the same bits whatever the blocks. NaN and infinity count as 0."""

    def run(self, block: Audio) -> Audio:
        """Filter float32 [n, channels]."""

    def reset(self) -> None:
        """Start after silence."""


def cascade(sections: Floats, channels: int, compiled: bool = True) -> Cascade:
    """A filter of biquads.

    Args:
        sections: float64 [sections, 5]: b0, b1, b2, a1, a2 of each.
        channels: of the blocks.
        compiled: use the numba kernel if numba is installed.
    """
    run = load(compiled).filter
    return Chunked(sections, channels) if run is None else Compiled(run, sections, channels)


class Compiled:
    """`Cascade` by the numba kernel, sample by sample.

    Args:
        run: the kernel.
        sections: float64 [sections, 5].
        channels: of the blocks.
    """

    def __init__(
        self,
        run: Filter,
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
        known, state = self._known[:, :, 0], self._known[CHUNK:, :, 0]
        clean = np.where(np.isfinite(block), block, 0.0)
        at = 0
        while at < len(block):
            begin = self._filled
            end = min(CHUNK, begin + len(block) - at)
            then = at + end - begin
            known[begin:end] = clean[at:then]
            np.multiply(self._matrix, self._known, out=self._products)
            np.add.reduce(self._products, axis=0, out=self._sums)
            out[at:then] = self._sums[:, begin:end].T
            at, self._filled = then, end
            if end == CHUNK:
                known[:CHUNK] = 0.0
                state[:] = self._sums[:, CHUNK:].T
                self._filled = 0
        # when is of no account: so small a number changes no float32
        state[np.abs(state) < TINY] = 0.0
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
