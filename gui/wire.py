"""JSON lines over a loopback socket, without waiting: `Wire`."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import msgspec
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtNetwork import QAbstractSocket, QTcpSocket

LONGEST = 64 * 1024  # bytes of a line
MOST_UNSENT = 1 << 20  # bytes for a gate that does not read


@dataclass(frozen=True)
class Address:
    """Where a gate listens, and the word that it wants to hear."""

    host: str
    port: int
    token: str


class Wire(QObject):
    """A connection to one gate at a time."""

    opened = pyqtSignal()
    line = pyqtSignal(dict)
    closed = pyqtSignal(str)  # why, as a sentence

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._socket = QTcpSocket(self)
        self._socket.connected.connect(self._greet)
        self._socket.readyRead.connect(self._read)
        self._socket.disconnected.connect(self._end)
        self._socket.errorOccurred.connect(self._fail)
        self._token = ""
        self._why = ""
        self._open = False

    def open(self, address: Address) -> None:
        """Connect; `opened` or `closed` tells how that went."""
        self.close()
        self._token, self._why = address.token, ""
        self._socket.setSocketOption(QAbstractSocket.SocketOption.LowDelayOption, 1)
        self._socket.connectToHost(address.host, address.port)

    def close(self) -> None:
        """Hang up, without `closed`."""
        self._open = False
        with contextlib.suppress(RuntimeError):
            self._socket.abort()

    def send(self, message: dict[str, Any]) -> bool:
        """Send a line; False if there is no connection, or the other side reads nothing."""
        if self._socket.state() != QAbstractSocket.SocketState.ConnectedState:
            return False
        if self._socket.bytesToWrite() > MOST_UNSENT:
            return False
        self._socket.write(json.dumps(message).encode() + b"\n")
        return True

    def _greet(self) -> None:
        self._open = True
        self.send({"token": self._token})
        self.opened.emit()

    def _read(self) -> None:
        while self._socket.canReadLine():
            text = bytes(self._socket.readLine().data())
            try:
                found = msgspec.json.decode(text)
            except msgspec.DecodeError:
                continue
            if isinstance(found, dict):
                if "error" in found and "id" not in found:
                    self._why = str(found["error"])
                else:
                    self.line.emit(found)
        if self._socket.bytesAvailable() > LONGEST:
            self._why = "what answers there is no gate"
            self._socket.abort()

    def _fail(self, error: QAbstractSocket.SocketError) -> None:
        if error == QAbstractSocket.SocketError.RemoteHostClosedError:
            return
        self._why = self._why or self._socket.errorString()
        if not self._open:
            self.closed.emit(self._why)

    def _end(self) -> None:
        if self._open:
            self._open = False
            self.closed.emit(self._why)
