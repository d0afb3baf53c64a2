"""The wanted sound in its recordings: where it is, and windows of it as others would be.

Used by `realtime.wake.lesson`. A recording may hold one doorbell or ten; what a pause parts are
occurrences of their own. Each is shown to the network many times, at other places in the
window, levels, speeds, rooms and noises: with five recordings to learn from, that is where most
of what is not the sound itself has to be learned from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.gate.ideal import HOPS_PER_S, gate_of_levels, hop_levels, runs
from realtime.learn.sounds import decibels, excerpt, loudness, noise, tilt

Audio = NDArray[np.float32]
Rng = np.random.Generator

PAUSE_S: Final = 1.0  # of quiet between two occurrences
SHORTEST_S: Final = 0.04
CUT: Final = 0.15  # of a sound, or of a window of a longer one, that may be outside
LEVEL_DB: Final = (-46.0, -8.0)
SNR_DB: Final = (3.0, 30.0)
NOISES: Final = 12  # of one's own making
SPEEDS: Final = (0.93, 1.07)
REVERB_S: Final = (0.08, 0.6)  # to decay by 60 dB
DIRECT_DB: Final = (0.0, 12.0)  # direct sound over the room
TILT_DB: Final = 4.0


class Occurrence(msgspec.Struct):
    """The sound, once.

    Attributes:
        recording: float32 [samples], all that was recorded.
        begin, end: samples of it between which the sound is.
    """

    recording: Audio
    begin: int
    end: int

    @property
    def audio(self) -> Audio:
        """The sound itself."""
        return self.recording[self.begin : self.end]


def find(recording: Audio, rate: int) -> list[Occurrence]:
    """Where the sound is in a recording: what is between pauses of a second or more."""
    levels = hop_levels(recording, rate)
    spans: list[list[int]] = []
    for begin, end in runs(gate_of_levels(levels[None])[0]) if len(levels) else []:
        if spans and begin - spans[-1][1] < PAUSE_S * HOPS_PER_S:
            spans[-1][1] = end
        else:
            spans.append([begin, end])
    return [
        Occurrence(recording, *(min(len(recording), hop * rate // HOPS_PER_S) for hop in span))
        for span in spans
        if span[1] - span[0] >= SHORTEST_S * HOPS_PER_S
    ]


class Shower:
    """Draws windows.

    Args:
        samples: of a window.
        rate: Hz.
        room: what the room sounds like when the sound is not there; may be empty.
        seed: of all chance.
    """

    def __init__(self, samples: int, rate: int, room: Sequence[Audio], seed: int) -> None:
        self._samples = samples
        self._rate = rate
        self._room = [sound for sound in room if len(sound)]
        self._rng = np.random.default_rng((seed, 1))
        self._noises = [noise(2 * samples, self._rng) for _ in range(NOISES)]

    def draw(self, occurrence: Occurrence, count: int) -> Iterator[Audio]:
        """So many windows of an occurrence, float32 [samples] each."""
        for _ in range(count):
            yield self._window(occurrence)

    def _window(self, one: Occurrence) -> Audio:
        rng, samples = self._rng, self._samples
        sound = self._placed(one)
        if rng.random() < 0.6:
            sound = tilt(sound, rng, TILT_DB)
        if rng.random() < 0.3:
            sound = self._in_a_room(sound)
        level = rng.uniform(*LEVEL_DB)
        sound = sound * decibels(level - loudness(sound, self._rate))
        if rng.random() < 0.75:
            under = self._behind(samples)
            under = under * decibels(level - rng.uniform(*SNR_DB) - loudness(under, self._rate))
            sound = sound + under
        return np.clip(sound, -1.0, 1.0)

    def _placed(self, one: Occurrence) -> Audio:
        """The window's part of the recording, at some place and speed."""
        rng, samples = self._rng, self._samples
        speed = rng.uniform(*SPEEDS) if rng.random() < 0.5 else 1.0
        taken = round(samples * speed)
        first, last = sorted((one.end - taken, one.begin))
        outside = CUT * min(taken, one.end - one.begin)
        at = rng.uniform(first - outside, last + outside)
        grid = at + np.arange(samples) * (taken / samples)
        known = np.arange(len(one.recording))
        placed = np.interp(grid, known, one.recording, left=0.0, right=0.0)
        out: Audio = placed.astype(np.float32)
        return out

    def _in_a_room(self, sound: Audio) -> Audio:
        """With the echoes of some room: noise that decays."""
        rng = self._rng
        t = np.arange(self._samples // 2) / self._rate
        decay = rng.standard_normal(len(t)) * np.exp(-6.91 * t / rng.uniform(*REVERB_S))
        decay *= decibels(-rng.uniform(*DIRECT_DB)) / np.sqrt(np.square(decay).sum())
        decay[0] = 1.0
        size = len(sound) + len(t)
        wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(decay, size), size)
        out: Audio = wet[: len(sound)].astype(np.float32)
        return out

    def _behind(self, samples: int) -> Audio:
        """Noise: of the room, or made."""
        rng = self._rng
        if self._room and rng.random() < 0.6:
            chosen = self._room[int(rng.integers(len(self._room)))]
            found = excerpt(chosen, samples, rng, self._rate)
            if found.any():
                return found
        made = self._noises[int(rng.integers(NOISES))]
        begin = int(rng.integers(len(made) - samples))
        return made[begin : begin + samples]
