"""`Rows`: lines of text in a file that is complete or not there: `--scores`, `--trace`."""

from __future__ import annotations

from pathlib import Path

from realtime.outputs.replace import Replacement, fault

FLUSH_ROWS = 500  # a full disk shows early in a long run


class Rows:
    """A file of lines that takes its name when it is complete.

    Args:
        path: the file.

    Raises:
        OutputError: the file cannot be made; also later, when the disk is full.
    """

    def __init__(self, path: str | Path) -> None:
        self._replacement = Replacement(path)
        try:
            self._stream = self._replacement.temporary.open("w", newline="", encoding="utf-8")
        except OSError as e:
            self._replacement.discard()
            raise fault(self._replacement.path, e) from e
        self._rows = 0

    def write(self, line: str) -> None:
        """Add a line; its end is added."""
        try:
            self._stream.write(line + "\n")
            self._rows += 1
            if self._rows % FLUSH_ROWS == 0:
                self._stream.flush()
        except OSError as e:
            raise fault(self._replacement.path, e) from e

    def flush(self) -> None:
        """Let the lines so far reach the disk."""
        try:
            self._stream.flush()
        except OSError as e:
            raise fault(self._replacement.path, e) from e

    def close(self, complete: bool) -> None:
        """Give the file its name, or leave what was there."""
        self._replacement.end(self._stream, complete)
