"""`Record`: a live run for the outputs of a file, the trace and the picture. Used by `live.py`.

The sound process keeps the gain of each sample beside the sound, so what went out is known to
the sample. A thread that has time reads both and hands them on, with the decisions that hold
from there on. Memory is that of the outputs; who is too slow misses sound, which is silence
then, and its decisions.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.duplex import layout as at
from realtime.duplex.events import LiveEvent
from realtime.duplex.layout import Memory
from realtime.duplex.worker import Worker
from realtime.gate.grid import due
from realtime.gate.key import KeyFilter
from realtime.gate.meter import loudness
from realtime.gate.paths import mono
from realtime.gate.ramp import SILENCE_DB
from realtime.gate.settings import GateSettings
from realtime.outputs.gate import Closed, GateOpening, GateOutput, GateReading, Opened
from realtime.window import FLOOR_DB

Audio = NDArray[np.float32]  # [samples, channels]
Decision = tuple[int, float, bool]  # position, score, open

SPARE_S = 0.1  # of the ring: may be overwritten while it is read
LATE_S = 1.0  # a decision that is later has no row
SILENT_S = 1.0  # of a gap, handed on at a time


class Record:
    """What outputs are told of a live run.

    Args:
        memory: shared with the sound process, prepared.
        settings: the gate's.
        worker: who decides; None for the level gate alone.
        outputs: who is told; the caller opens and closes them.
    """

    def __init__(
        self,
        memory: Memory,
        settings: GateSettings,
        worker: Worker | None,
        outputs: Sequence[GateOutput],
    ) -> None:
        self._ints, self._ring, self._gains = memory.ints, memory.ring, memory.gains
        self._rate, self._channels = self._ints[at.RATE], self._ints[at.CHANNELS]
        self._ahead = self._ints[at.LOOKAHEAD]
        self._worker, self._outputs = worker, outputs
        own = settings
        self._heard_ring = memory.heard
        self._filter = KeyFilter(
            *(
                self._rate,
                self._ints[at.KEY_CHANNELS],
                own.key_highpass,
                own.key_lowpass,
                own.key_slope,
            ),
            compiled=False,
        )
        self._position = 0  # sample that the outputs get next
        self._heard = 0  # and the one whose loudness is measured next
        self._key = np.zeros(0, np.float32)  # filtered, before `_heard`
        self._seen = 0  # decisions
        self._waiting: deque[Decision] = deque()  # for their gains
        self._turns: deque[tuple[int, bool]] = deque()  # of the level gate
        self._open = False

    @property
    def t(self) -> float:
        """Seconds that the outputs have got."""
        return self._position / self._rate

    def look(self, written: int, events: Iterable[LiveEvent] = (), last: bool = False) -> None:
        """Hand on what is there.

        Args:
            written: WRITTEN, as it was before the events were asked for.
            events: what happened since the last look.
            last: no sound runs any more.
        """
        for event in events:
            if isinstance(event, (Opened, Closed)):
                self._turns.append((round(event.t * self._rate), isinstance(event, Opened)))
                for output in self._outputs:
                    output.event(event)
        # the gains of the newest chunk may still be to come, and its decisions
        done = written - self._ints[at.SLACK] - self._ahead - (0 if last else at.CHUNK)
        if self._worker is not None and not last:
            late = written - round(LATE_S * self._rate)
            done = min(done, max(self._ints[at.DECIDED] - self._ahead, late))
        oldest = self._ints[at.WRITTEN] - len(self._ring) + round(SPARE_S * self._rate)
        self._miss(min(oldest, done))
        if done <= self._position:
            return
        self._decide(written)
        begin = self._position
        before = _copy(self._ring, begin, done)
        gains = _copy(self._gains, begin, done)
        self._read(begin, gains)
        for output in self._outputs:
            output.sound(before, before * gains[:, None])
        self._position = done

    def miss(self) -> None:
        """A device was lost: what lies before WRITTEN was never heard."""
        self._miss(self._ints[at.WRITTEN])
        self._key, self._heard = self._key[:0], self._ints[at.WRITTEN]
        self._filter.reset()

    def _miss(self, until: int) -> None:
        while self._position < until:
            n = min(until - self._position, round(SILENT_S * self._rate))
            silence = np.zeros((n, self._channels), np.float32)
            for output in self._outputs:
                output.sound(silence, silence)
            self._position += n

    def _decide(self, written: int) -> None:
        """The decisions since the last look."""
        if self._worker is not None:
            rows = self._worker.thought.since(self._seen).tolist()
            for number, position, score, is_open, _ in rows:
                self._seen = int(number)
                self._waiting.append((int(position), score, bool(is_open)))
            return
        while (end := due(self._seen, self._rate)) <= written:
            self._seen += 1
            self._waiting.append((end, 0.0, False))

    def _read(self, begin: int, gains: NDArray[np.float32]) -> None:
        """Readings of the decisions whose gains are there."""
        while self._waiting and self._waiting[0][0] - self._ahead < begin + len(gains):
            position, score, is_open = self._waiting.popleft()
            start = position - self._ahead
            if start < begin or start < 0:
                continue  # it was missed, or is from before the sound
            if self._worker is None:
                while self._turns and self._turns[0][0] < start:
                    self._open = self._turns.popleft()[1]
                score, is_open = float(self._open), self._open
            gain = float(gains[start - begin])
            level, peak = self._loudness(position)
            reading = GateReading(
                t=start / self._rate,
                score=score,
                open=is_open,
                gain_db=max(SILENCE_DB, 20 * math.log10(gain)) if gain > 0 else SILENCE_DB,
                level_db=level,
                peak_db=peak,
            )
            for output in self._outputs:
                output.reading(reading)
        if self._worker is not None:
            self._turns.clear()

    def _loudness(self, end: int) -> tuple[float, float]:
        """RMS and peak of the key in the hop that ends there, dBFS."""
        hop = -(-self._rate // 100)
        oldest = self._ints[at.WRITTEN] - len(self._ring)
        begin = max(self._heard, oldest, 0)
        if begin < end:
            sound = _copy(self._heard_ring, begin, end)
            if self._filter.active:
                sound = self._filter.process(sound)
            self._key = np.concatenate([self._key, mono(sound)])[-hop:]
            self._heard = end
        return loudness(self._key[None])[0] if len(self._key) else (FLOOR_DB, FLOOR_DB)


def opening_of(
    settings: GateSettings, source: str, model: str, rate: int, channels: int
) -> GateOpening:
    """What the outputs are told first."""
    own = settings
    return GateOpening(
        source=source,
        model=model,
        rate=rate,
        channels=channels,
        threshold=own.threshold_db if own.level else own.threshold,
        close_under=own.close_db
        if own.level
        else max(own.threshold - own.hysteresis, own.threshold / 2),
        range_db=own.range_db,
        lookahead_s=own.lookahead(rate) / rate,
        duck=own.duck,
        live=True,
    )


def _copy(ring: NDArray[np.float32], begin: int, end: int) -> NDArray[np.float32]:
    """What a ring of a power of two holds from one position to another."""
    first, n = begin & (len(ring) - 1), end - begin
    part = ring[first : first + n]
    return np.concatenate([part, ring[: n - len(part)]])
