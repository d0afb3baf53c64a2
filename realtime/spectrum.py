"""The arithmetic of the front end: from frames of samples to features, in NumPy.

Called by `realtime.frontend`, which cuts a stream into frames and knows when they are complete;
nothing here remembers anything from one call to the next. The compiled kernels of
`realtime.kernels` take the place of all but the logarithm.

**A frame's features are the same bits whatever frames are computed with it.** Each step is
therefore one whose result for a row cannot depend on how many rows are computed with it:
elementwise operations, one FFT per row, `vecdot` (one dot product per row) and `matvec` (one
matrix-vector product per row). A matrix product of all rows at once would be the obvious mel
projection, but BLAS picks its kernel, and with it the last bits, by the size of the batch.

**Precision.** Up to the spectrum everything is float64: NumPy's FFT is no slower there than in
float32, and a float32 FFT puts errors of 1e-7 of the loudest bin into the quiet bands. From the
power spectrum on it is float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime.feature_tables import dct_table, mel_table, window_table
from realtime.features import FeatureSpec
from realtime.fft import UNSCALED, rfft_of

Frames = NDArray[np.float32]  # [frames, spec.width]
Array = NDArray[np.float64]
# Where a hop of samples goes in a buffer: the new samples, those before each, preemphasised;
# and the frame that it completes: without its first sample, and its samples as they are
Way = tuple[Array, Array, Array, Array, Array]

BATCH: Final = 64  # frames computed at once: fewer cost calls, more do not fit into the cache
# Most mel weights in one matrix-vector product. Fewer skip more of the matrix's zeros, but each
# product costs half a microsecond in a 10 ms block. OpenBLAS wakes its thread pool from 9216
# on: at this size that gains nothing and takes a core from the model.
BLOCK_WEIGHTS: Final = 4608
DB_PER_LN: Final = 10.0 / float(np.log(10.0))


class Chain:
    """From frames of samples to features: the arithmetic, without any notion of a stream."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.rfft = rfft_of(spec.fft)
        self.blocks = band_blocks(spec)
        # what is over the highest band need not be squared
        bins = max(high for _, _, high, _ in self.blocks)
        self.window = window_table(spec)
        self.window_rest = self.window[1:]
        # Kaldi subtracts the mean, then preemphasis leaves (1 - c) of it in every sample
        self.left = 1.0 - spec.preemphasis
        self.dc_weights = np.full(spec.frame, self.left / spec.frame)
        self.dc = np.empty(BATCH)
        self.padded = np.zeros((BATCH, spec.fft))
        self.spectrum = np.empty((BATCH, spec.fft // 2 + 1), np.complex128)
        self.squares = np.empty((BATCH, 2 * bins), np.float32)
        self.power = np.empty((BATCH, bins), np.float32)
        self.dct: Array | None = None
        if spec.kind == "mfcc":
            self.dct = np.ascontiguousarray(dct_table(spec).T)
            self.mel = np.empty((BATCH, spec.mels), np.float32)
            self.log_mel = np.empty((BATCH, spec.mels))
        self.logarithm = _logarithm(spec)
        self.work: dict[int, _Work] = {}

    @cached_property
    def lone_is_equal(self) -> bool:
        """Whether `run_lone` gives the bits of `run` here."""
        return self._try_lone()

    def run_lone(self, rest: Array, raw: Array, out: Frames) -> None:
        """`run` for one frame, in half the time.

        Args:
            rest: float64 [frame - 1], the frame preemphasised, without its first sample.
            raw: float64 [frame], the samples themselves.
            out: float32 [1, width], filled.
        """
        self.run_hop(None, (raw, raw, raw, rest, raw), out)

    @cached_property
    def run_hop(self) -> Callable[[NDArray[np.float32] | None, Way, Frames], None]:
        """`run_lone` for the frame that a hop of samples completes.

        Called with the hop, float32 [hop], where it goes, and what to fill, float32 [1, width].
        It puts the samples into the buffer, scaled and preemphasised, unless there are none.
        """
        return _lone(self)

    def run(self, frames: Array, raw: Array, out: Frames) -> None:
        """Compute features.

        Args:
            frames: float64 [n, frame], preemphasised along the stream.
            raw: float64 [n, frame], the samples themselves.
            out: float32 [n, width], filled.
        """
        n = len(frames)
        work = self.work.get(n)
        if work is None:
            work = self.work[n] = _Work(self, n)
        self._window(frames, raw, work)
        self.rfft(work.padded, UNSCALED, work.spectrum)
        work.squares[...] = work.parts
        np.square(work.squares, out=work.squares)
        np.add(work.real, work.imag, out=work.power)
        if self.spec.power == 1:
            np.sqrt(work.power, out=work.power)
        mel = self.mel_of(out)
        for weights, power, bands in work.blocks:
            np.matvec(weights, power, out=mel[:, bands])
        self.finish(mel, out)

    def _try_lone(self) -> bool:
        """Whether BLAS gives `run_lone` the bits of `run`: nobody promises it."""
        rng = np.random.default_rng(1)
        frames = rng.standard_normal((3, self.spec.frame))
        width = self.spec.width
        together, alone = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
        self.run(frames, frames, together)
        for i, frame in enumerate(frames):
            self.run_lone(frame[1:], frame, alone[i : i + 1])
        return np.array_equal(together, alone)

    def mel_of(self, out: Frames) -> Frames:
        """Where the mel energies of the frames `out` go, float32 [n, mels]."""
        return out if self.dct is None else self.mel[: len(out)]

    def finish(self, mel: Frames, out: Frames) -> None:
        """From mel energies, which are overwritten, to features."""
        if self.dct is None:
            self.logarithm(mel, out)
        else:  # sums of many logarithms of one sign: float64 again
            log_mel = self.log_mel[: len(mel)]
            log_mel[:] = mel
            self.logarithm(log_mel, log_mel)
            out[:] = np.matvec(self.dct, log_mel)

    def _window(self, frames: Array, raw: Array, work: _Work) -> None:
        """Remove the mean, apply the window, into the zero-padded FFT input."""
        if self.spec.remove_dc:
            np.vecdot(raw, self.dc_weights, out=work.dc)
            frames = np.subtract(frames, work.dc_column, out=work.frames)
        np.multiply(frames, self.window, out=work.frames)
        # sample 0 again: with preemphasis its neighbour in the stream is not in the frame
        if self.window[0] and self.spec.preemphasis:
            np.multiply(raw[:, 0], self.left, out=work.begin)
            if self.spec.remove_dc:
                np.subtract(work.begin, work.dc, out=work.begin)
            np.multiply(work.begin, self.window[0], out=work.begin)


class _Work:
    """Views of the work arrays for a given number of frames: slicing costs more than adding."""

    def __init__(self, chain: Chain, n: int) -> None:
        spec = chain.spec
        self.dc = chain.dc[:n]
        self.dc_column = chain.dc[:n, None]
        self.padded = chain.padded[:n]
        self.begin = self.padded[:, 0]
        self.frames = self.padded[:, : spec.frame]
        self.spectrum = chain.spectrum[:n]
        self.squares = chain.squares[:n]
        self.parts = self.spectrum.view(np.float64)[:, : self.squares.shape[1]]
        self.real, self.imag = self.squares[:, ::2], self.squares[:, 1::2]
        self.power = chain.power[:n]
        self.blocks = [
            (weights, self.power[:, low:high], bands)
            for weights, low, high, bands in chain.blocks
        ]


def _lone(chain: Chain) -> Callable[[NDArray[np.float32] | None, Way, Frames], None]:
    """Make `Chain.run_hop`, with its own work arrays.

    NumPy has a quick way for one dimension, so live sound in short blocks spends its time on
    the way into some 15 calls. So it is one function, and a closure: what that holds is found
    in half the time of an attribute.
    """
    spec = chain.spec
    scale = spec.scale
    emphasis = np.array(-spec.preemphasis) if spec.preemphasis else None
    remove_dc, magnitude = spec.remove_dc, spec.power == 1
    edge, left = float(chain.window[0]), chain.left
    window_rest, dc_weights, dc = chain.window_rest, chain.dc_weights, np.zeros(())
    rfft, finish = rfft_of(spec.fft), chain.finish
    padded = np.zeros(spec.fft)
    begin, rest = padded[:1], padded[1 : spec.frame]
    spectrum = np.empty(spec.fft // 2 + 1, np.complex128)
    power = np.empty(chain.power.shape[1], np.float32)
    squares = np.empty(2 * len(power), np.float32)
    parts, real, imag = spectrum.view(np.float64)[: len(squares)], squares[::2], squares[1::2]
    mel = np.empty((1, spec.mels), np.float32)
    blocks = [
        (weights.dot, power[low:high], mel[0, bands])
        for weights, low, high, bands in chain.blocks
    ]
    plain, floor = spec.log == "ln" and chain.dct is None, np.array(spec.log_floor, np.float32)
    add, multiply, subtract = np.add, np.multiply, np.subtract
    square, sqrt = np.square, np.sqrt
    fmax, log = np.fmax, np.log

    def run(samples: NDArray[np.float32] | None, way: Way, out: Frames) -> None:
        new, before, emphasised, frame, raw = way
        if samples is not None:
            if scale == 1.0:
                new[...] = samples
            else:
                multiply(samples, scale, new)
            if emphasis is not None:
                multiply(before, emphasis, emphasised)
                add(emphasised, new, emphasised)
        if remove_dc:
            raw.dot(dc_weights, dc)
            subtract(frame, dc, rest)
            frame = rest
        multiply(frame, window_rest, rest)
        if edge:  # most windows begin with 0
            begin[0] = (float(raw[0]) * left - float(dc)) * edge
        rfft(padded, UNSCALED, spectrum)
        squares[...] = parts
        square(squares, squares)
        add(real, imag, power)
        if magnitude:
            sqrt(power, power)
        for project, bins, bands in blocks:
            project(bins, bands)
        if plain:
            fmax(mel, floor, out)
            log(out, out)
        else:
            finish(mel, out)

    return run


def _logarithm(spec: FeatureSpec) -> Callable[[NDArray[Any], NDArray[Any]], object]:
    """Make the last step: mel energies to their logarithm, into an array of the same shape."""
    kind, floor = spec.log, np.array(spec.log_floor, np.float32)
    fmax, log = np.fmax, np.log

    def ln(mel: NDArray[Any], out: NDArray[Any]) -> None:
        fmax(mel, floor, out)  # no NaN comes here; `maximum` takes 3 times as long
        log(out, out)

    def ln_add(mel: NDArray[Any], out: NDArray[Any]) -> None:
        np.add(mel, floor, out)
        log(out, out)

    def db(mel: NDArray[Any], out: NDArray[Any]) -> None:
        ln(mel, out)
        np.multiply(out, DB_PER_LN, out)

    def none(mel: NDArray[Any], out: NDArray[Any]) -> None:
        if out is not mel:
            out[...] = mel

    return {"ln": ln, "ln_add": ln_add, "db": db, "none": none}[kind]


@lru_cache(maxsize=8)
def band_blocks(spec: FeatureSpec) -> list[tuple[NDArray[np.float32], int, int, slice]]:
    """Cut the mel matrix, mostly zeros, into a few dense blocks.

    Returns:
        For each block: weights float32 [bands, high - low], low, high (bins) and its bands.
    """
    table = mel_table(spec)
    for parts in range(1, spec.mels + 1):
        blocks = []
        for bands in np.array_split(np.arange(spec.mels), parts):
            used = np.flatnonzero(table[:, bands].any(axis=1))
            low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
            weights = np.ascontiguousarray(table[low:high, bands].T, np.float32)
            blocks.append((weights, low, high, slice(int(bands[0]), int(bands[-1]) + 1)))
        if max(weights.size for weights, *_ in blocks) <= BLOCK_WEIGHTS:
            break
    return blocks
