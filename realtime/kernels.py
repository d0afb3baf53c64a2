"""Compiled kernels, the only file that knows numba (extra `numba`). Each has a NumPy twin.

`MelKernel` does, for one frame after another, what `realtime.frontend` does with NumPy calls:
mean, preemphasis, window, FFT, power and mel bands. With 10 ms blocks NumPy spends most of its
time on the way into some twenty calls; here it is one.

A frame is computed by the same instructions whatever its neighbours, so any partition of a
stream gives the same bits; the twins agree to about 1e-6, not to the bit. Compiled code is
cached beside this file, or in the user's cache folder where that cannot be written.

The FFT is Stockham's autosort algorithm in radix 4, on the even and odd samples as a complex
signal of half the length (Van Loan, "Computational Frameworks for the Fast Fourier Transform",
1992, sections 1.7 and 4.3). Its last step is of radix 2 where needed, or the sum itself where
the length is no power of two, as at 48 kHz for a model of 16 kHz.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.feature_tables import mel_table, window_table
from realtime.features import FeatureSpec

# numba takes these as constants; see `_rows`
U0: Any = np.uint64(0)
U1: Any = np.uint64(1)
U2: Any = np.uint64(2)
U3: Any = np.uint64(3)
U4: Any = np.uint64(4)
LONGEST_SUM = 64  # the last step costs its square


def available(spec: FeatureSpec) -> bool:
    """Whether numba is installed and there is a kernel for the spec."""
    if spec.kind == "waveform" or spec.fft < 8 or spec.fft % 2:
        return False
    rest = spec.fft // 2
    while rest % 4 == 0:
        rest //= 4
    return rest <= LONGEST_SUM and importlib.util.find_spec("numba") is not None


class MelKernel:
    """Mel energies of the frames of a buffer.

    Args:
        spec: a spec for which `available` says yes.

    Attributes:
        tables: what `rows` takes after the numbers.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._run = rows()
        half = spec.fft // 2
        angle = -2.0 * np.pi * np.arange(half) / half
        post = -2.0 * np.pi * np.arange(half + 1) / spec.fft
        weights, bands = _sparse_bands(spec)
        self.tables = (
            np.array(window_table(spec)),
            np.stack([np.cos(angle), np.sin(angle)]),
            np.stack([np.cos(post), np.sin(post)]),
            weights,
            bands,
            np.zeros((5, half + 1)),
        )
        self._numbers = (
            spec.hop,
            spec.preemphasis,
            spec.remove_dc,
            spec.power == 1,
        )

    def run(self, samples: NDArray[np.float64], begin: int, out: NDArray[np.float32]) -> None:
        """Compute `len(out)` frames, the first of which begins at `begin`.

        Args:
            samples: float64 [n], contiguous.
            begin: index into it.
            out: float32 [frames, mels], contiguous, filled.
        """
        self._run(samples, begin, out, *self._numbers, *self.tables)


@lru_cache(maxsize=8)
def _sparse_bands(spec: FeatureSpec) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    """Mel weights without the zeros.

    Returns:
        Weights, one band after the other, and uint64 [3, mels]: each band's first bin, begin
        and end of its weights.
    """
    table = mel_table(spec)
    weights: list[NDArray[np.float64]] = [np.zeros(0)]
    bands = np.zeros((3, spec.mels), np.uint64)
    filled = 0
    for band in range(spec.mels):
        used = np.flatnonzero(table[:, band])
        if len(used):
            weights.append(table[used[0] : used[-1] + 1, band])
            bands[:, band] = used[0], filled, filled + len(weights[-1])
            filled += len(weights[-1])
    return np.concatenate(weights), bands


@lru_cache(maxsize=1)
def rows() -> Any:
    """The kernel, compiled or out of the cache; numba is imported here and not before."""
    import numba

    sums = {"reassoc"}  # lets a sum run in parallel lanes, the same ones for every frame

    try:
        return numba.njit(cache=True, nogil=True, fastmath=sums, error_model="numpy")(_rows)
    except RuntimeError:  # no folder to cache in
        return numba.njit(nogil=True, fastmath=sums, error_model="numpy")(_rows)


