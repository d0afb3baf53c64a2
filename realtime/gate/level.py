"""`LevelGate`: the classical gate, which opens when a key is loud.

Used by the gate's stream, by the live audio process inside the sound callback, and in place of
a network that is late. The key is any signal: the sound itself, filtered or not, or another
one.

**What opens and what closes it.** It opens at the first sample whose size reaches the
threshold, and closes when no sample has reached the close threshold for the hold: the hold
begins with the first sample under it, and the gate is closed from the first sample after the
hold. In other words, the level is the largest size within the hold: a detector with a window.
OBS Studio's gate (obsproject/obs-studio, plugins/obs-filters/noise-gate-filter.c; nothing was
taken from it) has a decaying peak instead, whose level falls by a fixed amount a second, so
that a loud sound keeps it open for longer than a soft one. Here the time is the same for both,
nothing is rounded, and every way of computing it gives the same openings. The hold is never
under `HOLD_MIN_MS`: between two peaks of a low note lie samples near zero.

**Channels.** With the link one gate follows the louder channel, so that the stereo image stays
where it is. Without it each channel has a gate of its own, and the changes are those of the
whole: open while any of them is.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.gate import kernels
from realtime.gate.ramp import Gains, Ramp

Audio = NDArray[np.float32]  # [samples, channels]
Change = tuple[int, bool, float]  # offset in the block, whether open, level in dBFS

HOLD_MIN_MS: Final = 10.0  # half a period at 50 Hz
FLOOR_DB: Final = -120.0  # level of digital silence
MOST_CHANGES: Final = 64  # that one call of the detector gives


class LevelGate:
    """The classical gate; see the module.

    Every setting but `rate`, `channels` and `link` can be set at any time, from any thread; the
    next block starts with it, without a click.

    Args:
        rate: sampling rate, Hz.
        channels: channels of the key.
        threshold_db: opens at this level of a sample, dBFS.
        close_db: closes under this one; one over `threshold_db` counts as `threshold_db`.
        attack_ms: length of the ramp on opening.
        hold_ms: stays open for so long after the last sample over `close_db`; at least
            `HOLD_MIN_MS` is used.
        release_ms: length of the ramp on closing.
        range_db: gain of a closed gate; `realtime.gate.ramp.SILENCE_DB` or less is silence.
        duck: inverse: the gain is down while the key is over the threshold. Openings are still
            the key's: `open` is true while the gain is down.
        link: one gate for all channels.
        compiled: use the numba kernels if numba is installed.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        threshold_db: float,
        close_db: float,
        attack_ms: float,
        hold_ms: float,
        release_ms: float,
        range_db: float,
        duck: bool = False,
        link: bool = True,
        compiled: bool = True,
    ) -> None:
        if rate < 1 or channels < 1:
            raise ValueError(f"a gate at {rate} Hz for {channels} channels")
        self.link = link
        self._rate = rate
        self._channels = channels
        self._detect = kernels.load(compiled).detect
        gates = 1 if link else channels
        self._lines = np.zeros((gates, 3))
        self._counts = np.zeros((gates, 4), np.int64)
        self._rows = list(zip(self._lines, self._counts, strict=True))  # views, one a gate
        self._offsets = np.zeros(MOST_CHANGES, np.int64)
        self._levels = np.zeros(MOST_CHANGES)
        self._ramps = [
            Ramp(rate, attack_ms, release_ms, range_db, duck, compiled) for _ in range(gates)
        ]
        self._threshold_db = self._close_db = threshold_db
        self.threshold_db = threshold_db
        self.close_db = close_db
        self.hold_ms = hold_ms
        self.reset()

    @property
    def threshold_db(self) -> float:
        """Level at which it opens, dBFS."""
        return self._threshold_db

    @threshold_db.setter
    def threshold_db(self, db: float) -> None:
        self._threshold_db = _checked(db)
        self._draw_lines()

    @property
    def close_db(self) -> float:
        """Level under which it closes, dBFS."""
        return self._close_db

    @close_db.setter
    def close_db(self, db: float) -> None:
        self._close_db = _checked(db)
        self._draw_lines()

    @property
    def hold_ms(self) -> float:
        """Milliseconds it stays open after the last sample over `close_db`."""
        return self._hold_ms

    @hold_ms.setter
    def hold_ms(self, ms: float) -> None:
        if not 0.0 <= ms < math.inf:
            raise ValueError(f"a hold of {ms} ms, expected 0 or more")
        self._hold_ms = ms
        self._counts[:, kernels.HOLD] = round(max(ms, HOLD_MIN_MS) * self._rate / 1000.0)

    @property
    def attack_ms(self) -> float:
        """Milliseconds of the ramp on opening."""
        return self._ramps[0].attack_ms

    @attack_ms.setter
    def attack_ms(self, ms: float) -> None:
        for ramp in self._ramps:
            ramp.attack_ms = ms

    @property
    def release_ms(self) -> float:
        """Milliseconds of the ramp on closing."""
        return self._ramps[0].release_ms

    @release_ms.setter
    def release_ms(self, ms: float) -> None:
        for ramp in self._ramps:
            ramp.release_ms = ms

    @property
    def range_db(self) -> float:
        """Gain of a closed gate, dB."""
        return self._ramps[0].range_db

    @range_db.setter
    def range_db(self, db: float) -> None:
        for ramp in self._ramps:
            ramp.range_db = db

    @property
    def duck(self) -> bool:
        """Whether the gain is down while the key is open."""
        return self._ramps[0].duck

    @duck.setter
    def duck(self, duck: bool) -> None:
        for ramp in self._ramps:
            ramp.duck = duck

    @property
    def open(self) -> bool:
        """Whether the key is open (without the link: any channel of it)."""
        return bool(self._counts[:, kernels.IS_OPEN].any())

    def reset(self) -> None:
        """Start anew, closed and at rest."""
        self._counts[:, [kernels.IS_OPEN, kernels.QUIET]] = 0
        self._lines[:, kernels.LOUDEST] = 0.0
        for ramp in self._ramps:
            ramp.reset()

    def process(self, key: Audio) -> tuple[Gains, list[Change]]:
        """Gains for the samples at the same instants as the key's.

        Args:
            key: float32 [n, channels]; any n. NaN and infinity count as 0.

        Returns:
            float32 [n], linear ([n, channels] without the link), and what changed: the first
            sample for which it holds, whether the key is open, and the level: on opening the
            size of that sample, on closing the largest since the last over `close_db`.
        """
        if key.ndim != 2 or key.shape[1] != self._channels:
            raise ValueError(f"a key has shape {key.shape}, expected (n, {self._channels})")
        if self.link:
            changes = self._changes(key, 0)
            return self._gains(len(key), 0, changes), changes
        opened = int(self._counts[:, kernels.IS_OPEN].sum())
        each = [self._changes(key[:, c : c + 1], c) for c in range(self._channels)]
        gains: Gains = np.empty(key.shape, np.float32)
        for c, own in enumerate(each):
            gains[:, c] = self._gains(len(key), c, own)
        return gains, _of_the_whole(each, opened)

    def _gains(self, n: int, gate: int, changes: list[Change]) -> Gains:
        return self._ramps[gate].process(n, [c[:2] for c in changes] if changes else ())

    def _changes(self, key: Audio, gate: int) -> list[Change]:
        """What changes in a gate, the state carried on."""
        lines, counts = self._rows[gate]
        changes: list[Change] = []
        begin = 0
        while found := self._detect(key[begin:], lines, counts, self._offsets, self._levels):
            is_open = bool(counts[kernels.IS_OPEN]) == bool(found % 2)  # after the first
            for i in range(found):
                level = _decibels(self._levels[i])
                changes.append((begin + int(self._offsets[i]), is_open, level))
                is_open = not is_open
            begin += int(counts[kernels.USED])
            if begin == len(key):
                break
        return changes

    def _draw_lines(self) -> None:
        # rounded to float32 as the samples are, so that 0 dB is reached by 1 and by no less
        opens = np.float32(_amplitude(self._threshold_db))
        self._lines[:, kernels.OPENS] = opens
        self._lines[:, kernels.CLOSES] = min(opens, np.float32(_amplitude(self._close_db)))


def _of_the_whole(each: list[list[Change]], opened: int) -> list[Change]:
    """The changes of a gate that is open while any of its channels is.

    Args:
        each: changes of each channel.
        opened: channels that were open before.
    """
    changes: list[Change] = []
    # at one sample the openings come first: the whole does not close for an instant
    for change in sorted(
        (c for channel in each for c in channel), key=lambda c: (c[0], not c[1])
    ):
        opened += 1 if change[1] else -1
        if opened == int(change[1]):
            changes.append(change)
    return changes


def _checked(db: float) -> float:
    if math.isnan(db):
        raise ValueError("a level that is not a number")
    return db


def _amplitude(db: float) -> float:
    return math.pow(10.0, db / 20.0)


def _decibels(amplitude: float) -> float:
    return max(FLOOR_DB, 20.0 * math.log10(amplitude)) if amplitude > 0.0 else FLOOR_DB
