"""The arithmetic of the front end: from frames of samples to features, in NumPy.

Called by `realtime.frontend`, which cuts a stream into frames and knows when they are complete;
nothing here remembers anything from one call to the next. The compiled kernels of
`realtime.kernels` take the place of all but the logarithm.

**A frame's features are the same bits whatever frames are computed with it.** Each step is
therefore one whose result for a row cannot depend on how many rows are computed with it:
elementwise operations, one FFT per row, `vecdot` (one dot product per row) and `matvec` (one
matrix-vector product per row). A matrix product of all rows at once would be the obvious mel
projection, but BLAS picks its kernel, and with it the last bits, by the size of the batch.

**Precision.** Up to the power spectrum everything is float64: NumPy's FFT is no slower there
than in float32, and a float32 FFT puts errors of 1e-7 of the loudest bin into the quiet bands.
From the mel bands on it is float32.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime.features import FeatureSpec, dct_table, mel_table, window_table

Frames = NDArray[np.float32]  # [frames, spec.width]

BATCH: Final = 128  # frames computed at once; 16 take a third longer a frame, 32 a tenth
# Most mel weights in one matrix-vector product. Fewer skip more of the matrix's zeros, but each
# product costs a microsecond in a 10 ms block. OpenBLAS wakes its thread pool from 9216 on: at
# this size that gains nothing and takes a core from the model.
BLOCK_WEIGHTS: Final = 4608
DB_PER_LN: Final = 10.0 / float(np.log(10.0))


class Chain:
    """From frames of samples to features: the arithmetic, without any notion of a stream."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
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
        self.power64 = np.empty((BATCH, bins))
        self.power = np.empty((BATCH, bins), np.float32)
        self.mel = np.empty((BATCH, spec.mels), np.float32)
        self.log_mel = np.empty((BATCH, spec.mels))
        self.dct: NDArray[np.float64] | None = None
        if spec.kind == "mfcc":
            self.dct = np.ascontiguousarray(dct_table(spec).T)
        self.floor = np.array(spec.log_floor, np.float32)
        self.work: dict[int, _Work] = {}
        self.lone = _Lone(self)
        self.lone_is_equal = self._try_lone()

    def run(self, frames: NDArray[np.float64], raw: NDArray[np.float64], out: Frames) -> None:
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
        _rfft(work.padded, work.spectrum)
        np.multiply(work.parts, work.parts, out=work.parts)
        np.add(work.real, work.imag, out=work.power64)
        work.power[...] = work.power64
        if self.spec.power == 1:
            np.sqrt(work.power, out=work.power)
        mel = self.mel_of(out)
        for weights, power, bands in work.blocks:
            np.matvec(weights, power, out=mel[:, bands])
        self.finish(mel, out)

    def run_lone(
        self, rest: NDArray[np.float64], raw: NDArray[np.float64], out: Frames
    ) -> None:
        """`run` for one frame, in half the time: NumPy has a quick way for one dimension.

        Args:
            rest: float64 [frame - 1], the frame preemphasised, without its first sample.
            raw: float64 [frame], the samples themselves.
            out: float32 [1, width], filled.
        """
        work = self.lone
        if work.remove_dc:
            raw.dot(self.dc_weights, work.dc)
            rest = np.subtract(rest, work.dc, work.rest)
        np.multiply(rest, self.window_rest, work.rest)
        if work.edge:  # most windows begin with 0
            begin = float(raw[0]) * self.left
            if work.remove_dc:
                begin -= float(work.dc)
            work.padded[0] = begin * work.edge
        _rfft(work.padded, work.spectrum)
        np.multiply(work.parts, work.parts, work.parts)
        np.add(work.real, work.imag, work.power64)
        work.power[...] = work.power64
        if work.magnitude:
            np.sqrt(work.power, work.power)
        for project, power, bands in work.blocks:
            project(power, bands)
        row = out[0]
        if self.dct is None:
            self._logarithm(work.mel, row)
        else:
            work.log_mel[...] = work.mel
            self._logarithm(work.log_mel, work.log_mel)
            np.dot(self.dct, work.log_mel, work.cepstra)
            row[...] = work.cepstra

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
            self._logarithm(mel, mel)
        else:  # sums of many logarithms of one sign: float64 again
            log_mel = self.log_mel[: len(mel)]
            log_mel[:] = mel
            self._logarithm(log_mel, log_mel)
            out[:] = np.matvec(self.dct, log_mel)

    def _window(
        self, frames: NDArray[np.float64], raw: NDArray[np.float64], work: _Work
    ) -> None:
        """Remove the mean, apply the window, into the zero-padded FFT input."""
        # Sample 0 apart: with preemphasis its neighbour in the stream is not in the frame.
        if self.window[0]:
            np.multiply(raw[:, 0], self.left, out=work.begin)
        rest = frames[:, 1:]
        if self.spec.remove_dc:
            np.vecdot(raw, self.dc_weights, out=work.dc)
            rest = np.subtract(rest, work.dc_column, out=work.rest)
            if self.window[0]:
                np.subtract(work.begin, work.dc, out=work.begin)
        np.multiply(rest, self.window_rest, out=work.rest)
        if self.window[0]:
            np.multiply(work.begin, self.window[0], out=work.begin)

    def _logarithm(self, mel: NDArray[Any], out: NDArray[Any]) -> None:
        kind = self.spec.log
        if kind == "none":
            if out is not mel:
                out[...] = mel
            return
        if kind == "ln_add":
            np.add(mel, self.floor, out)
        else:
            np.fmax(mel, self.floor, out)  # no NaN comes here; `maximum` takes 3 times as long
        np.log(out, out)
        if kind == "db":
            np.multiply(out, DB_PER_LN, out)


