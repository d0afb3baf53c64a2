"""`Telling`: what a live gate has to say of itself while it runs. Used by `live.py`.

Notes of the sound path become events, trace and picture get what went out, and where two clocks
meet, the time that this takes is told when it changes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from realtime.duplex import layout as at
from realtime.duplex.events import Latency, LiveEvent, Overload
from realtime.duplex.layout import Memory
from realtime.duplex.notes import Notes
from realtime.duplex.prepare import latency_ms
from realtime.duplex.record import Record
from realtime.duplex.worker import Worker
from realtime.gate.settings import GateSettings
from realtime.outputs.gate import GateOutput

JOINT_S = 2.0  # for the joint of two clocks to find its reserve
SAME_MS, SAME = 2.0, 0.1  # two times of it are told apart if they differ by more, or by a tenth

log = logging.getLogger("rt.realtime.duplex")


class Telling:
    """Reads what there is to tell.

    Args:
        memory: shared with the sound process, prepared.
        settings: the gate's.
        worker: who decides; None for the level gate alone.
        joined: one clock.
        outputs: the trace and the picture, open.
        tell: takes the events.

    Attributes:
        notes: the reader of the notes.
        record: what the outputs are told by; None without any.
        latency_ms: what was told last.
    """

    def __init__(
        self,
        memory: Memory,
        settings: GateSettings,
        worker: Worker | None,
        joined: bool,
        outputs: Sequence[GateOutput],
        tell: Callable[[LiveEvent], None],
    ) -> None:
        self._memory, self._joined, self._tell = memory, joined, tell
        self._outputs = outputs
        self.notes = Notes(memory, settings, worker)
        self.record = Record(memory, settings, worker, outputs) if outputs else None
        self.latency_ms = latency_ms(memory, joined)
        self._told_at = time.monotonic()

    def measure(self) -> float:
        """What the gate adds now, milliseconds; it counts as told."""
        self.latency_ms, self._told_at = (
            latency_ms(self._memory, self._joined),
            time.monotonic(),
        )
        return self.latency_ms

    def look(self, last: bool = False) -> None:
        """Tell what is new.

        Args:
            last: no sound runs any more.
        """
        written = self._memory.ints[at.WRITTEN]
        at.fence()
        events = self.notes.read()
        if self.record is not None:
            self.record.look(written, events, last)
        for event in events:
            if isinstance(event, Overload):
                log.warning(
                    "decisions are late: the level gate serves"
                    if event.state == "begin"
                    else "decisions are in time again"
                )
            self._tell(event)
        if not self._joined and not last and time.monotonic() > self._told_at + JOINT_S:
            self._compare(written)

    def miss(self) -> None:
        """A device was lost, and sound begins again at WRITTEN."""
        self._told_at = time.monotonic()
        if self.record is not None:
            self.record.miss()

    def end(self) -> None:
        """Tell the last there is; the outputs end."""
        self.look(last=True)
        for output in self._outputs:
            output.end(self.record.t if self.record is not None else 0.0)

    def _compare(self, written: int) -> None:
        told, now = self.latency_ms, latency_ms(self._memory, False)
        if abs(now - told) > max(SAME_MS, SAME * told):
            self.measure()
            log.info("the gate now adds %.1f ms", now)
            self._tell(Latency(latency_ms=now, t=written / self._memory.ints[at.RATE]))
