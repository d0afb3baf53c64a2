"""`Journal`: what has been done of an archive, a line a file, on disk as soon as it is done.

It lies beside the table, `tags.parquet.journal`, and goes when the table is there. A run that
was killed leaves it, whole but perhaps for its last line, and the next run goes on from it.
One process writes it at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from realtime.archive.files import Entry
from realtime.archive.job import Outcome
from realtime.errors import OutputError, UsageError
from realtime.outputs.replace import fault

VERSION = 1
SYNC_S = 5.0  # what a loss of power may cost
NOTHING = (-1, -1, -1, False)

Place = tuple[int, int, int, bool]  # where its line begins; size, date, and whether it was read


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    version: int
    key: str


class Journal:
    """The outcomes of one job.

    Args:
        path: the file; made, or gone on with.
        key: of the job.

    Raises:
        UsageError: the journal is of another job.
        OutputError: it cannot be written, or another process writes it.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._at: dict[str, Place] = {}
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as e:
            raise fault(path, e) from e
        try:
            self._lock()
            self._read(key)
        except OSError as e:
            self._file.close()
            raise fault(path, e) from e
        except BaseException:
            self._file.close()
            raise
        self._synced = time.monotonic()

    def left(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries that are still to be done: new, changed, or not read the last time."""
        return [e for e in entries if self._at.get(e.name, NOTHING)[1:] != (*_mark(e), True)]

    def left_over(self, entries: Sequence[Entry]) -> bool:
        """Whether there are entries that nothing is known of."""
        return any(self._at.get(e.name, NOTHING)[1:3] != _mark(e) for e in entries)

    def add(self, outcome: Outcome) -> None:
        """Write an outcome; it outlives this process at once.

        Raises:
            OutputError: the disk is full.
        """
        line = msgspec.json.encode(outcome) + b"\n"
        try:
            at = self._file.seek(0, os.SEEK_END)
            self._write(line)
            if time.monotonic() - self._synced > SYNC_S:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as e:
            raise fault(self.path, e) from e
        self._keep(outcome, at)

    def outcomes(self, entries: Sequence[Entry]) -> Iterator[Outcome]:
        """What became of these entries, in their order.

        Raises:
            OutputError: the journal cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                for entry in entries:
                    file.seek(self._at[entry.name][0])
                    yield msgspec.json.decode(file.readline(), type=Outcome)
        except OSError as e:
            raise fault(self.path, e) from e

    def close(self, done: bool) -> None:
        """Let go of the file; remove it when the table is there, or nothing was done."""
        if done or not self._at:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # a system without: two runs at once are then the user's own care
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise OutputError(
                f"{self.path} is being written by another rt-tag",
                "wait for it, or name another -o",
            ) from e

    def _read(self, key: str) -> None:
        """Find the outcomes of runs before this one."""
        self._file.seek(0)
        whole = 0  # bytes of complete lines
        with os.fdopen(os.dup(self._file.fileno()), "rb") as lines:
            for number, line in enumerate(lines):
                if not line.endswith(b"\n"):
                    break
                if number == 0:
                    self._check(line, key)
                else:
                    outcome = self._decode(line)
                    if outcome is not None:
                        self._keep(outcome, whole)
                whole += len(line)
        self._file.truncate(whole)  # a line that was being written when the process died
        if not whole:
            self._begin(key)

    def _begin(self, key: str) -> None:
        try:
            self._write(msgspec.json.encode(Head(VERSION, key)) + b"\n")
        except OSError:  # a full disk: there is nothing in it to keep
            self.path.unlink(missing_ok=True)
            raise

    def _check(self, line: bytes, key: str) -> None:
        try:
            head = msgspec.json.decode(line, type=Head)
        except msgspec.DecodeError as e:
            raise UsageError(f"{self.path} is no journal", "name another -o") from e
        if head != Head(VERSION, key):
            raise UsageError(
                f"{self.path} is of a run with another model or other settings",
                "repeat that command, remove the file, or name another -o",
            )

    def _decode(self, line: bytes) -> Outcome | None:
        try:
            return msgspec.json.decode(line, type=Outcome)
        except msgspec.DecodeError:  # a disk's fault: its file is done again
            return None

    def _keep(self, outcome: Outcome, at: int) -> None:
        self._at[outcome.name] = (at, outcome.size, outcome.changed, not outcome.fault)

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[self._file.write(left) or 0 :]


def _mark(entry: Entry) -> tuple[int, int]:
    return entry.size, entry.changed
