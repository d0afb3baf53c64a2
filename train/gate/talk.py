"""`Talk`: the target of a mixture: phrases with pauses. And what a whisper makes of them.

Used by `train.gate.mixtures`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.bank import Recordings
from train.clips import active_span
from train.gate.recipe import GateMix
from train.gate.sounds import Sounds, add
from train.manifest import Row

Audio = NDArray[np.float32]

FADE_S = 0.004  # a cut phrase fades in and out, or its edges would click


class Talk:
    """Draws what the gate is to let through.

    Args:
        mix: how it is put together.
        sounds: the recordings.
        rows: the manifest.
    """

    def __init__(self, mix: GateMix, sounds: Sounds, rows: Sequence[Row]) -> None:
        self.mix, self.sounds, self.rate = mix, sounds, sounds.rate
        words = np.array([rows[i].label == "word" for i in sounds.pool["target"]])
        # a second of every voice; single words are many and short, running speech is worth more
        weight = np.where(words, 0.3 / max(1, words.sum()), 0.7 / max(1, (~words).sum()))
        self.weight = weight / weight.sum()

    def say(self, out: Audio, rng: np.random.Generator) -> None:
        """Phrases of one voice, sometimes of two, with pauses."""
        mix = self.mix
        row, bank = self._voice(rng)
        at = int(rng.uniform(-0.5, 1.0) * self.rate)
        while at < len(out):
            length = int(np.exp(rng.uniform(*np.log(mix.phrase_s))) * self.rate)
            if rng.random() < 0.5:  # the same recording goes on, or another one begins
                row, bank = self._voice(rng)
            phrase = self._piece(bank.clip(row), length, rng) * 10 ** (rng.normal(0, 3.0) / 20)
            add(out, phrase, at)
            at += len(phrase) + int(rng.uniform(*mix.pause_s) * self.rate)

    def _voice(self, rng: np.random.Generator) -> tuple[int, Recordings]:
        return int(rng.choice(self.sounds.pool["target"], p=self.weight)), self.sounds.played(
            rng
        )

    def _piece(self, clip: Audio, length: int, rng: np.random.Generator) -> Audio:
        """A part of a recording that begins and ends within its sound, faded at the cuts."""
        begin, end = active_span(clip, self.rate)
        spare = end - begin - length
        if spare > 0:
            begin += int(rng.integers(spare + 1))
            end = begin + length
        piece = clip[begin:end].copy()
        fade = min(round(FADE_S * self.rate), len(piece) // 2)
        ramp = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
        piece[:fade] *= ramp
        piece[len(piece) - fade :] *= ramp[::-1]
        # every phrase about as loud, whatever the recording
        return piece * np.float32(0.1 / max(1e-4, float(np.sqrt(np.square(piece).mean()))))


def whispered(x: Tensor, g: torch.Generator) -> Tensor:
    """Speech without its harmonics: noise with the smoothed spectrum, lows weakened.

    Args:
        x: float32 [rows, samples] at 16 kHz.
        g: source of the noise.
    """
    window = torch.hann_window(512)
    size = x.abs()
    noise = torch.randn(x.shape, generator=g)
    shape = torch.stft(x, 512, 128, window=window, return_complex=True).abs()
    smooth = torch.nn.functional.avg_pool1d(shape.transpose(1, 2), 13, 1, 6).transpose(1, 2)
    carrier = torch.stft(noise, 512, 128, window=window, return_complex=True)
    tilt = (torch.arange(257) / 40.0).clamp(0.05, 1.0)[:, None]
    y = torch.istft(
        carrier / carrier.abs().clamp_min(1e-6) * smooth * tilt,
        512, 128, window=window, length=x.shape[1],
    )  # fmt: skip
    loud, now = size.square().mean(1, keepdim=True), y.square().mean(1, keepdim=True)
    scale = loud / now.clamp_min(1e-12)
    return y * scale.sqrt() * (size.amax(1, keepdim=True) > 1e-5)