class _Work:
    """Views of the work arrays for a given number of frames: slicing costs more than adding."""

    def __init__(self, chain: Chain, n: int) -> None:
        spec = chain.spec
        self.dc = chain.dc[:n]
        self.dc_column = chain.dc[:n, None]
        self.padded = chain.padded[:n]
        self.begin = self.padded[:, 0]
        self.rest = self.padded[:, 1 : spec.frame]
        self.spectrum = chain.spectrum[:n]
        self.power64 = chain.power64[:n]
        self.parts = self.spectrum.view(np.float64)[:, : 2 * self.power64.shape[1]]
        self.real, self.imag = self.parts[:, ::2], self.parts[:, 1::2]
        self.power = chain.power[:n]
        self.blocks = [
            (weights, self.power[:, low:high], bands)
            for weights, low, high, bands in chain.blocks
        ]


class _Lone:
    """The work arrays of one frame, in one dimension."""

    def __init__(self, chain: Chain) -> None:
        spec = chain.spec
        bins = chain.power.shape[1]
        self.remove_dc = spec.remove_dc
        self.magnitude = spec.power == 1
        self.edge = float(chain.window[0])
        self.dc = np.zeros(())
        self.padded = np.zeros(spec.fft)
        self.rest = self.padded[1 : spec.frame]
        self.spectrum = np.empty(spec.fft // 2 + 1, np.complex128)
        self.parts = self.spectrum.view(np.float64)[: 2 * bins]
        self.real, self.imag = self.parts[::2], self.parts[1::2]
        self.power64 = np.empty(bins)
        self.power = np.empty(bins, np.float32)
        self.mel = np.empty(spec.mels, np.float32)
        self.log_mel = np.empty(spec.mels)
        self.cepstra = np.empty(spec.cepstra)
        self.blocks = [
            (weights.dot, self.power[low:high], self.mel[bands])
            for weights, low, high, bands in chain.blocks
        ]


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


def direct_rfft() -> Any:
    """NumPy's own kernel under `np.fft.rfft`, or None.

    Its Python wrapper takes 3 of the 7 µs that one frame needs. The kernel is private, so it is
    used only if it is there and gives the wrapper's bits on a trial.
    """
    try:
        kernel = importlib.import_module("numpy.fft._pocketfft_umath").rfft_n_even
        trial = np.linspace(-1.0, 2.0, 3 * 16).reshape(3, 16) ** 3
        out = np.empty((3, 9), np.complex128)
        kernel(trial, 1.0, out=out)
        return kernel if np.array_equal(out, np.fft.rfft(trial)) else None
    except Exception:  # whatever a future NumPy does here, the public way remains
        return None


_KERNEL: Final = direct_rfft()
_UNSCALED: Final = np.array(1.0)


def _rfft(frames: NDArray[np.float64], out: NDArray[np.complex128]) -> None:
    """FFT of each row: float64 [.., fft] to complex128 [.., fft // 2 + 1]."""
    if _KERNEL is not None and frames.shape[-1] % 2 == 0:
        _KERNEL(frames, _UNSCALED, out=out)
    else:
        np.fft.rfft(frames, out=out)
