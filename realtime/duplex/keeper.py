"""`Keeper`: minds a live gate until it is stopped. Used by `live.py`.

A thread. It tells what there is to tell (`telling.py`), and looks for lost devices, by name,
with PortAudio started anew, as long as it takes. The clock goes on meanwhile: sound begins
again where the wall clock is, and what was not heard counts as dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from realtime.duplex import layout as at
from realtime.duplex.events import Ended, LiveEvent
from realtime.duplex.prepare import begin_at
from realtime.duplex.running import Running
from realtime.duplex.state import LiveState
from realtime.errors import AudioError, RtError
from realtime.outputs import DeviceEvent, Dropped
from realtime.sources.device import EAGER_S, LATE_RETRY_S, RETRY_S

KEEP_S = 0.1  # seconds between two looks at the notes; each costs a third of a millisecond
FADE_S = 0.02  # for the sound to fade out at the end

log = logging.getLogger("rt.realtime.duplex")


class Kept(Protocol):
    """A gate that is minded."""

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        ...

    def fade(self) -> None:
        """Let nothing through any more."""
        ...

    def state(self) -> LiveState:
        """How things are."""
        ...


class Keeper(threading.Thread):
    """Minds a gate.

    Args:
        gate: which.
        running: its parts.
        tell: takes the events.
        at_end: called last, when nothing runs any more.

    Attributes:
        dropped: samples that were not heard.
        fault: what ended it, if it did not end because of a stop.
    """

    def __init__(
        self,
        gate: Kept,
        running: Running,
        tell: Callable[[LiveEvent], None],
        at_end: Callable[[], None],
    ) -> None:
        super().__init__(name="gate keeper", daemon=True)
        self._gate, self._running, self._tell, self._at_end = gate, running, tell, at_end
        self.dropped = 0
        self.fault: BaseException | None = None

    def run(self) -> None:
        """Tell what happens, and mind the devices, until the stop."""
        running = self._running
        try:
            while not self._gate.stopping:
                running.pause(KEEP_S)
                running.telling.look()
                if running.pair.is_lost() and not self._gate.stopping:
                    self._find_again()
        except RtError as e:  # a disk is full
            self.fault = e
        except BaseException as e:
            self.fault = e
            log.exception("the gate failed")
        finally:
            try:
                self._finish()
            finally:
                self._at_end()

    def _find_again(self) -> None:
        """Look for the lost devices until they open; then go on where the wall clock is."""
        running, pair = self._running, self._running.pair
        ints, rate = running.memory.ints, pair.opened.rate
        lost_at, name = ints[at.WRITTEN], pair.lost().name
        log.warning("%s: is lost; looking for it", name)
        self._tell(DeviceEvent(state="lost", name=name, t=lost_at / rate))
        last, began = pair.moved, time.monotonic()
        while True:
            pair.end()
            running.telling.look()
            running.pause(RETRY_S if time.monotonic() - began < EAGER_S else LATE_RETRY_S)
            if self._gate.stopping:
                return
            try:
                if pair.open_again():
                    gone = max(0, round((time.monotonic() - last) * rate))
                    begin_at(running.memory, lost_at + gone)
                    running.telling.miss()
                    running.let_run()
                    break
            except AudioError as e:
                log.debug("%s: still lost: %s", name, e)
        self.dropped += gone
        t = (lost_at + gone) / rate
        log.warning("%s: is back", name)
        self._tell(DeviceEvent(state="back", name=name, t=t))
        self._tell(Dropped(t=t, frames=gone))

    def _finish(self) -> None:
        """Fade out, end everything, tell the counts."""
        running = self._running
        if running.pair.runs():
            self._gate.fade()
            time.sleep(FADE_S + running.memory.ints[at.SLACK] / running.pair.opened.rate)
        running.end()
        try:
            if self.fault is None:
                running.telling.end()
        except RtError as e:
            self.fault = e
        state = self._gate.state()
        counts = {f: getattr(state, f) for f in Ended.__struct_fields__}
        self._tell(Ended(**counts))
