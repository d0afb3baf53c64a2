"""Phrases: pieces of 0.3 to 3 s cut from recordings of speech, where speech is quietest.

A recording whose pauses are not quiet has noise of its own; a gate that closes on it would be
called wrong. Such recordings are left out, by the same measure for every part.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from realtime.gate.ideal import ACTIVE_DB, HOPS_PER_S, gate_of_levels, hop_levels, runs

Array = NDArray[np.float32]

SHORTEST_S, LONGEST_S = 0.3, 3.0
MARGIN_S = 0.04  # kept around a phrase, so that its own beginning and end are in it
FADE_S = 0.005
DIGITAL_DB = 55.0  # so far under the reference there is padding, which says nothing
QUIET_DB = 25.0  # the quietest twentieth of a usable recording is so far under its reference
FAINTEST_DB = -60.0  # loudest hop of a usable recording
SPOKEN = 0.6  # share of a phrase that is no pause
BLIP_S = 0.15  # a shorter opening is no speech
FAINT_DB = 15.0  # the loudest hop of a phrase is no further under that of its recording


def is_clean(clip: Array, rate: int) -> bool:
    """Whether a recording of speech has little noise of its own."""
    levels = hop_levels(clip, rate)
    if len(levels) < SHORTEST_S * HOPS_PER_S or levels.max() < FAINTEST_DB:
        return False
    reference = np.median(levels[levels > levels.max() - ACTIVE_DB])
    heard = levels[levels > reference - DIGITAL_DB]
    return bool(np.quantile(heard, 0.05) < reference - QUIET_DB)


def phrases_of(clip: Array, rate: int, rng: np.random.Generator) -> list[Array]:
    """Phrases of a clip, in order: all that sounds, cut into lengths between 0.3 and 3 s.

    A length is drawn at random, as many under as over 0.95 s, and the cut moved to the quietest
    hop near it. A phrase begins and ends with speech and may have pauses of its own, but is
    never all pause, and holds no opening so short that it is a click or a breath. Levels are
    left as they are: a pause must not be made loud.
    """
    levels = hop_levels(clip, rate)
    gate = gate_of_levels(levels[None])[0]
    spoken = np.flatnonzero(gate)
    if not len(spoken):
        return []
    found = []
    for begin, end in _cut(levels, int(spoken[0]), int(spoken[-1]) + 1, rng):
        inside = begin + np.flatnonzero(gate[begin:end])
        if not len(inside):
            continue
        first, last = int(inside[0]), int(inside[-1]) + 1
        enough = gate[first:last].mean() >= SPOKEN and last - first >= SHORTEST_S * HOPS_PER_S
        whole = min(b - a for a, b in runs(gate[first:last])) >= BLIP_S * HOPS_PER_S
        if enough and whole and levels[first:last].max() > levels.max() - FAINT_DB:
            found.append(_piece(clip, first, last, rate))
    return found


def _cut(
    levels: Array, begin: int, end: int, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    while begin < end:
        wanted = round(HOPS_PER_S * SHORTEST_S * (LONGEST_S / SHORTEST_S) ** rng.random())
        if end - begin <= wanted + SHORTEST_S * HOPS_PER_S:
            last = min(end, begin + round(LONGEST_S * HOPS_PER_S))
        else:
            low = max(begin + 1, begin + wanted - 15)
            last = low + int(np.argmin(levels[low : begin + wanted + 15]))
        yield begin, last
        begin = last


def _piece(clip: Array, first: int, last: int, rate: int) -> Array:
    margin = round(MARGIN_S * rate)
    begin = max(0, first * rate // HOPS_PER_S - margin)
    end = min(len(clip), last * rate // HOPS_PER_S + margin)
    return faded(clip[begin:end], round(FADE_S * rate))


def faded(x: Array, samples: int) -> Array:
    """A copy with both edges faded by a raised cosine."""
    out = np.array(x, np.float32)
    size = min(samples, len(out) // 2)
    if size:
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(size) + 0.5) / size)).astype(np.float32)
        out[:size] *= ramp
        out[-size:] *= ramp[::-1]
    return out


def active_db(x: Array, rate: int) -> float:
    """Level of the hops within 30 dB of the loudest one, dBFS: pauses do not count."""
    levels = hop_levels(x, rate).astype(np.float64)
    power = 10.0 ** (levels[levels > levels.max() - ACTIVE_DB] / 10.0)
    return float(10.0 * np.log10(power.mean()))


def power_db(x: Array) -> float:
    """Mean power of the whole, dB; pauses count."""
    return float(10.0 * np.log10(max(float(np.square(x, dtype=np.float64).mean()), 1e-20)))


def at_level(x: Array, level_db: float, rate: int) -> Array:
    """Scaled so that its active level is `level_db`."""
    gain = 10.0 ** ((level_db - active_db(x, rate)) / 20.0)
    return np.asarray(x * np.float32(gain), np.float32)
