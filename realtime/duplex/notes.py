"""`Notes`: what the sound path noted, as events. Used by `live.py`."""

from __future__ import annotations

import math

from realtime.duplex import layout as at
from realtime.duplex.events import LiveEvent, Overload
from realtime.duplex.layout import Memory
from realtime.duplex.worker import Worker
from realtime.gate.judge import level_reason
from realtime.gate.level import FLOOR_DB
from realtime.gate.settings import GateSettings
from realtime.outputs.gate import Closed, Opened


class Notes:
    """Reads the notes.

    Args:
        memory: shared with the sound process, prepared.
        settings: the gate's.
        worker: who decides; None for the level gate alone.

    Attributes:
        settings: the same; to be set anew when they change.
        openings: so far.
    """

    def __init__(self, memory: Memory, settings: GateSettings, worker: Worker | None) -> None:
        self._memory = memory
        self._rate = memory.ints[at.RATE]
        self._worker = worker
        self.settings = settings
        self.openings = 0

    def read(self) -> list[LiveEvent]:
        """Events since the last time, in order."""
        ints, floats = self._memory.ints, self._memory.floats
        found: list[LiveEvent] = []
        written = ints[at.NOTES]
        at.fence()
        while ints[at.NOTES_READ] < written:
            place = at.AT_NOTES + ints[at.NOTES_READ] % at.MOST_NOTES * at.NOTE
            kind, position, about = ints[place], ints[place + 1], ints[place + 3]
            found.append(self._event(kind, position, floats[place + 2], about))
            at.fence()
            ints[at.NOTES_READ] += 1
        return found

    def _event(self, kind: int, position: int, amplitude: float, about: int) -> LiveEvent:
        t = max(0, position) / self._rate
        if kind in (at.LATE, at.IN_TIME):
            return Overload(state="begin" if kind == at.LATE else "end", t=t)
        opens = kind in (at.OPENED, at.LOUD)
        self.openings += opens
        if kind in (at.OPENED, at.CLOSED):
            score, why = self._worker.why(about) if self._worker is not None else (0.0, "")
            return Opened(t=t, score=score, reason=why) if opens else Closed(t=t, score=score)
        if not opens:
            return Closed(t=t, score=0.0)
        level = 20.0 * math.log10(amplitude) if amplitude > 0.0 else FLOOR_DB
        threshold = 20.0 * math.log10(self._memory.floats[at.OPENS])
        return Opened(t=t, score=1.0, reason=level_reason(level, threshold))
