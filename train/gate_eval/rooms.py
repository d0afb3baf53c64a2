"""Rooms: a sound as it is heard some way off.

Recorded or simulated responses from the manifest, and responses made here, because a part has
only a handful of its own: a direct path, a few early reflections, and a tail of noise that
decays faster at high frequencies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

REVERBERATION_S = (0.15, 0.7)
DIRECT_DB = (0.0, 12.0)  # direct sound over everything else
EARLY = 6  # reflections
EARLY_S = (0.003, 0.03)


def heard_in(sound: Array, response: Array) -> Array:
    """A sound in a room: aligned with its direct path, as long as it was, as loud."""
    h = response[int(np.abs(response).argmax()) :]
    h = h / np.float32(np.sqrt(np.square(h).sum()) + 1e-12)
    size = 1 << (len(sound) + len(h)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(h, size), size)
    return np.asarray(wet[: len(sound)], np.float32)


def made_room(rate: int, rng: np.random.Generator) -> tuple[Array, str]:
    """An impulse response, float32 [samples], and what it is in a word."""
    seconds = rng.uniform(*REVERBERATION_S)
    samples = round(seconds * rate)
    t = np.arange(samples) / rate
    noise = rng.standard_normal(samples)
    dull = np.convolve(noise, np.full(6, 1 / 6**0.5), "same")
    tail = noise * np.exp(-6.9 * t / (0.6 * seconds)) + dull * np.exp(-6.9 * t / seconds)
    tail[: round(EARLY_S[0] * rate)] = 0.0
    for _ in range(EARLY):
        at = rng.uniform(*EARLY_S)
        tail[round(at * rate)] += rng.choice((-1.0, 1.0)) * 4.0 * np.exp(-at / 0.015)
    direct_db = rng.uniform(*DIRECT_DB)
    tail *= 10.0 ** (-direct_db / 20.0) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return tail.astype(np.float32), f"made, {1000 * seconds:.0f} ms, {direct_db:.0f} dB direct"
