"""The tables of a front end: window, mel matrix, cosine transform.

Two implementations read them and compute no filterbank of their own: `realtime.frontend`
(NumPy, streaming) and `train.torch_frontend` (batched, CPU or GPU). `FeatureSpec.digest` holds
them fixed.

Sources of the formulas: Kaldi `feat/mel-computations.cc` and `feat/feature-window.cc`
(Apache-2.0) for the "kaldi" mel scale and the order dc removal -> preemphasis -> window;
Slaney, "Auditory Toolbox" (1998) for the "slaney" scale; HTK Book 3.4 section 5.4 for the
"htk" scale and the cepstral lifter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # the spec's digest needs the tables
    from realtime.features import FeatureSpec

Table = NDArray[np.float64]


@lru_cache(maxsize=32)
def window_table(spec: FeatureSpec) -> Table:
    """Analysis window, float64 [frame]."""
    n = np.arange(spec.frame, dtype=np.float64)
    span = max(spec.frame - 1, 1)
    if spec.window == "hann":
        table = 0.5 - 0.5 * np.cos(2 * np.pi * n / spec.frame)
    elif spec.window == "hann_symmetric":
        table = 0.5 - 0.5 * np.cos(2 * np.pi * n / span)
    elif spec.window == "hamming":
        table = 0.54 - 0.46 * np.cos(2 * np.pi * n / spec.frame)
    elif spec.window == "povey":
        table = (0.5 - 0.5 * np.cos(2 * np.pi * n / span)) ** 0.85
    else:
        table = np.ones(spec.frame)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=32)
def mel_table(spec: FeatureSpec) -> Table:
    """Mel matrix, float64 [fft // 2 + 1, mels]: power spectrum @ table = mel energies."""
    bins_hz = np.arange(spec.fft // 2 + 1, dtype=np.float64) * (spec.rate / spec.fft)
    low, high = hz_to_mel(spec.f_min, spec.mel_scale), hz_to_mel(spec.top_hz, spec.mel_scale)
    edges_mel = np.asarray(np.linspace(float(low), float(high), spec.mels + 2), np.float64)
    # Kaldi's triangles are in mel, and it has no weight for the bin at half the rate
    if spec.mel_scale == "kaldi":
        x, edges = hz_to_mel(bins_hz, "kaldi"), edges_mel
    else:
        x, edges = bins_hz, mel_to_hz(edges_mel, spec.mel_scale)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (x[:, None] - left) / (centre - left)
    falling = (right - x[:, None]) / (right - centre)
    table = np.maximum(0.0, np.minimum(rising, falling))
    if spec.mel_scale == "kaldi":
        table[-1] = 0.0
    if spec.mel_norm == "slaney":
        width = mel_to_hz(edges_mel, spec.mel_scale)
        table *= 2.0 / (width[2:] - width[:-2])
    table.setflags(write=False)
    return table


@lru_cache(maxsize=32)
def dct_table(spec: FeatureSpec) -> Table:
    """Orthonormal DCT-II with the lifter folded in, float64 [mels, cepstra]."""
    n, k = np.arange(spec.mels), np.arange(spec.cepstra)
    table: Table = np.cos(np.pi / spec.mels * (n[:, None] + 0.5) * k) * np.sqrt(2.0 / spec.mels)
    table[:, 0] *= np.sqrt(0.5)
    if spec.lifter:
        table = table * (1.0 + 0.5 * spec.lifter * np.sin(np.pi * k / spec.lifter))
    table.setflags(write=False)
    return table


def hz_to_mel(hz: float | Table, scale: str) -> Table:
    """Frequency in Hz to mel, on the given scale."""
    f = np.asarray(hz, dtype=np.float64)
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + f / 700.0))
    if scale == "kaldi":
        return np.asarray(1127.0 * np.log(1.0 + f / 700.0))
    # Slaney: linear to 1 kHz, then 27 logarithmic steps to 6.4 kHz
    log_step = np.log(6.4) / 27.0
    return np.asarray(
        np.where(
            f < 1000.0, 3.0 * f / 200.0, 15.0 + np.log(np.maximum(f, 1e-9) / 1000.0) / log_step
        )
    )


def mel_to_hz(mel: float | Table, scale: str) -> Table:
    """Inverse of `hz_to_mel`."""
    m = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (m / 2595.0) - 1.0))
    if scale == "kaldi":
        return np.asarray(700.0 * (np.exp(m / 1127.0) - 1.0))
    log_step = np.log(6.4) / 27.0
    return np.asarray(
        np.where(
            m < 15.0, 200.0 * m / 3.0, 1000.0 * np.exp(log_step * (np.minimum(m, 1e3) - 15.0))
        )
    )
