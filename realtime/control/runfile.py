"""Where running gates listen: a file for each, `gate-PID.json`, that only their user can read.

Written by `rt-gate --control` and taken away at its end; read by clients on the same machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

import msgspec

from realtime.errors import OutputError, UsageError

FOLDER = "rt-tag"
PATTERN = re.compile(r"gate-(\d+)\.json")


class Listening(msgspec.Struct, frozen=True):
    """A gate that can be controlled.

    Args:
        port: of 127.0.0.1.
        token: what a client has to say first.
        pid: of the gate.
        version: of rt-gate.
        input: name of the input device; empty while there is none.
        output: likewise.
    """

    port: int
    token: str
    pid: int
    version: str
    input: str = ""
    output: str = ""


class RunFile:
    """The file of this process.

    Raises:
        OutputError: there is no place for it that only its user can read.
    """

    def __init__(self) -> None:
        self.path = folder() / f"gate-{os.getpid()}.json"
        _sweep(self.path.parent)

    def write(self, what: Listening) -> None:
        """Write it, whole.

        Raises:
            OutputError: it cannot be written.
        """
        part = self.path.with_suffix(".part")
        try:
            part.unlink(missing_ok=True)
            number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(msgspec.json.encode(what) + b"\n")
            part.replace(self.path)
        except OSError as e:
            raise OutputError(
                f"{self.path} cannot be written: {e.strerror}",
                "free some space, or set XDG_RUNTIME_DIR",
            ) from e

    def remove(self) -> None:
        """Take it away."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def folder() -> Path:
    """The folder of these files, made if need be; only its user may look into it.

    Raises:
        OutputError: it belongs to somebody else.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir():
        path = Path(runtime) / FOLDER
    else:
        path = Path(tempfile.gettempdir()) / f"{FOLDER}-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        facts = path.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            raise OutputError(f"{path} belongs to somebody else", "set XDG_RUNTIME_DIR")
        if facts.st_mode & 0o077:
            path.chmod(0o700)
    except OSError as e:
        raise OutputError(f"{path}: {e.strerror}", "set XDG_RUNTIME_DIR") from e
    return path


def listening() -> list[Listening]:
    """The gates of this user that run now, the newest first."""
    found = []
    for path in folder().glob("gate-*.json"):
        with contextlib.suppress(UsageError, OSError):
            one = read(path)
            if _runs(one.pid):
                found.append((path.stat().st_mtime, one))
    return [one for _, one in sorted(found, key=lambda pair: pair[0], reverse=True)]


def read(path: str | Path) -> Listening:
    """One of these files.

    Raises:
        UsageError: it is none, or cannot be read.
    """
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Listening)
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", "rt-gate --control makes it") from e
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise UsageError(f"{path} does not say where a gate listens", str(e)) from e


def _sweep(room: Path) -> None:
    """Take away what gates left that were killed."""
    for path in room.glob("gate-*"):
        found = PATTERN.fullmatch(path.name)
        if found and not _runs(int(found[1])):
            with contextlib.suppress(OSError):
                path.unlink()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
