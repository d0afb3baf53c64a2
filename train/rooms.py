"""Rooms: a sound as it is heard some way off.

Recorded or simulated responses from a manifest, and responses made here, because a part has
only a handful of its own. Those that a gate is judged in are not made as those that it is
trained in: `made_room` has a direct path, a few early reflections, and a tail of noise that
decays faster at high frequencies; `plain_rooms` have a direct path and a tail.
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
    h = from_direct(response)
    size = 1 << (len(sound) + len(h)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(h, size), size)
    return np.asarray(wet[: len(sound)], np.float32)


def from_direct(response: Array, taps: int | None = None) -> Array:
    """A response from its direct path on, `taps` samples at most, with an energy of 1."""
    h = response[int(np.abs(response).argmax()) :][:taps]
    return h / np.float32(np.sqrt(np.square(h).sum()) + 1e-12)


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


def plain_rooms(rooms: int, rate: int, rng: np.random.Generator) -> Array:
    """Direct sound and an exponentially decaying tail, which low-passes as it goes.

    Returns:
        float32 [rooms, taps], half a second each.
    """
    taps = rate // 2
    t = np.arange(taps) / rate
    out = np.zeros((rooms, taps), np.float32)
    for row in out:
        decay = 6.91 / rng.uniform(0.1, 0.9)
        tail = rng.standard_normal(taps) * np.exp(-decay * t)
        tail = 0.6 * tail + 0.4 * np.roll(tail, 1)
        tail[: int(rng.uniform(0.001, 0.02) * rate)] = 0.0
        ratio = 10 ** (rng.uniform(-6.0, 14.0) / 20)
        row[:] = tail / np.sqrt(np.square(tail).sum() + 1e-12)
        row[0] += ratio
        row /= np.sqrt(np.square(row).sum())
    return out
