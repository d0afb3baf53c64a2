"""`Serving`: a gate with its control socket, from start to end. Used by the command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from realtime.control.desk import Desk
from realtime.control.host import Host
from realtime.control.runfile import Listening, RunFile
from realtime.control.server import Server
from realtime.control.setup import Setup
from realtime.duplex.events import LiveEvent
from realtime.errors import UsageError

VARIABLE = "RT_CONTROL_TOKEN"


class Serving:
    """A gate that is controlled; a context, in which it is.

    Args:
        setup: what to start with.
        version: of rt-gate.
        port: where to listen; 0 is any port that is free.
        token: what clients have to say; empty makes one.

    Attributes:
        host: who keeps the gate.
        server: the socket.
        asked_to_stop: a client ended it.

    Raises:
        UsageError: the port is taken, or the token too short.
        OutputError: the run file cannot be written.
    """

    def __init__(self, setup: Setup, version: str, port: int = 0, token: str = "") -> None:
        self.asked_to_stop = False
        self._version = version
        self.host = Host(setup, self._event, self._changed)
        self.server = Server(Desk(self.host, version, self._stop), token, port)
        self._file = RunFile()

    def __enter__(self) -> Self:
        """Listen, and start the gate."""
        self._write()
        self.server.start()
        self.host.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self.host.stop()
        self.server.stop()
        self._file.remove()

    @property
    def path(self) -> Path:
        """The file that says where it listens."""
        return self._file.path

    def _write(self) -> None:
        started = self.host.started
        self._file.write(
            Listening(
                port=self.server.port,
                token=self.server.token,
                pid=os.getpid(),
                version=self._version,
                input=started.input if started is not None else "",
                output=started.output if started is not None else "",
            )
        )

    def _event(self, event: LiveEvent) -> None:
        self.server.push(shown(event))

    def _changed(self) -> None:
        pass

    def _stop(self) -> None:
        self.asked_to_stop = True
        self.host.stop(wait=False)


def shown(event: LiveEvent) -> dict[str, object]:
    """An event as `rt-gate --json` shows it."""
    from realtime.control import protocol

    return protocol.rounded(msgspec.to_builtins(event))


def read_token(path: str, environ: Mapping[str, str] = os.environ) -> str:
    """The fixed token of the environment or a file; empty where nobody gave one.

    Raises:
        UsageError: the file cannot be read, others can read it, or it is empty.
    """
    if not path:
        return environ.get(VARIABLE, "")
    try:
        mode = Path(path).stat().st_mode
        token = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "is no text"
        raise UsageError(f"--control-token-file {path}: {why}", "a line with the token") from e
    if mode & 0o077:
        raise UsageError(
            f"--control-token-file {path}: others can read it", f"chmod 600 {path}"
        )
    if not token:
        raise UsageError(f"--control-token-file {path}: is empty", "a line with the token")
    return token
