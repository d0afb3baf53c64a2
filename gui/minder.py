"""`Minder`: keeps the panel connected: to a gate of its own, or to one that runs elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer

from gui.child import Child
from gui.driver import GateDriver
from gui.i18n import tr
from gui.pairs import Pairs
from gui.status import Status
from gui.wire import Address
from realtime.control import runfile
from realtime.errors import UsageError

AGAIN_MS = 1500
LOOPBACK = ("127.0.0.1", "localhost", "::1")
VARIABLE = "RT_CONTROL_TOKEN"


class Minder(QObject):
    """Connects, and connects again.

    Args:
        driver: what speaks with the gate.
        status: told when there is none.
        pairs: settings for a gate of our own.
        target: a run file or HOST:PORT of another gate; None starts one.
    """

    def __init__(
        self, driver: GateDriver, status: Status, pairs: Pairs, target: str | None
    ) -> None:
        super().__init__()
        self._driver, self._status, self._pairs = driver, status, pairs
        self._target = target
        self._ending = False
        self._plain = False  # started with defaults, as what was kept is refused
        self._answered = False  # the gate that was started last did
        self.child = Child(self)
        self.child.ready.connect(driver.attach)
        self.child.ended.connect(self._child_ended)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(AGAIN_MS)
        self._again.timeout.connect(self._reach)
        driver.lost.connect(self._lost)
        driver.connected.connect(self._connected)

    def start(self) -> None:
        """Begin."""
        if self._target is None:
            self.child.start(self._kept())
        else:
            self._reach()

    def stop(self) -> None:
        """Hang up, and end a gate of our own."""
        self._ending = True
        self._again.stop()
        self._driver.detach()
        self.child.stop()

    def _kept(self) -> dict[str, Any]:
        devices = self._pairs.devices()
        found = {**devices, **self._pairs.settings(devices)}
        if found.get("level"):  # rt-gate takes one or the other
            found = {
                n: v for n, v in found.items() if n not in ("model", "threshold", "hysteresis")
            }
        return found

    def _connected(self, _: dict[str, Any]) -> None:
        self._answered = True

    def _lost(self, why: str) -> None:
        if self._ending or (self._target is None and not self.child.pid):
            return  # of a gate of our own that ended, `ended` tells
        self._status.wait(tr("The gate does not answer ({why}). Trying again …", why=why))
        self._again.start()

    def _child_ended(self, why: str) -> None:
        if self._ending:
            return
        self._again.stop()
        self._driver.detach()
        answered, self._answered = self._answered, False
        kept = {} if self._plain else self._kept()
        if not answered and any(kept.values()):
            self._plain = True
            self._status.wait(
                tr("What was set does not work: {why}. Starting plainly …", why=why)
            )
            self.child.restart({})
            return
        self._status.wait(tr("The gate stopped: {why}. Starting it again …", why=why))
        self.child.restart(kept)

    def _reach(self) -> None:
        """Connect to the gate elsewhere, or to our own once more."""
        if self._target is None:
            self.child.tell_again()
            return
        try:
            self._driver.attach(address_of(self._target))
        except UsageError as e:
            self._status.wait(e.line())
            self._again.start()


def address_of(target: str) -> Address:
    """The address that `--connect` names.

    Args:
        target: a run file of rt-gate's, or HOST:PORT with the token in RT_CONTROL_TOKEN.

    Raises:
        UsageError: neither, or no token, or a host that is not this one.
    """
    host, _, port = target.rpartition(":")
    if port.isdecimal() and host and not Path(target).exists():
        if host.strip("[]") not in LOOPBACK:
            raise UsageError(
                f"--connect {target}: only this machine's own address is spoken with",
                f"ssh -N -L {port}:127.0.0.1:{port} {host}, then --connect 127.0.0.1:{port}",
            )
        token = os.environ.get(VARIABLE, "")
        if not token:
            raise UsageError(f"--connect {target}: no token", f"put the gate's into {VARIABLE}")
        return Address("127.0.0.1", int(port), token)
    found = runfile.read(target)
    return Address("127.0.0.1", found.port, found.token)
