"""Mixtures of examples: what the gate will hear, with the ideal gate's answer for every hop.

Used by `realtime.learn.lesson`. A mixture is a function of the examples and a generator of
chance. Half of them are at the levels that were recorded, give or take; the others are soft and
loud and at any ratio, since a microphone moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.gate.ideal import HOPS_PER_S, gate_of_levels, hop_levels
from realtime.learn.examples import Clip
from realtime.learn.sounds import add, cut_out, decibels, excerpt, loudness, noise, piece, tilt

Audio = NDArray[np.float32]  # [samples]
Gate = NDArray[np.bool_]
Rng = np.random.Generator

MIXTURE_S: Final = 5.0
SILENCE, CLOSED, OPEN, BOTH = "silence", "closed", "open", "both"
SHARES: Final = {SILENCE: 0.04, CLOSED: 0.18, OPEN: 0.14, BOTH: 0.64}
SNR_DB: Final = (-5.0, 25.0)  # open over closed
LEVEL_DB: Final = (-44.0, -10.0)  # of the mixture
WANDER_DB: Final = 3.0  # from sound to sound, one standard deviation
HISS_DB: Final = (-100.0, -62.0)  # noise of a microphone, and how far it stays under the sound
UNDER_DB: Final = 25.0
HISSES: Final = 8  # noises that are made once
TILT_DB: Final = 4.0  # how much microphones and places change the spectrum
OPEN_PAUSE_S: Final = (0.05, 1.5)
CLOSED_PAUSE_S: Final = (0.03, 0.6)


class Mixture(msgspec.Struct):
    """One of them.

    Attributes:
        kind: what is in it: silence, closed, open, both.
        audio: float32 [samples].
        gate: bool [hops + 1], the ideal gate at hop 0, 1, ...
    """

    kind: str
    audio: Audio
    gate: Gate


class Mixer:
    """Draws mixtures of two sides.

    Args:
        opens: recordings of the open side.
        closeds: of the closed one; one of the two may be empty.
        rate: Hz.
        seed: of all chance, with the number of the mixture.
        vary: change spectra, as another microphone would: for learning, not for judging.
    """

    def __init__(
        self,
        opens: Sequence[Clip],
        closeds: Sequence[Clip],
        rate: int,
        seed: Sequence[int],
        vary: bool = False,
    ) -> None:
        self.rate = rate
        self._samples = round(MIXTURE_S * rate)
        self._seed = tuple(seed)
        self._vary = vary
        tracks = ((opens, OPEN_PAUSE_S, 2), (closeds, CLOSED_PAUSE_S, 3))
        self._open, self._closed = (
            _Track([c.audio for c in clips], self._samples, rate, pause_s, (*self._seed, part))
            for clips, pause_s, part in tracks
        )
        rng = np.random.default_rng((*self._seed, 0))
        self._hisses = [noise(self._samples, rng) for _ in range(HISSES)]
        empty = {OPEN, BOTH} if not opens else {CLOSED, BOTH} if not closeds else set()
        self._shares = {k: v for k, v in SHARES.items() if k not in empty}

    def draw(self, count: int, recorded: float) -> Iterator[Mixture]:
        """So many mixtures, the kinds in fixed shares.

        Args:
            count: how many.
            recorded: share of them at the levels that were recorded.

        Yields:
            The same ones, whatever was drawn before.
        """
        edges = np.cumsum(list(self._shares.values())) / sum(self._shares.values())
        for i in range(count):
            rng = np.random.default_rng((*self._seed, 1, i))
            # spread evenly over the kinds, and over the levels within a kind
            kind = list(self._shares)[int(np.searchsorted(edges, (i + 0.5) / count))]
            as_recorded = (i * recorded) % 1.0 + recorded >= 1.0 - 1e-9
            yield self._mix(kind, as_recorded, i, rng)

    def _mix(self, kind: str, as_recorded: bool, number: int, rng: Rng) -> Mixture:
        clean = np.zeros(self._samples, np.float32)
        other = np.zeros(self._samples, np.float32)
        if kind in (OPEN, BOTH):
            clean = self._varied(self._open.draw(number, rng), rng)
        if kind in (CLOSED, BOTH):
            other = self._closed.draw(number, rng)
            if rng.random() < 0.3:
                other += self._closed.draw(-1 - number, rng) * decibels(rng.uniform(-10.0, 3.0))
            other = self._varied(other, rng)
        if kind == BOTH and not as_recorded:
            ratio = loudness(clean, self.rate) - loudness(other, self.rate)
            other *= decibels(ratio - rng.uniform(*SNR_DB))
        audio = clean + other
        level = loudness(audio, self.rate)
        if kind != SILENCE and not as_recorded:
            wanted = rng.uniform(*LEVEL_DB)
            clean *= decibels(wanted - level)
            audio *= decibels(wanted - level)
            level = wanted
        if rng.random() < 0.9:  # some inputs are digital silence between the sounds
            hiss = rng.uniform(*HISS_DB)
            hiss = min(hiss, level - UNDER_DB) if kind != SILENCE else hiss
            own = self._hisses[int(rng.integers(HISSES))]
            audio += np.roll(own, int(rng.integers(self._samples))) * decibels(hiss)
        padded = np.pad(clean, (0, self.rate // HOPS_PER_S))
        gate = gate_of_levels(hop_levels(padded, self.rate)[None])[0]
        return Mixture(kind, np.clip(audio, -1.0, 1.0), gate)

    def _varied(self, sound: Audio, rng: Rng) -> Audio:
        return tilt(sound, rng, TILT_DB) if self._vary and rng.random() < 0.6 else sound


class _Track:
    """One side for the length of a mixture: a passage of a recording, or sounds cut out of it.

    Every recording has its turn before one comes again: with few of them, chance would leave
    some out.
    """

    def __init__(
        self,
        clips: list[Audio],
        samples: int,
        rate: int,
        pause_s: tuple[float, float],
        seed: tuple[int, ...],
    ) -> None:
        self._clips = clips
        self._sounds = [cut_out(clip, rate) or [clip] for clip in clips]
        self._samples = samples
        self._rate = rate
        self._pause_s = pause_s
        self._seed = seed

    def draw(self, number: int, rng: Rng) -> Audio:
        """The sound for the mixture of that number; negative ones have turns of their own."""
        which = self._turn(number)
        if len(self._clips[which]) > 0.4 * self._samples and rng.random() < 0.5:
            return excerpt(self._clips[which], self._samples, rng, self._rate)
        out = np.zeros(self._samples, np.float32)
        at = int(rng.uniform(-0.3, 0.8) * self._rate)
        pause = float(np.exp(rng.uniform(*np.log(self._pause_s))))
        while at < self._samples:
            if rng.random() < 0.3:
                which = int(rng.integers(len(self._clips)))
            own = self._sounds[which]
            sound = piece(own[int(rng.integers(len(own)))], rng, self._rate)
            add(out, sound * decibels(rng.normal(0.0, WANDER_DB)), at)
            # the next one begins after it, sometimes within it
            within = 0.5 if rng.random() < 0.2 else 1.0
            at += int(len(sound) * within + rng.exponential(pause) * self._rate)
        return out

    def _turn(self, number: int) -> int:
        rounds, place = divmod(abs(number), len(self._clips))
        order = np.random.default_rng((*self._seed, int(number < 0), rounds))
        return int(order.permutation(len(self._clips))[place])
