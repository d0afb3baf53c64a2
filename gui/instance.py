"""`Instance`: one panel for each settings file; a second start speaks with the first."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from PyQt6.QtCore import QCoreApplication, QObject, pyqtSignal
from PyQt6.QtNetwork import QLocalServer, QLocalSocket

from realtime.errors import UsageError

WAIT_MS = 2000
COMMANDS = ("show", "bypass", "mute", "quit")


def key_of(settings: Path, target: str | None) -> str:
    """What makes a panel the only one: its settings, and the gate that it drives."""
    return f"{settings.resolve()} {target or ''}"


def tell(word: str, settings: Path, target: str | None) -> int:
    """Say something to the panel that runs; the exit status. Loads no window.

    Raises:
        UsageError: none does.
    """
    app = QCoreApplication(["rt-panel"])
    if not Instance(key_of(settings, target)).tell(word):
        raise UsageError("no panel runs", "start rt-panel first")
    del app
    return 0


class Instance(QObject):
    """The only panel of its kind, or a word to it.

    Args:
        key: from `key_of`.

    Signals:
        told: another start said this: one of COMMANDS.
    """

    told = pyqtSignal(str)

    def __init__(self, key: str) -> None:
        super().__init__()
        digest = hashlib.sha256(f"{os.getuid()} {key}".encode()).hexdigest()[:16]
        self._name = f"rt-panel-{digest}"
        self._server: QLocalServer | None = None

    def tell(self, command: str) -> bool:
        """Say something to the panel that runs; False if none does."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(WAIT_MS):
            return False
        socket.write(command.encode() + b"\n")
        socket.waitForBytesWritten(WAIT_MS)
        socket.waitForReadyRead(WAIT_MS)
        socket.disconnectFromServer()
        return True

    def listen(self) -> None:
        """Be the one that is told."""
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        if not server.listen(self._name):
            QLocalServer.removeServer(self._name)  # of a panel that was killed
            server.listen(self._name)
        server.newConnection.connect(self._admit)
        self._server = server

    def close(self) -> None:
        """Be it no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _admit(self) -> None:
        socket = self._server.nextPendingConnection() if self._server is not None else None
        if socket is None:
            return

        def read() -> None:
            while socket.canReadLine():
                word = bytes(socket.readLine().data()).decode(errors="replace").strip()
                socket.write(b"ok\n")
                socket.flush()
                if word in COMMANDS:
                    self.told.emit(word)

        socket.readyRead.connect(read)
        socket.disconnected.connect(socket.deleteLater)
        read()
