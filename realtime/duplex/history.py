"""`History`: what a live gate heard and decided lately. Read by the control socket.

The ring that the sound process fills holds the sound, the worker remembers its scores. Nobody
waits for who reads here: what is overwritten while it is copied is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.duplex import layout as at
from realtime.duplex.layout import Memory
from realtime.duplex.state import decibels
from realtime.duplex.worker import SCORES, Kept, Worker
from realtime.gate.grid import decided, due

Audio = NDArray[np.float32]  # [samples, channels]

SPARE_S = 0.05  # of the ring: may be overwritten while it is read


class Hop(msgspec.Struct, frozen=True, array_like=True):
    """Ten milliseconds.

    Args:
        t: their end, seconds of input since the start.
        level_db: RMS of the input, dBFS; -120 also where the sound is not there any more.
        score: what the model then says; None for the level gate.
        gain_db: gain of what then goes out, which came in by the gate's latency earlier.
    """

    t: float
    level_db: float
    score: float | None
    gain_db: float


class History:
    """What was lately.

    Args:
        memory: shared with the sound process, prepared.
        worker: who decides; None for the level gate alone.
    """

    def __init__(self, memory: Memory, worker: Worker | None) -> None:
        self._ints, self._floats, self._ring = memory.ints, memory.floats, memory.ring
        self._rate = memory.ints[at.RATE]
        self._worker = worker
        self._looked: deque[Kept] = deque(maxlen=SCORES)

    @property
    def newest(self) -> int:
        """Number of the last hop that there is."""
        if self._worker is not None:
            return self._worker.decisions
        return self._looked[-1][0] if self._looked else 0

    def look(self) -> bool:
        """Note the gain where no worker does: to be called for each hop, by one thread.

        Returns:
            Whether it has to be called at all.
        """
        if self._worker is not None:
            return False
        hops, gain = decided(self._ints[at.WRITTEN], self._rate), self._floats[at.GAIN]
        last = self._looked[-1][0] if self._looked else hops - 1
        for number in range(max(last, hops - SCORES) + 1, hops + 1):
            self._looked.append((number, due(number - 1, self._rate), None, gain))
        return True

    def hops(self, after: int) -> tuple[int, list[Hop]]:
        """The hops since one.

        Args:
            after: number of the last hop that is not wanted; 0 wants all that are kept.

        Returns:
            The number of the last hop that there is, and the hops.
        """
        kept: Iterable[Kept] = self._looked
        if self._worker is not None:
            kept = self._worker.since(after)
        new = [one for one in kept if one[0] > after]
        if not new:
            return after, []
        hop, first = self._rate // 100, new[0][1]
        begin, sound = self._copy(first - hop, new[-1][1])
        found = []
        for _, end, score, gain in new:
            piece = sound[max(0, end - hop - begin) : max(0, end - begin)]
            power = float(np.vdot(piece, piece)) / piece.size if piece.size else 0.0
            found.append(Hop(end / self._rate, decibels(power), score, decibels(gain**2)))
        return new[-1][0], found

    def recent(self, seconds: float) -> tuple[float, Audio]:
        """The last seconds of input, or as many as are kept.

        Args:
            seconds: how many.

        Returns:
            The instant of the first sample, seconds since the start; and float32
            [samples, channels].
        """
        end = self._ints[at.WRITTEN]
        begin, sound = self._copy(end - round(seconds * self._rate), end)
        return begin / self._rate, sound

    def _copy(self, begin: int, end: int) -> tuple[int, Audio]:
        """The input from `begin` to `end`, or from where it is still there."""
        capacity = len(self._ring)
        spare = round(SPARE_S * self._rate)
        begin = max(0, begin, self._ints[at.WRITTEN] - capacity + spare)
        n = max(0, end - begin)
        place = begin & (capacity - 1)
        head, tail = self._ring[place : place + n], self._ring[: max(0, place + n - capacity)]
        sound = np.concatenate([head, tail])
        gone = max(0, self._ints[at.WRITTEN] - capacity - begin)
        return begin + gone, sound[gone:]