def _rows(  # noqa: C901 - one kernel: numba inlines nothing that is not compiled as well
    samples: Any,
    begin: int,
    out: Any,
    hop: int,
    preemphasis: float,
    remove_dc: bool,
    magnitude: bool,
    window: Any,
    twiddle: Any,
    post: Any,
    weights: Any,
    bands: Any,
    work: Any,
) -> None:
    # Unsigned indices throughout: with signed ones numba looks for negative indices at each
    # access, and no loop becomes a vector loop. (uint64 with a plain int would be a float.)
    frame, half = np.uint64(window.shape[0]), np.uint64(twiddle.shape[1])
    start, distance = np.uint64(begin), np.uint64(hop)
    cos, sin, power = twiddle[0], twiddle[1], work[4]
    for row in range(np.uint64(out.shape[0])):
        x = samples[start + row * distance : start + row * distance + frame]
        mean = 0.0
        if remove_dc:
            for i in range(frame):
                mean += x[i]
            mean /= window.shape[0]
        re, im, to_re, to_im = work[0], work[1], work[2], work[3]
        # even samples are the real, odd ones the imaginary part
        rest = mean * (1.0 - preemphasis)
        re[U0] = (x[U0] - mean) * (1.0 - preemphasis) * window[U0]
        for k in range(U1, (frame + U1) // U2):
            i = U2 * k
            re[k] = (x[i] - preemphasis * x[i - U1] - rest) * window[i]
        for k in range(frame // U2):
            i = U2 * k + U1
            im[k] = (x[i] - preemphasis * x[i - U1] - rest) * window[i]
        for k in range((frame + U1) // U2, half):
            re[k] = 0.0
        for k in range(frame // U2, half):
            im[k] = 0.0

        n, s = half, U1
        while n % U4 == U0:
            quarter = n // U4
            step = s * quarter
            for p in range(quarter):
                c1, s1 = cos[p * s], sin[p * s]
                c2, s2 = cos[U2 * p * s], sin[U2 * p * s]
                c3, s3 = cos[U3 * p * s], sin[U3 * p * s]
                for q in range(s):
                    i, o = s * p + q, U4 * s * p + q
                    ar, ai = re[i], im[i]
                    br, bi = re[i + step], im[i + step]
                    cr, ci = re[i + U2 * step], im[i + U2 * step]
                    dr, di = re[i + U3 * step], im[i + U3 * step]
                    er, ei, fr, fi = ar + cr, ai + ci, ar - cr, ai - ci
                    gr, gi, hr, hi = br + dr, bi + di, bi - di, dr - br
                    to_re[o], to_im[o] = er + gr, ei + gi
                    ur, ui = fr + hr, fi + hi
                    o += s
                    to_re[o], to_im[o] = ur * c1 - ui * s1, ur * s1 + ui * c1
                    ur, ui = er - gr, ei - gi
                    o += s
                    to_re[o], to_im[o] = ur * c2 - ui * s2, ur * s2 + ui * c2
                    ur, ui = fr - hr, fi - hi
                    o += s
                    to_re[o], to_im[o] = ur * c3 - ui * s3, ur * s3 + ui * c3
            re, im, to_re, to_im = to_re, to_im, re, im
            n //= U4
            s *= U4
        if n == U2:
            for q in range(s):
                to_re[q], to_im[q] = re[q] + re[q + s], im[q] + im[q + s]
                to_re[q + s], to_im[q + s] = re[q] - re[q + s], im[q] - im[q + s]
            re, im, to_re, to_im = to_re, to_im, re, im
        elif n > U2:
            for j in range(n):
                o = j * s
                for q in range(s):
                    to_re[o + q], to_im[o + q] = re[q], im[q]
                for k in range(U1, n):
                    i, t = k * s, j * k % n * s
                    c1, s1 = cos[t], sin[t]
                    for q in range(s):
                        to_re[o + q] += re[i + q] * c1 - im[i + q] * s1
                        to_im[o + q] += re[i + q] * s1 + im[i + q] * c1
            re, im, to_re, to_im = to_re, to_im, re, im

        # from the complex signal of half the length to the spectrum of the real one
        re[half], im[half] = re[U0], im[U0]
        for k in range(half + U1):
            m = half - k
            er, ei = 0.5 * (re[k] + re[m]), 0.5 * (im[k] - im[m])
            fr, fi = 0.5 * (im[k] + im[m]), 0.5 * (re[m] - re[k])
            c, d = post[U0, k], post[U1, k]
            xr, xi = er + c * fr - d * fi, ei + c * fi + d * fr
            power[k] = xr * xr + xi * xi
        if magnitude:
            for k in range(half + U1):
                power[k] = np.sqrt(power[k])
        for band in range(np.uint64(out.shape[1])):
            low, a, b = bands[U0, band], bands[U1, band], bands[U2, band]
            total = 0.0
            for i in range(b - a):
                total += power[low + i] * weights[a + i]
            out[row, band] = total
