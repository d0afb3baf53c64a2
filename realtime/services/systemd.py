"""What systemd wants to know: started, still alive, going. See sd_notify(3).

A datagram to the socket that NOTIFY_SOCKET names; without it everything here does nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """Tells systemd.

    Args:
        environ: with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as systemd sets them.

    Attributes:
        watchdog_s: seconds within which systemd wants `alive`; 0 if it does not.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environ.get("WATCHDOG_USEC", "")
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(usec) / 1e6 if self and usec.isdecimal() and mine else 0.0

    def __bool__(self) -> bool:
        return self._address.startswith(("\0", "/"))

    def ready(self) -> None:
        """What was asked for is open and runs."""
        self._send("READY=1")

    def alive(self) -> None:
        """Do not end us."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """We are going, on our own account."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, text: str) -> None:
        if not self:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s,
        ):
            s.settimeout(1.0)
            s.connect(self._address)
            s.sendall(text.encode())
