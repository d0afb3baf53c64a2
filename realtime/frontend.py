"""Samples in, feature frames out: `FrontEnd`, the streaming implementation of a `FeatureSpec`.

Called by the engine with whatever blocks a source gives, and by export and training tools
through `one_shot`. It reads its tables from `realtime.features` and computes no filterbank of
its own. It never resamples, mixes channels or looks at a clock. Samples are finite: sources
replace NaN and Inf before they come here.

**Any partition of a clip into blocks gives the same frames, bit for bit.** The arithmetic, in
`realtime.spectrum`, sees to it that a frame does not depend on those computed with it; the
buffer here, that a frame is computed from the same samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime import kernels
from realtime.features import FeatureSpec
from realtime.spectrum import BATCH, Chain, Frames, Way

Samples = NDArray[np.float32]  # [samples], -1 to 1

FLOAT32: Final = np.dtype(np.float32)


class FrontEnd:
    """The front end of one stream.

    Args:
        spec: what to compute.
        compiled: use the numba kernel if numba is installed and the FFT length a power of two.
            A 10 ms block then takes about half the time; but numba takes half a second to
            import and 90 MB, and the last bits (1e-6) differ from those without it. So it is
            asked for, never found.

    Attributes:
        spec: the same.
        compiled: whether the kernel is used.
    """

    def __init__(self, spec: FeatureSpec, compiled: bool = False) -> None:
        self.spec = spec
        self.compiled = compiled and kernels.available(spec)
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
        self._emphasis = np.array(-spec.preemphasis)
        self._chain = None if wave else Chain(spec)
        # by where a hop of samples begins in the buffer: what to run, and the fill and the next
        # frame after it
        self._ways: dict[int, tuple[Callable[[Any, Way, Frames], None], Way, int, int]] = {}
        self._hop_shape, self._one = (spec.hop,), (1, spec.width)
        self._kernel = kernels.MelKernel(spec) if self.compiled else None
        self._width = spec.width
        self._affine = not spec.window_mean and (spec.mean != 0.0 or spec.std != 1.0)
        self.reset()

    @property
    def delay(self) -> int:
        """Samples from a frame's own time (begin; with `center`: middle) until it is given."""
        return self._length - self._lead

    @property
    def count(self) -> int:
        """Frames given since the last `reset`.

        Frame `i` begins (with `center`: has its middle) at sample `i * spec.hop`.
        """
        return self._gone + self._next

    def reset(self) -> None:
        """Forget the stream: the next sample is the first."""
        self._gone = 0  # frames given that have left the buffer
        self._next = 0  # the next frame begins at `_history + _next * hop` of the buffer
        self._fill = self._history + self._lead
        self._started = self._lead == 0
        if not self._started:
            self._ways.clear()  # they are for a stream that has begun
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
        samples = np.asarray(samples, FLOAT32)
        if samples.shape == self._hop_shape:
            known = self._ways.get(self._fill)
            if known is not None:
                run, way, self._fill, self._next = known
                out = np.empty(self._one, FLOAT32)
                run(samples, way, out)
                if self._affine:
                    _standardise(self.spec, out)
                return out
        out = np.empty((self._complete(_plain(samples)), self._width), np.float32)
        self._feed(samples, self.spec.scale, out)
        return out

    def flush(self) -> Frames:
        """End the stream: the frames that only reflection completes (`center`), then `reset`.

        Returns:
            float32 [frames, spec.width], as `push`.
        """
        mirror = self._mirror()
        out = np.empty((self._complete(len(mirror)), self._width), np.float32)
        self._feed(mirror, 1.0, out)
        self.reset()
        return out

    def whole(self, samples: Samples) -> Frames:
        """All frames of a clip, equal to what `push` of its blocks and `flush` give.

        Args:
            samples: float32 [n] at `spec.rate`.

        Returns:
            float32 [spec.frames_in(n), spec.width], before `window_mean`.
        """
        self.reset()
        samples = np.asarray(samples, FLOAT32)
        out = np.empty((self.spec.frames_in(_plain(samples)), self._width), np.float32)
        given = self._complete(len(samples))
        self._feed(samples, self.spec.scale, out[:given])
        self._feed(self._mirror(), 1.0, out[given:])
        self.reset()
        return out

    def _mirror(self) -> NDArray[np.float64]:
        """What `center` sees after the last sample, as much as its frames need."""
        spec = self.spec
        extra = 0
        if self._lead and self._started:
            total = self._gone * spec.hop + self._fill - self._history - self._lead
            last = (spec.frames_in(total) - 1) * spec.hop
            extra = max(0, last + self.delay - total)
        # torch.stft's "reflect" does not repeat the last sample
        return self._samples[self._fill - 1 - extra : self._fill - 1][::-1].copy()

    def _feed(self, samples: NDArray[Any], scale: float, out: Frames) -> None:
        """Put samples into the buffer in as many steps as it takes, and fill `out`."""
        n = len(samples)
        if self._fill + n < self._size:
            if len(out) == 1 and n == self.spec.hop and self._started:
                self._find_way()
            self._append(samples, scale)
            self._compute(out)
        else:
            taken = given = 0
            while taken < n:
                block = samples[taken : taken + self._size - self._fill]
                self._append(block, scale)
                taken += len(block)
                given += self._compute(out[given:])
                if self._fill == self._size:
                    self._compact()
        if self._affine:
            _standardise(self.spec, out)

    def _find_way(self) -> None:
        """Keep the way of the next block, which is a hop of samples and completes one frame.

        It depends on where the block begins alone, for all frames before it are given.
        """
        if self._chain is None or self.compiled or not self._chain.lone_is_equal:
            return
        if len(self._ways) > self._steps:  # blocks of many lengths: hops begin anywhere
            self._ways.clear()
        start, end = self._fill, self._fill + self.spec.hop
        way = (
            self._samples[start:end],
            self._samples[start - 1 : end - 1],
            self._emphasised[start:end],
            self._ready[self._next, 1:],
            self._raw[self._next],
        )
        self._ways[start] = (self._chain.run_hop, way, end, self._next + 1)

    def _complete(self, n: int) -> int:
        """Frames that `n` more samples complete."""
        have = self._fill - self._history + n
        if not self._started and have - self._lead < self._needed:
            return 0
        return max(0, (have - self._length) // self.spec.hop + 1 - self._next)

    def _append(self, block: NDArray[Any], scale: float) -> None:
        begin, end = self._fill, self._fill + len(block)
        new = self._samples[begin:end]
        if scale == 1.0:
            new[...] = block
        else:
            np.multiply(block, scale, new)
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
            new = self._samples[begin:end]
        if self._emphasised is not self._samples:
            # the frame's first sample has no neighbour in the frame: `Chain` sees to it
            target = self._emphasised[begin:end]
            np.multiply(self._samples[begin - 1 : end - 1], self._emphasis, target)
            np.add(target, new, target)

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
        elif len(out) == 1 and chain.lone_is_equal:
            chain.run_lone(frames[0, 1:], self._raw[first], out)
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
        self._gone += self._next
        self._next = 0

    def _frames_of(self, buffer: NDArray[np.float64]) -> NDArray[np.float64]:
        """Overlapping view, float64 [steps, length]."""
        size = buffer.itemsize  # and `sliding_window_view` takes as long as ten frames
        return np.ndarray(
            (self._steps, self._length),
            buffer.dtype,
            buffer,
            offset=self._history * size,
            strides=(self.spec.hop * size, size),
        )


def one_shot(spec: FeatureSpec, samples: Samples, compiled: bool = False) -> Frames:
    """All frames of a clip, equal to what any stream of its blocks gives.

    Args:
        spec: what to compute.
        samples: float32 [n] at `spec.rate`.
        compiled: as in `FrontEnd`.

    Returns:
        float32 [spec.frames_in(n), spec.width], before `window_mean`.
    """
    return FrontEnd(spec, compiled).whole(samples)


def _plain(samples: Samples) -> int:
    """The number of samples, which have one dimension."""
    if samples.ndim != 1:
        raise ValueError(f"samples have shape {samples.shape}, expected one dimension")
    return len(samples)


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


def _standardise(spec: FeatureSpec, frames: Frames) -> None:
    np.subtract(frames, np.float32(spec.mean), out=frames)
    np.divide(frames, np.float32(spec.std), out=frames)
