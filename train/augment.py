"""Augmentation of waveforms and features, batched in torch. Each function changes one thing.

Everything random comes from the generator handed in, so a batch is a function of (recipe,
seed, step).
Sources: Park et al., "SpecAugment" (2019); Zhang et al., "mixup" (2018); Ko et al., "A study
on data augmentation of reverberant speech" (2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

FRAME = 400  # samples per level reading: 25 ms at 16 kHz
ACTIVE = 0.4  # share of a row's frames, the loudest ones, that count as sound
NATURAL_PER_DB = 0.2302585  # ln(10) / 10: power dB to natural logarithm
SHAPE = 0.375  # greatest coefficient of a random filter


def level_db(x: Tensor) -> Tensor:
    """Level of the loudest frames, dBFS [batch], for x [batch, samples]."""
    frames = x[:, : x.shape[1] // FRAME * FRAME].unflatten(1, (-1, FRAME)).square().mean(2)
    top = frames.topk(max(1, int(frames.shape[1] * ACTIVE)), dim=1).values.mean(1)
    level: Tensor = 10.0 * top.clamp_min(1e-12).log10()
    return level


def uniform(g: Generator, rows: int, span: tuple[float, float]) -> Tensor:
    """Evenly distributed numbers [rows]."""
    return torch.rand(rows, generator=g) * (span[1] - span[0]) + span[0]


def chance(g: Generator, rows: int, probability: float) -> Tensor:
    """True with the given probability, bool [rows]."""
    return torch.rand(rows, generator=g) < probability


def gain(x: Tensor, db: Tensor) -> Tensor:
    """Rows changed by `db` [batch]."""
    return x * (10.0 ** (db / 20.0))[:, None]


def add_at_ratio(x: Tensor, noise: Tensor, ratio_db: Tensor) -> Tensor:
    """Noise added to x so that their levels differ by `ratio_db` [batch]."""
    return x + gain(noise, level_db(x) - level_db(noise) - ratio_db)


def responses(clips: Sequence[NDArray[np.float32]], taps: int) -> Tensor:
    """Impulse responses from the direct sound on, of energy 1, float32 [clips, taps]."""
    out = np.zeros((len(clips), taps), np.float32)
    for row, clip in zip(out, clips, strict=True):
        h = clip[int(np.abs(clip).argmax()) :][:taps]
        row[: len(h)] = h / np.sqrt(np.square(h).sum() + 1e-12)
    return torch.from_numpy(out)


def rooms(x: Tensor, responses: Tensor) -> Tensor:
    """Each row heard in a room. `responses` [batch, taps] begin with the direct sound."""
    if not len(x):  # MKL has no transform of nothing
        return x
    size = x.shape[1] + responses.shape[1]
    spectrum = torch.fft.rfft(x, n=size) * torch.fft.rfft(responses, n=size)
    wet: Tensor = torch.fft.irfft(spectrum, n=size)[:, : x.shape[1]]
    return wet


def colour(features: Tensor, g: Generator, tilt_db: float, floor: float) -> Tensor:
    """A smooth random frequency response on natural-log mel features [batch, frames, mels].

    A straight tilt and two slow waves, each of up to `tilt_db`; nothing falls under `floor`.
    """
    batch, _, mels = features.shape
    u = torch.linspace(-1.0, 1.0, mels)
    curve = uniform(g, batch, (-1.0, 1.0))[:, None] * u
    for waves in (1.0, 2.5):
        phase = uniform(g, batch, (0.0, 6.2832))[:, None]
        curve = curve + 0.5 * uniform(g, batch, (-1.0, 1.0))[:, None] * torch.cos(
            3.1416 * waves * u + phase
        )
    curve = (curve * tilt_db * NATURAL_PER_DB).to(features.device)
    return (features + curve[:, None, :]).clamp_min(floor)


def masks(features: Tensor, g: Generator, axis: int, count: int, width: int) -> Tensor:
    """SpecAugment: `count` stripes of up to `width` along `axis` (1 time, 2 mel) set to 0."""
    batch, size = features.shape[0], features.shape[axis]
    at = torch.arange(size)
    keep = torch.ones(batch, size, dtype=torch.bool)
    for _ in range(count):
        wide = uniform(g, batch, (0.0, width + 0.999)).int()[:, None]
        first = (torch.rand(batch, generator=g)[:, None] * (size - wide + 1)).int()
        keep &= (at < first) | (at >= first + wide)
    keep = keep.to(features.device)
    return features * (keep[:, :, None] if axis == 1 else keep[:, None, :])


def shaped(x: Tensor, g: torch.Generator, probability: float) -> Tensor:
    """Rows through random filters of two poles and two zeros.

    Source: Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech
    Enhancement" (2018), section 4. Here the filter is applied to the spectrum of the whole row;
    it rings for some milliseconds only.

    Args:
        x: float32 [rows, samples].
        g: source of the draws.
        probability: of each row.
    """
    rows = chance(g, len(x), probability).nonzero()[:, 0]
    if not len(rows):
        return x
    r = uniform(g, 4 * len(rows), (-SHAPE, SHAPE)).view(4, -1, 1)
    late = torch.exp(-1j * torch.pi * torch.linspace(0.0, 1.0, x.shape[1] // 2 + 1))
    response = (1.0 + (r[0] + r[1] * late) * late) / (1.0 + (r[2] + r[3] * late) * late)
    out = x.clone()
    out[rows] = torch.fft.irfft(torch.fft.rfft(x[rows]) * response, n=x.shape[1])
    return out
