"""Samples in, feature frames out: `FrontEnd`, the streaming implementation of a `FeatureSpec`.

Called by the engine with whatever blocks a source gives, and by export and training tools
through `one_shot`. It reads its tables from `realtime.features` and computes no filterbank of
its own. It never resamples, mixes channels or looks at a clock. Samples are finite: sources
replace NaN and Inf before they come here.

**Any partition of a clip into blocks gives the same frames, bit for bit.** Each step is
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
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from realtime import kernels
from realtime.features import FeatureSpec, dct_table, mel_table, window_table

Samples = NDArray[np.float32]  # [samples], -1 to 1
Frames = NDArray[np.float32]  # [frames, spec.width]

BATCH: Final = 128  # frames computed at once; 16 take a third longer a frame, 32 a tenth
# Most mel weights in one matrix-vector product. Fewer skip more of the matrix's zeros, but each
# product costs a microsecond in a 10 ms block. OpenBLAS wakes its thread pool from 9216 on: at
# this size that gains nothing and takes a core from the model.
BLOCK_WEIGHTS: Final = 4608
DB_PER_LN: Final = 10.0 / float(np.log(10.0))


class FrontEnd:
    """The front end of one stream.

    Args:
        spec: what to compute.
        compiled: use the numba kernel if numba is installed and the FFT length a power of two.
            A 10 ms block then takes about 40 % of the time; but numba takes half a second to
            import and 90 MB, and the last bits (1e-6) differ from those without it. So it is
            asked for, never found.

    Attributes:
        spec: the same.
        compiled: whether the kernel is used.
        count: frames given since the last `reset`. Frame `i` begins (with `center`: has its
            middle) at sample `i * spec.hop`.
    """

    def __init__(self, spec: FeatureSpec, compiled: bool = False) -> None:
        self.spec = spec
        self.compiled = compiled and kernels.available(spec)
        self.count = 0
        wave = spec.kind == "waveform"
        centred = spec.center and not wave
        self._length = spec.hop if wave else spec.frame
        # the part of the first frame before sample 0, and how many samples reflecting it needs
        self._lead = spec.fft // 2 - (spec.fft - spec.frame) // 2 if centred else 0
        self._needed = spec.fft // 2 + 1 if centred else 0
        # samples kept before the next frame: one for preemphasis, or those that the reflection
        # at the end mirrors
        self._history = max(1, self._length - self._lead + 1) if centred else 1
        self._steps = max(BATCH, -(-(self._lead + self._needed) // spec.hop))
        span = (self._steps - 1) * spec.hop + max(spec.hop, self._length)
        self._size = self._history + span  # exactly `_steps` frames fit
        self._samples = np.zeros(self._size)
        self._emphasised = self._samples
        if spec.preemphasis and not wave and not self.compiled:
            self._emphasised = np.zeros(self._size)
        self._raw = self._frames_of(self._samples)
        self._ready = self._frames_of(self._emphasised)
        self._chain = None if wave else _Chain(spec)
        self._kernel = kernels.MelKernel(spec) if self.compiled else None
        self._affine = not spec.window_mean and (spec.mean != 0.0 or spec.std != 1.0)
        self.reset()

    @property
    def delay(self) -> int:
        """Samples from a frame's own time (begin; with `center`: middle) until it is given."""
        return self._length - self._lead

    def reset(self) -> None:
        """Forget the stream: the next sample is the first."""
        self.count = 0
        self._total = 0  # samples taken
        self._next = 0  # the next frame begins at `_history + _next * hop` of the buffer
        self._fill = self._history + self._lead
        self._started = self._lead == 0
        self._samples[: self._fill] = 0.0
        self._emphasised[: self._fill] = 0.0

    def push(self, samples: Samples) -> Frames:
        """Take samples, give the frames that are now complete.

        Args:
            samples: float32 [n] at `spec.rate`, any n.

        Returns:
            float32 [frames, spec.width], often of no frame. `mean` and `std` are applied unless
            `spec.window_mean` is set: then `finish_window` completes a whole window.
        """
        samples = np.asarray(samples, dtype=np.float32)
        if samples.ndim != 1:
            raise ValueError(f"samples have shape {samples.shape}, expected one dimension")
        out = self._feed(samples, self.spec.scale)
        self._total += len(samples)
        return out

    def flush(self) -> Frames:
        """End the stream: the frames that only reflection completes (`center`), then `reset`.

        Returns:
            float32 [frames, spec.width], as `push`.
        """
        spec = self.spec
        extra = 0
        if self._lead and self._started:
            last = (spec.frames_in(self._total) - 1) * spec.hop
            extra = max(0, last + self.delay - self._total)
        # torch.stft's "reflect" does not repeat the last sample
        mirror = self._samples[self._fill - 1 - extra : self._fill - 1][::-1].copy()
        out = self._feed(mirror, 1.0)
        self.reset()
        return out

    def _feed(self, samples: NDArray[Any], scale: float) -> Frames:
        """Put samples into the buffer in as many steps as it takes, and compute."""
        n = len(samples)
        out = np.empty((self._complete(n), self.spec.width), np.float32)
        if self._fill + n < self._size:  # a block of a live stream: no slices, each costs 2 %
            self._append(samples, scale)
            given = self._compute(out)
        else:
            taken = given = 0
            while taken < n:
                block = samples[taken : taken + self._size - self._fill]
                self._append(block, scale)
                taken += len(block)
                given += self._compute(out[given:])
                if self._fill == self._size:
                    self._compact()
        self.count += given
        if self._affine and given:
            _standardise(self.spec, out)
        return out

    def _complete(self, n: int) -> int:
        """Frames that `n` more samples complete."""
        have = self._fill - self._history + n
        if not self._started and have - self._lead < self._needed:
            return 0
        return max(0, (have - self._length) // self.spec.hop + 1 - self._next)

    def _append(self, block: NDArray[Any], scale: float) -> None:
        begin, end = self._fill, self._fill + len(block)
        if scale == 1.0:
            self._samples[begin:end] = block
        else:
            np.multiply(block, scale, out=self._samples[begin:end])
        self._fill = end
        if not self._started:
            zero = self._history + self._lead  # where sample 0 lies
            if end - zero < self._needed:
                return
            self._samples[zero - self._lead : zero] = self._samples[
                zero + self._lead : zero : -1
            ]
            self._started = True
            begin = self._history
        if self._emphasised is not self._samples:
            # the frame's first sample has no neighbour in the frame: `_Chain` sees to it
            target = self._emphasised[begin:end]
            np.multiply(self._samples[begin - 1 : end - 1], -self.spec.preemphasis, out=target)
            np.add(target, self._samples[begin:end], out=target)

    def _compute(self, out: Frames) -> int:
        """Compute all frames that are complete in the buffer; how many they are."""
        first = self._next
        count = (self._fill - self._history - self._length) // self.spec.hop + 1 - first
        if count < 1 or not self._started:
            return 0
        if count <= BATCH:
            self._batch(first, out if len(out) == count else out[:count])
        else:
            for a in range(0, count, BATCH):
                self._batch(first + a, out[a : min(a + BATCH, count)])
        self._next = first + count
        return count

    def _batch(self, first: int, out: Frames) -> None:
        """Compute the buffer's frames from `first` on, as many as `out` has rows."""
        chain = self._chain
        if self._kernel is not None and chain is not None:
            mel = chain.mel_of(out)
            self._kernel.run(self._samples, self._history + first * self.spec.hop, mel)
            chain.finish(mel, out)
            return
        frames = self._ready[first : first + len(out)]
        if chain is None:
            out[:] = frames
        else:
            chain.run(frames, self._raw[first : first + len(out)], out)

    def _compact(self) -> None:
        """Move what the next frames need to the front of the full buffer."""
        begin = self._steps * self.spec.hop
        keep = self._size - begin
        self._samples[:keep] = self._samples[begin:].copy()
        if self._emphasised is not self._samples:
            self._emphasised[:keep] = self._emphasised[begin:].copy()
        self._fill = keep
        self._next = 0

    def _frames_of(self, buffer: NDArray[np.float64]) -> NDArray[np.float64]:
        """Overlapping view, float64 [steps, length]."""
        windows = sliding_window_view(buffer[self._history :], self._length)
        return windows[:: self.spec.hop][: self._steps]


def one_shot(spec: FeatureSpec, samples: Samples, compiled: bool = False) -> Frames:
    """All frames of a clip, equal to what any stream of its blocks gives.

    Args:
        spec: what to compute.
        samples: float32 [n] at `spec.rate`.
        compiled: as in `FrontEnd`.

    Returns:
        float32 [spec.frames_in(n), spec.width], before `window_mean`.
    """
    front = FrontEnd(spec, compiled)
    head = front.push(samples)
    tail = front.flush()
    return np.concatenate([head, tail]) if len(tail) else head


def finish_window(spec: FeatureSpec, frames: Frames) -> Frames:
    """Complete a whole window: subtract each band's mean, then apply `mean` and `std`.

    Args:
        spec: what to compute; without `window_mean` the frames are complete already and come
            back as they are.
        frames: float32 [frames, spec.width] from `FrontEnd.push`; not changed.

    Returns:
        float32 [frames, spec.width].
    """
    if not spec.window_mean or not len(frames):
        return frames
    out: Frames = frames - frames.mean(axis=0, dtype=np.float64).astype(np.float32)
    _standardise(spec, out)
    return out


class _Work:
    """Views of the work arrays for a given number of frames: slicing costs more than adding."""

    def __init__(self, chain: _Chain, n: int) -> None:
        spec = chain.spec
        self.dc = chain.dc[:n]
        self.dc_column = chain.dc[:n, None]
        self.padded = chain.padded[:n]
        self.begin = self.padded[:, 0]
        self.rest = self.padded[:, 1 : spec.frame]
        self.spectrum = chain.spectrum[:n]
        self.parts = self.spectrum.view(np.float64)
        self.real, self.imag = self.parts[:, ::2], self.parts[:, 1::2]
        self.power64 = chain.power64[:n]
        self.power = chain.power[:n]
        self.blocks = [
            (weights, self.power[:, low:high], bands)
            for weights, low, high, bands in chain.blocks
        ]


class _Chain:
    """From frames of samples to features: the arithmetic, without any notion of a stream."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        bins = spec.fft // 2 + 1
        self.window = window_table(spec)
        self.window_rest = self.window[1:]
        # Kaldi subtracts the mean, then preemphasis leaves (1 - c) of it in every sample
        self.left = 1.0 - spec.preemphasis
        self.dc_weights = np.full(spec.frame, self.left / spec.frame)
        self.dc = np.empty(BATCH)
        self.padded = np.zeros((BATCH, spec.fft))
        self.spectrum = np.empty((BATCH, bins), np.complex128)
        self.power64 = np.empty((BATCH, bins))
        self.power = np.empty((BATCH, bins), np.float32)
        self.mel = np.empty((BATCH, spec.mels), np.float32)
        self.log_mel = np.empty((BATCH, spec.mels))
        self.blocks = _band_blocks(spec)
        self.dct: NDArray[np.float64] | None = None
        if spec.kind == "mfcc":
            self.dct = np.ascontiguousarray(dct_table(spec).T)
        self.floor = np.float32(spec.log_floor)
        self.work: dict[int, _Work] = {}

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

    def mel_of(self, out: Frames) -> Frames:
        """Where the mel energies of the frames `out` go, float32 [n, mels]."""
        return out if self.dct is None else self.mel[: len(out)]

    def finish(self, mel: Frames, out: Frames) -> None:
        """From mel energies, which are overwritten, to features."""
        if self.dct is None:
            self._logarithm(mel)
        else:  # sums of many logarithms of one sign: float64 again
            log_mel = self.log_mel[: len(mel)]
            log_mel[:] = mel
            self._logarithm(log_mel)
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

    def _logarithm(self, mel: NDArray[Any]) -> None:
        kind = self.spec.log
        if kind == "none":
            return
        if kind == "ln_add":
            np.add(mel, self.floor, out=mel)
        else:
            np.maximum(mel, self.floor, out=mel)
        np.log(mel, out=mel)
        if kind == "db":
            np.multiply(mel, DB_PER_LN, out=mel)


@lru_cache(maxsize=8)
def _band_blocks(spec: FeatureSpec) -> list[tuple[NDArray[np.float32], int, int, slice]]:
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


def _standardise(spec: FeatureSpec, frames: Frames) -> None:
    np.subtract(frames, np.float32(spec.mean), out=frames)
    np.divide(frames, np.float32(spec.std), out=frames)


def _direct_rfft() -> Any:
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


_KERNEL: Final = _direct_rfft()


def _rfft(frames: NDArray[np.float64], out: NDArray[np.complex128]) -> None:
    """FFT of each row: float64 [n, fft] to complex128 [n, fft // 2 + 1]."""
    if _KERNEL is not None and frames.shape[1] % 2 == 0:
        _KERNEL(frames, 1.0, out=out)
    else:
        np.fft.rfft(frames, out=out)
