"""`Host`: keeps a live gate: waits for devices, starts it anew, falls back to the old one.

Used by `desk.py` and by the command. A thread of its own starts and ends gates, one request
after the other; bypass and mute need not wait for it. To the command it looks like a
`LiveGate` that never ends by itself: `events` and `state`.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from realtime.control.opening import Opener, look_for
from realtime.control.setup import ENDS, Setup
from realtime.duplex.events import Ended, LiveEvent, Started, taken
from realtime.duplex.history import History
from realtime.duplex.live import STEERED, LiveGate
from realtime.duplex.state import LiveState
from realtime.errors import AudioError, RtError
from realtime.outputs import DeviceEvent
from realtime.sources.device import EAGER_S, LATE_RETRY_S, RETRY_S

Told = Callable[[dict[str, Any] | RtError], None]

log = logging.getLogger("rt.realtime.control")


class Host:
    """Keeps a gate.

    Args:
        setup: what to start with.
        on_event: called with each event of the gate, from some thread.
        on_change: called when what runs has changed: phase or settings; likewise.

    Attributes:
        setup: the one in force.
        switches: "bypass" and "mute".
        gate: the gate that runs, or the last one; None before the first.
        phase: "starting", "running", "waiting" (for a device), "lost" (it was there), "ended".
        trouble: why it waits.
        restarts: how often a gate was started anew.
        fault: what ended it, if it did not end because of `stop`.
    """

    def __init__(
        self,
        setup: Setup,
        on_event: Callable[[LiveEvent], None] = lambda _: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.setup = setup
        self.gate: LiveGate | None = None
        self.phase = "starting"
        self.trouble: RtError | None = None
        self.restarts = 0
        self.fault: BaseException | None = None
        self._on_event, self._on_change = on_event, on_change
        self.switches = {"bypass": False, "mute": False}
        self._coming: LiveGate | None = None  # it is being started
        self._opener = Opener()
        self._events: queue.SimpleQueue[LiveEvent | None] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._queued = 0  # changes that are not done yet
        self._lock = threading.Lock()  # of `setup` and `_queued`
        self._begun = self._stopping = False
        self._thread = threading.Thread(target=self._run, name="gate host", daemon=True)

    # --- from any thread ----------------------------------------------------------------------

    def start(self) -> None:
        """Begin to start the gate."""
        self._thread.start()

    def stop(self, wait: bool = True) -> None:
        """End; without `wait` from a signal handler, too. `events` ends after the last one."""
        self._stopping = True
        for gate in (self._coming, self.gate):
            if gate is not None:
                gate.stop(wait=False)
        self._jobs.put(None)
        if wait and self._thread.is_alive():
            self._thread.join()

    def switch(self, **switches: bool) -> None:
        """Bypass or mute, at once, also while a gate starts."""
        self.switches |= switches
        gate = self.gate
        if gate is not None:
            gate.set(**switches)
        self._on_change()

    def change(self, said: Mapping[str, Any], later: Told) -> dict[str, Any] | None:
        """Change settings: at once, or where that takes a new start, soon and in order.

        Args:
            said: name to value, as in `Setup.changed`.
            later: called with all settings in force, or with why there is no change.

        Returns:
            All settings in force; None if that comes later.

        Raises:
            RtError: why there is none, if that is known at once.
        """
        with self._lock:
            if self._queued or not set(said) <= set(STEERED):
                self._queued += 1
                self._jobs.put(lambda: self._try(said, later))
                return None
            self._steer(self.setup.changed(said))
        self._on_change()
        return self.setup.in_force()

    def state(self) -> LiveState:
        """How things are."""
        gate = self.gate
        if gate is None:
            return self.setup.resting(self.switches)
        return gate.state()

    def events(self, timeout_s: float | None = None) -> Iterator[LiveEvent | None]:
        """As those of `LiveGate`, of one gate after the other."""
        return taken(self._events, timeout_s)

    @property
    def history(self) -> History | None:
        """What the gate that runs heard and decided; None before the first."""
        gate = self.gate
        return gate.history if gate is not None else None

    @property
    def started(self) -> Started | None:
        """What runs."""
        return self.gate.started if self.gate is not None else None

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._open(first=True)
            since = time.monotonic()
            while not self._stopping:
                try:
                    job = self._jobs.get(timeout=self._patience(since))
                except queue.Empty:
                    self._open(first=False)
                    continue
                if job is not None:
                    job()
                if self.phase != "waiting":
                    since = time.monotonic()
        except BaseException as e:
            self.fault = e
        finally:
            self._end()
            if self.gate is not None:
                self.fault = self.fault or self.gate.fault
            self._opener.close()
            self.phase = "ended"
            self._on_change()
            self._events.put(None)

    def _patience(self, since: float) -> float | None:
        """Seconds until the next look for a device; None where nothing is looked for."""
        if self.phase != "waiting":
            return None
        return RETRY_S if time.monotonic() - since < EAGER_S else LATE_RETRY_S

    def _open(self, first: bool) -> None:
        """Start the gate; without a device it is for the next time.

        Raises:
            RtError: something else is wrong, from the start.
        """
        try:
            self._start()
        except RtError as e:
            if self._stopping:
                return
            if not isinstance(e, AudioError) and not self._begun:
                raise
            if first or str(e) != str(self.trouble):
                log.warning("%s; waiting for it", e.line())
            self.gate, self._begun = None, True
            self._enter("waiting", e)

    def _start(self, new: Setup | None = None) -> None:
        """Start a gate, of another setup than the one in force if there is one.

        Raises:
            RtError: it does not start; nothing runs then.
        """
        if self.phase != "waiting":
            self._enter("starting")
        gate = self._opener.make(new or self.setup, self.switches, self._hear)
        self._coming = gate
        try:
            if not self._stopping:
                gate.start()
        finally:
            self._coming = None
        if gate.started is None:
            return
        with self._lock:  # it may have been steered meanwhile
            self.setup = new or self.setup
            self.gate, self._begun = gate, True
            gate.set(**self.switches, **self.setup.steered())
        if self.phase != "lost":
            self._enter("running")

    def _end(self) -> None:
        gate = self.gate
        if gate is not None:
            gate.stop()

    def _change(self, said: Mapping[str, Any]) -> None:
        """Change settings; if a new start fails, all is as it was.

        Raises:
            RtError: so.
        """
        old, new = self.setup, self.setup.changed(said)
        if not old.differs(new) or (self.phase == "waiting" and not old.differs(new, ENDS)):
            self._steer(new)
            self._on_change()
            return
        if old.differs(new, ENDS) and self.phase != "waiting":
            look_for(new)  # while the old gate still runs
        self._end()
        self.restarts += 1
        try:
            self._start(new)
        except Exception:
            self._open(first=True)  # the old one
            raise

    def _steer(self, new: Setup) -> None:
        if self.gate is not None:
            self.gate.set(**new.steered())
        self.setup = new

    def _try(self, said: Mapping[str, Any], told: Told) -> None:
        try:
            self._change(said)
        except RtError as e:
            told(e)
        except Exception:
            log.exception("settings failed: %s", said)
            told(RtError("set failed by a fault of the program", "its log says more"))
        else:
            told(self.setup.in_force())
        finally:
            with self._lock:
                self._queued -= 1

    def _hear(self, event: LiveEvent) -> None:
        """An event of the gate, in one of its threads."""
        if isinstance(event, DeviceEvent) and event.state in ("lost", "back"):
            self._enter("lost" if event.state == "lost" else "running")
        if isinstance(event, Ended) and self.gate is not None and self.gate.fault is not None:
            self._stopping = True
            self._jobs.put(None)
        self._events.put(event)
        self._on_event(event)

    def _enter(self, phase: str, trouble: RtError | None = None) -> None:
        self.phase, self.trouble = phase, trouble
        self._on_change()
