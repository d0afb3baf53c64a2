"""Single sounds: cutting them out of recordings, levels, spectra, noise.

Used by `realtime.learn.mixtures`. Mono float32 [samples] in and out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.gate.ideal import ACTIVE_DB, HOPS_PER_S, gate_of_levels, hop_levels, runs

Audio = NDArray[np.float32]
Rng = np.random.Generator

LEAD_S: Final = 0.05  # kept before a sound that is cut out of a recording, and after it
TAIL_S: Final = 0.12
LONGEST_S: Final = 3.0  # of a longer sound a part is taken
FADE_S: Final = 0.004  # or the cuts would click
NOTHING_DB: Final = -100.0
MOST_TILT_DB: Final = 20.0


def cut_out(recording: Audio, rate: int) -> list[Audio]:
    """The sounds in a recording: what is between its pauses."""
    levels = hop_levels(recording, rate)
    found = []
    for begin, end in runs(gate_of_levels(levels[None])[0]) if len(levels) else []:
        first = max(0, round((begin / HOPS_PER_S - LEAD_S) * rate))
        last = round((end / HOPS_PER_S + TAIL_S) * rate)
        found.append(recording[first:last])
    return found


def piece(sound: Audio, rng: Rng, rate: int) -> Audio:
    """A sound, or a part of a long one, often its beginning."""
    longest = round(LONGEST_S * rate)
    if len(sound) > longest:
        begin = 0 if rng.random() < 0.4 else int(rng.integers(len(sound) - longest))
        sound = sound[begin : begin + longest]
    return faded(sound, rate)


def excerpt(recording: Audio, samples: int, rng: Rng, rate: int) -> Audio:
    """A passage of a recording from a random place on, repeated if it is short."""
    if len(recording) > samples:
        begin = int(rng.integers(len(recording) - samples + 1))
        return faded(recording[begin : begin + samples], rate)
    out = np.zeros(samples, np.float32)
    whole = faded(recording, rate)
    at = -int(rng.integers(len(recording)))
    while at < samples:
        add(out, whole, at)
        at += len(recording)
    return out


def faded(sound: Audio, rate: int) -> Audio:
    """A copy that fades in and out."""
    sound = sound.copy()
    samples = min(round(FADE_S * rate), len(sound) // 2)
    ramp = np.linspace(0.0, 1.0, samples, endpoint=False, dtype=np.float32)
    sound[:samples] *= ramp
    sound[len(sound) - samples :] *= ramp[::-1]
    return sound


def add(out: Audio, sound: Audio, at: int) -> None:
    """Add a sound at a position; what lies outside is cut."""
    first, last = max(at, 0), min(at + len(sound), len(out))
    if first < last:
        out[first:last] += sound[first - at : last - at]


def decibels(db: float) -> np.float32:
    """Decibels as a factor."""
    return np.float32(10.0 ** (db / 20.0))


def loudness(sound: Audio, rate: int) -> float:
    """Median level of the hops that sound, dBFS; the reference of the ideal gate."""
    levels = hop_levels(sound, rate)
    loudest = float(levels.max())
    if loudest <= NOTHING_DB:
        return NOTHING_DB
    return float(np.median(levels[levels > loudest - ACTIVE_DB]))


def tilt(sound: Audio, rng: Rng, size_db: float) -> Audio:
    """Another microphone: a slope over the spectrum, and a bump or a dip somewhere."""
    spectrum = np.fft.rfft(sound)
    octave = np.log2(np.maximum(1.0, np.arange(len(spectrum))) / len(spectrum)) + 3.0
    centre, width = rng.uniform(-6.0, 3.0), rng.uniform(0.5, 2.0)
    gain = rng.normal(0.0, size_db / 4) * octave
    gain += rng.normal(0.0, size_db) * np.exp(-np.square((octave - centre) / width))
    gain = np.clip(gain, -MOST_TILT_DB, MOST_TILT_DB)
    out: Audio = np.fft.irfft(spectrum * 10.0 ** (gain / 20.0), len(sound)).astype(np.float32)
    return out


def noise(samples: int, rng: Rng) -> Audio:
    """Noise of a random slope with an RMS of 1, cyclic."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    slope = np.maximum(1.0, np.arange(len(spectrum))) ** rng.uniform(-0.8, 0.2)
    sound = np.fft.irfft(spectrum * slope, samples)
    out: Audio = (sound / np.sqrt(np.square(sound).mean())).astype(np.float32)
    return out
