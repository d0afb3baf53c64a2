"""`Backdrop`: what a mixture has beside the target: recordings, scattered sounds, beats, noise.

Used by `train.gate.mixtures`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.clips import active_span
from train.gate.recipe import GateMix
from train.gate.sounds import Sounds, add
from train.manifest import Row

Audio = NDArray[np.float32]

# what a background is made of, and how often
CONTINUOUS, SCATTERED, PATTERN, COLOURED = range(4)
BACKGROUNDS = (0.45, 0.33, 0.1, 0.12)


class Backdrop:
    """Draws what the gate is to keep out.

    Args:
        mix: how it is put together.
        sounds: the recordings.
        rows: the manifest.
        hop: samples between two frames.
    """

    def __init__(self, mix: GateMix, sounds: Sounds, rows: Sequence[Row], hop: int) -> None:
        self.sounds, self.rate, self.hop = sounds, sounds.rate, hop
        other = sounds.pool["other"]
        length = sounds.bank.length[other] / self.rate
        kinds, count = np.unique(sounds.kind[other], return_counts=True)
        # many kinds beat many recordings of one kind
        rare = count[np.searchsorted(kinds, sounds.kind[other])] ** -0.4
        rare *= [mix.favour.get(rows[i].label, 1.0) for i in other]
        long = rare * np.sqrt(np.minimum(length, 60.0)) * (length > 1.5)
        self.long_weight = (
            long / long.sum() if long.any() else np.full(len(other), 1 / len(other))
        )
        self.scatter_weight = rare / rare.sum()
        self.drums = np.array([i for i in other if rows[i].label.startswith("drums/")], int)

    def play(self, out: Audio, kinds: Audio, rng: np.random.Generator) -> None:
        """Add one background.

        Args:
            out: float32 [samples].
            kinds: float32 [frames, kinds], set to 1 where a kind is heard.
            rng: draws.
        """
        what, bank = rng.choice(4, p=BACKGROUNDS), self.sounds.played(rng)
        if what == COLOURED:
            out += coloured(len(out), rng)
        elif what == PATTERN and len(self.drums):
            self._pattern(out, kinds, rng)
        elif what == SCATTERED:
            row = rng.choice(self.sounds.pool["other"], p=self.scatter_weight)
            near = self.sounds.pool["other"][
                self.sounds.kind[self.sounds.pool["other"]] == self.sounds.kind[row]
            ]
            at = int(rng.uniform(0.0, 1.0) * self.rate)
            pause = np.exp(rng.uniform(np.log(0.08), np.log(2.5)))
            while at < len(out):
                clip = bank.clip(row)
                begin, end = active_span(clip, self.rate)
                sound = clip[begin : min(end, begin + 3 * self.rate)]
                level = max(1e-4, float(np.abs(sound).max()))
                gain = np.float32(10 ** (rng.normal(0.0, 3.0) / 20) * 0.3 / level)
                self._put(out, kinds, row, sound * gain, at)
                at += len(sound) // 2 + int(rng.exponential(pause) * self.rate)
                if rng.random() < 0.4:
                    row = int(rng.choice(near))
        else:
            row = rng.choice(self.sounds.pool["other"], p=self.long_weight)
            clip = bank.clip(row)
            at = -int(rng.integers(max(1, len(clip))))
            while at < len(out):
                self._put(out, kinds, row, clip, at)
                at += max(len(clip), 1600)

    def _pattern(self, out: Audio, kinds: Audio, rng: np.random.Generator) -> None:
        """Drums on a grid."""
        step = rng.uniform(0.09, 0.3)
        for _ in range(rng.integers(1, 4)):
            row = int(rng.choice(self.drums))
            hit = self.sounds.played(rng).clip(row)
            level = rng.uniform(0.1, 1.0) / max(1e-3, float(np.abs(hit).max()))
            plays = rng.random(16) < rng.uniform(0.15, 0.7)
            for beat in range(int(len(out) / self.rate / step) + 1):
                if plays[beat % 16]:
                    at = int((beat * step + rng.normal(0, 0.004)) * self.rate)
                    self._put(out, kinds, row, hit * np.float32(level), at)

    def _put(self, out: Audio, kinds: Audio, row: int, sound: Audio, at: int) -> None:
        add(out, sound, at)
        hop = self.hop
        begin, end = active_span(sound, self.rate) if len(sound) else (0, 0)
        kinds[
            max(0, (at + begin) // hop) : max(0, -(-(at + end) // hop)), self.sounds.kind[row]
        ] = 1.0


def coloured(samples: int, rng: np.random.Generator) -> Audio:
    """Noise with a random slope, sometimes with mains hum, sometimes swelling."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    f = np.maximum(1.0, np.arange(len(spectrum)))
    x = np.fft.irfft(spectrum * f ** rng.uniform(-1.0, 0.2), n=samples)
    x /= np.sqrt(np.square(x).mean() + 1e-12)
    t = np.arange(samples) / 16000.0
    if rng.random() < 0.3:
        hum = rng.choice([50.0, 60.0, 100.0, 120.0]) * np.arange(1, 6)
        x += sum(np.sin(2 * np.pi * (h * t + rng.random())) * rng.random() for h in hum)
    if rng.random() < 0.4:
        x *= 1.0 + 0.8 * np.sin(2 * np.pi * (rng.uniform(0.1, 4.0) * t + rng.random()))
    return (0.1 * x).astype(np.float32)
