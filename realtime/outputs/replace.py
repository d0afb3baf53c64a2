"""Writing a result file so that it is whole or absent: a temporary file beside it, then a move.

What the user had under that name stays until the new file is complete, and stays for good if
the run fails or the disk is full.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import IO, Any

from realtime.errors import OutputError
from realtime.places import kind_at

LONGEST = 200  # bytes of the name in a temporary one; file systems end at 255


class Replacement:
    """A file that takes its name when it is complete.

    A path that exists and is no regular file (a pipe, /dev/stdout) is written to directly:
    moving a file over it would destroy it. A symbolic link is followed.

    Args:
        path: the file to write.

    Raises:
        OutputError: the folder does not exist or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if str(path) == "-":
            raise OutputError("- is no file: stdout has other results", "name a file")
        self._target = Path(os.path.realpath(path))
        kind = kind_at(self._target)
        if kind == "folder":
            raise OutputError(f"{path} is a folder", "name a file")
        self._direct = kind == "special"
        if self._direct:
            self.temporary = self._target
            return
        try:
            with contextlib.suppress(FileNotFoundError):
                os.lstat(self._target)  # what cannot be a name is said before any work
            number, name = tempfile.mkstemp(
                prefix=_hidden(self._target.name), suffix=".part", dir=self._target.parent
            )
            os.close(number)
        except OSError as e:
            raise fault(self.path, e) from e
        self.temporary = Path(name)

    def commit(self) -> None:
        """Give the file its name, with the permissions that a new file gets here.

        Raises:
            OutputError: it cannot be moved.
        """
        if self._direct:
            return
        try:
            if self._target.exists():
                mode = self._target.stat().st_mode & 0o7777
            else:
                mask = os.umask(0)
                os.umask(mask)
                mode = 0o666 & ~mask
            self.temporary.chmod(mode)
            self.temporary.replace(self._target)
        except OSError as e:
            self.discard()
            raise fault(self.path, e) from e

    def end(self, stream: IO[Any], complete: bool) -> None:
        """Close what was written through, then `commit` or `discard`.

        Raises:
            OutputError: the last of it does not fit, or the file cannot be moved.
        """
        try:
            stream.close()
        except OSError as e:
            self.discard()
            if complete:
                raise fault(self.path, e) from e
            return
        if complete:
            self.commit()
        else:
            self.discard()

    def discard(self) -> None:
        """Leave nothing behind."""
        if not self._direct:
            with contextlib.suppress(OSError):
                self.temporary.unlink()


def write_whole(path: str | Path, data: bytes) -> None:
    """Write a small file that is whole at any time: the new one, or the one before it.

    Raises:
        OutputError: it cannot be written.
    """
    whole = Replacement(path)
    try:
        whole.temporary.write_bytes(data)
    except OSError as e:
        whole.discard()
        raise fault(whole.path, e) from e
    except BaseException:
        whole.discard()
        raise
    whole.commit()


def make_folder(path: Path) -> None:
    """Make a folder for results, and those above it, unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(f"{path}: no folder can be made: {e.strerror}", "name another") from e


def _hidden(name: str) -> str:
    """What a temporary file's name begins with: a long name has no room for all of it."""
    return "." + os.fsdecode(os.fsencode(name)[:LONGEST]) + "."


def fault(path: Path, e: OSError) -> OutputError:
    """An OSError as ours."""
    hint = "free some space" if e.errno == 28 else "choose another place"
    return OutputError(f"{path} cannot be written: {e.strerror or e}", hint)
