"""`Status`: what the gate does right now, in one word and one sentence. For window and tray."""

from __future__ import annotations

from typing import Any, Literal

from PyQt6.QtCore import QObject, pyqtSignal

from gui.driver import GateDriver
from gui.i18n import tr

Lamp = Literal["open", "closed", "bypass", "mute", "waiting", "starting", "none"]


class Status(QObject):
    """How the gate is, as far as everybody needs to know.

    Signals:
        changed: something of it is different now.

    Attributes:
        lamp: the word for it.
        bypass: everything goes through.
        mute: nothing does.
        why: what is wrong, for people; empty if nothing is.
    """

    changed = pyqtSignal()

    def __init__(self, driver: GateDriver) -> None:
        super().__init__()
        self._driver = driver
        self._phase = ""
        self._open = self.bypass = self.mute = False
        self.why = ""
        self.lamp: Lamp = "none"
        self._was: tuple[object, ...] = ()
        driver.connected.connect(self._greet)
        driver.meters.connect(self._read)
        driver.happened.connect(self._hear)
        driver.switched.connect(self._read)
        driver.lost.connect(self._lose)

    def word(self) -> str:
        """The state as a word."""
        return {
            "open": tr("Open"),
            "closed": tr("Closed"),
            "bypass": tr("Bypass"),
            "mute": tr("Muted"),
            "waiting": tr("Waiting"),
            "starting": tr("Starting"),
            "none": tr("No gate"),
        }[self.lamp]

    def sentence(self) -> str:
        """What is going on, for the status line."""
        if self.lamp == "none":
            return self.why or tr("The gate is starting …")
        if self.lamp == "starting":
            return tr("The gate is starting …")
        if self.lamp == "waiting":
            if self._phase == "lost":
                return tr("The device is gone. Sound goes on by itself when it is back.")
            return tr("{why} It starts by itself.", why=self.why) if self.why else ""
        started = self._driver.hello.get("started") or {}
        pair = f"{started.get('input', '')} → {started.get('output', '')}"
        return pair if started else ""

    def wait(self, why: str) -> None:
        """There is no gate, because of this."""
        self._phase, self.why = "", why
        self._settle()

    def _greet(self, hello: dict[str, Any]) -> None:
        self._read(hello.get("state", {}))

    def _read(self, state: dict[str, Any]) -> None:
        self._phase = state.get("phase", self._phase or "running")
        self._open = bool(state.get("open", self._open))
        self.bypass = bool(state.get("bypass", self.bypass))
        self.mute = bool(state.get("mute", self.mute))
        if "trouble" in state:
            self.why = _sentence(state["trouble"], state.get("hint", ""))
        self._settle()
        if self._phase == "waiting" and "trouble" not in state and not self.why:
            self.why = tr("No device.")
            self._driver.request("state", self._read, lambda what, hint: None)

    def _hear(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind in ("phase", "switches"):
            self._read(event)
            return
        if kind in ("open", "close"):
            self._open = kind == "open"
        elif kind == "start":
            self._phase, self.why = "running", ""
        elif kind == "device" and event.get("state") in ("lost", "back"):
            self._phase = "lost" if event["state"] == "lost" else "running"
        self._settle()

    def _lose(self, why: str) -> None:
        self.wait(why)

    def _settle(self) -> None:
        self.lamp = self._lamp()
        now = (self.lamp, self.bypass, self.mute, self._phase, self.sentence())
        if now != self._was:
            self._was = now
            self.changed.emit()

    def _lamp(self) -> Lamp:
        if not self._driver.alive:
            return "none"
        if self._phase == "starting":
            return "starting"
        if self._phase in ("waiting", "lost"):
            return "waiting"
        if self.mute:
            return "mute"
        if self.bypass:
            return "bypass"
        return "open" if self._open else "closed"


def _sentence(what: str, hint: str) -> str:
    """Two parts of an error as sentences; a mend for the command line is none here."""
    if "rt-gate" in hint or "--" in hint:
        hint = ""
    parts = [part[:1].upper() + part[1:].rstrip(".") + "." for part in (what, hint) if part]
    return " ".join(parts)
