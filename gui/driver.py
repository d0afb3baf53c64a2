"""`GateDriver`: a gate in another process, or on another machine, as Qt sees it.

It speaks the protocol of `rt-gate --control` over Qt's own socket: nothing here waits, and no
thread is needed. What the gate pushes comes as signals; what is asked for is answered by a
call of `then` (with the reply) or `otherwise` (with what is wrong, and the mend).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from gui.wire import Address, Wire

Then = Callable[[dict[str, Any]], None]
Otherwise = Callable[[str, str], None]
PAST_S = 10.0  # what a scope shows
SET_MS = 30  # a dragged slider is told so often, no more


class GateDriver(QObject):
    """Drives a gate.

    Signals:

    - connected: the gate answers; its "hello".
    - lost: it does not any more; why, as a sentence.
    - meters: {"hops": [[t, level_db, score, gain_db], ...], fields of LiveState...}.
    - happened: one of rt-gate's events, as in `rt-gate --json`.
    - changed: settings in force, whoever changed them.
    - switched: {"bypass"} or {"mute"} as they are now; also whole states.
    - learning: {"progress", "stage"} or the report of a lesson.
    - failed: something asked for was refused and nobody else said so: what, and the mend.

    Attributes:
        hello: of the gate that answers; empty if none does.
        settings: in force, with devices, model and virtual microphone.
    """

    connected = pyqtSignal(dict)
    lost = pyqtSignal(str)
    meters = pyqtSignal(dict)
    happened = pyqtSignal(dict)
    changed = pyqtSignal(dict)
    switched = pyqtSignal(dict)
    learning = pyqtSignal(dict)
    failed = pyqtSignal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.hello: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self._wire = Wire(self)
        self._wire.opened.connect(self._greet)
        self._wire.line.connect(self._read)
        self._wire.closed.connect(self._gone)
        self._asked: dict[int, tuple[Then | None, Otherwise | None]] = {}
        self._next = 1
        self._rate = 0
        self._pending: dict[str, Any] = {}
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SET_MS)
        self._soon.timeout.connect(self._send_pending)

    # --- the connection -----------------------------------------------------------------------

    def attach(self, address: Address) -> None:
        """Speak with the gate at an address."""
        self._wire.open(address)

    def detach(self) -> None:
        """Speak with nobody; `lost` if somebody was there."""
        self._wire.close()
        if self.alive:
            self._gone("")

    @property
    def alive(self) -> bool:
        """Whether a gate answers."""
        return bool(self.hello)

    # --- what can be asked for ----------------------------------------------------------------

    def request(
        self,
        do: str,
        then: Then | None = None,
        otherwise: Otherwise | None = None,
        **values: Any,
    ) -> None:
        """Ask the gate for something.

        Args:
            do: the request's name in the protocol.
            then: called with the reply.
            otherwise: called with what is wrong and the mend; without it, `failed` says so.
            values: of the request.
        """
        number, self._next = self._next, self._next + 1
        self._asked[number] = (then, otherwise)
        if not self._wire.send({"id": number, "do": do, **values}):
            self._asked.pop(number)
            (otherwise or self.failed.emit)("no gate answers", "")

    def set(self, **settings: Any) -> None:
        """Change settings; those changed within 30 ms go together, the newest value counts."""
        self._pending.update(settings)
        if not self._soon.isActive():
            self._soon.start()

    def change(
        self,
        settings: dict[str, Any],
        then: Then | None = None,
        otherwise: Otherwise | None = None,
    ) -> None:
        """Change settings for which sound may have to start anew; null is the default."""

        def done(reply: dict[str, Any]) -> None:
            self._in_force(reply)
            self.refresh()
            if then is not None:
                then(reply)

        self.request("set", done, otherwise, settings=settings)

    def restarting(self, settings: Iterable[str]) -> bool:
        """Whether sound has to start anew for some settings."""
        steered = self.hello.get("steered", ())
        return any(name not in steered for name in settings)

    def refresh(self) -> None:
        """Ask what runs, and with which settings."""
        self.request("hello", self._know, _ignore)

    def bypass(self, on: bool) -> None:
        """Let everything through, or no more."""
        self.request("bypass", self.switched.emit, on=on)

    def mute(self, on: bool) -> None:
        """Let nothing through, or something again."""
        self.request("mute", self.switched.emit, on=on)

    def watch(self, rate: int, past_s: float = 0.0) -> None:
        """Have meters pushed so many times a second, first of the seconds past; 0 is never."""
        self._rate = rate
        if self.alive:
            self.request("meters", None, _ignore, rate=rate, past=past_s)

    # --- what comes ---------------------------------------------------------------------------

    def _greet(self) -> None:
        def hello(reply: dict[str, Any]) -> None:
            self.hello = reply
            self.watch(self._rate, PAST_S)
            self.connected.emit(reply)
            self._in_force(reply)

        self.request("events", on=True)  # first: so nothing is missed after "hello"
        self.request("hello", hello)

    def _know(self, reply: dict[str, Any]) -> None:
        self.hello = reply
        self._in_force(reply)
        self.switched.emit(reply.get("state", {}))

    def _read(self, line: dict[str, Any]) -> None:
        if "id" in line:
            then, otherwise = self._asked.pop(line["id"], (None, None))
            if "error" in line:
                (otherwise or self.failed.emit)(line["error"], line.get("hint", ""))
            elif then is not None:
                then(line.get("ok", {}))
        elif "meters" in line:
            self.meters.emit(line["meters"])
        elif "event" in line:
            self.happened.emit(line)
        elif "learn" in line:
            self.learning.emit(line["learn"])
        elif "settings" in line:
            self._in_force(line)
        elif "lost" in line:  # events that we were too slow for
            self.refresh()

    def _in_force(self, reply: dict[str, Any]) -> None:
        """Take settings: by themselves, or under their name among other things."""
        found = reply.get("settings", reply)
        if "range_db" in found:
            self.settings = found
            self.changed.emit(found)

    def _send_pending(self) -> None:
        pending, self._pending = self._pending, {}
        if pending:
            self.request("set", self._in_force, self._refused, settings=pending)

    def _refused(self, what: str, hint: str) -> None:
        """Say it, and let everybody show what is still in force."""
        self.failed.emit(what, hint)
        self.changed.emit(self.settings)

    def _gone(self, why: str) -> None:
        asked, self._asked, self.hello = self._asked, {}, {}
        for _, otherwise in asked.values():
            if otherwise is not None:
                otherwise("the gate went away", "")
        self.lost.emit(why)


def _ignore(what: str, hint: str) -> None:
    """The gate went away: `lost` says so."""
