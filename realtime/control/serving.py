"""`Serving`: a gate with its control socket, from start to end. Used by the command."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from realtime.control import protocol
from realtime.control.desk import Desk
from realtime.control.host import Host
from realtime.control.runfile import Listening, RunFile
from realtime.control.server import Server
from realtime.control.setup import Setup
from realtime.duplex.events import LiveEvent
from realtime.errors import OutputError, UsageError

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
        self._lock = threading.Lock()  # of what was told last
        self._told: dict[str, dict[str, Any]] = {
            "switches": {"bypass": False, "mute": False},
        }
        self.host = Host(setup, self._event, self._changed)
        self._desk = Desk(self.host, version, self._push, self._stop)
        self.server = Server(self._desk, token, port)
        self._file = RunFile()

    def __enter__(self) -> Self:
        """Listen, and start the gate."""
        try:
            self._write()
            self.server.start()
            self.host.start()
        except BaseException:
            self._file.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self.host.stop()
        self._desk.close()
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

    def _push(self, what: dict[str, Any]) -> None:
        self.server.push(what)

    def _event(self, event: LiveEvent) -> None:
        self.server.push(protocol.rounded(msgspec.to_builtins(event)))

    def _changed(self) -> None:
        """Tell what has changed: settings, phase; and where it plays, in the run file."""
        host = self.host
        trouble = host.trouble
        phase = {
            "event": "phase",
            "phase": host.phase,
            "trouble": str(trouble) if trouble is not None else "",
            "hint": trouble.hint if trouble is not None else "",
        }
        started = host.started
        ends = {} if started is None else {"input": started.input, "output": started.output}
        with self._lock:
            if self._is_new("settings", host.setup.in_force()):
                self.server.push({"settings": self._told["settings"]})
            if self._is_new("phase", phase):
                self.server.push(phase)
            switches = dict(host.switches)
            if self._is_new("switches", switches):
                self.server.push({"event": "switches", **switches})
            if self._is_new("ends", ends):
                with contextlib.suppress(OutputError):  # then it names other devices
                    self._write()

    def _is_new(self, name: str, what: dict[str, Any]) -> bool:
        if self._told.get(name, {}) == what:
            return False
        self._told[name] = what
        return True

    def _stop(self) -> None:
        self.asked_to_stop = True
        self.host.stop(wait=False)


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
