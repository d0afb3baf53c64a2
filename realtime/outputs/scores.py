"""`--scores`: every decision's scores as CSV, complete or not at all."""

from __future__ import annotations

import csv
from pathlib import Path

from realtime.errors import OutputError
from realtime.outputs import Event, Opening, Reading
from realtime.outputs.replace import Replacement, fault

FLUSH_S = 5.0  # seconds of audio between flushes: a full disk shows early in a long run


class ScoresCsv:
    """A row for each decision: `time_s,<label>,...`; an `Output`.

    With several inputs the first column is `file`. The file takes its name when the run is
    over; an interrupted run counts as over, a failed one does not.

    Args:
        path: the file.
        name_file: add the column `file`.

    Raises:
        OutputError: the file cannot be made; also later, when the disk is full.
    """

    def __init__(self, path: str | Path, *, name_file: bool = False) -> None:
        self._path = Path(path)
        self._replacement = Replacement(path)
        self._stream = self._replacement.temporary.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._name_file = name_file
        self._lead: list[str] = []
        self._labels: tuple[str, ...] = ()
        self._flushed = 0.0

    def open(self, opening: Opening) -> None:
        """A new input starts; the header comes before the first."""
        self._lead = [opening.source] if self._name_file else []
        self._flushed = 0.0
        if not self._labels:
            self._labels = opening.labels
            head = ["file"] if self._name_file else []
            self._write([*head, "time_s", *opening.labels])

    def reading(self, reading: Reading) -> None:
        """Write one row."""
        scores = [f"{score:.4f}" for score in reading.scores.tolist()]
        self._write([*self._lead, f"{reading.t:.3f}", *scores])
        if reading.t - self._flushed >= FLUSH_S:
            self._flushed = reading.t
            self._flush()

    def event(self, event: Event) -> None:
        """Events are not scores."""

    def end(self, t: float) -> None:
        """Flush at the end of each input."""
        self._flush()

    def close(self, complete: bool) -> None:
        """Give the file its name, or leave what was there."""
        try:
            self._stream.close()
        except OSError as e:
            self._replacement.discard()
            if complete:
                raise fault(self._path, e) from e
            return
        if complete:
            self._replacement.commit()
        else:
            self._replacement.discard()

    def _write(self, row: list[str]) -> None:
        try:
            self._writer.writerow(row)
        except OSError as e:
            raise self._failed(e) from e

    def _flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as e:
            raise self._failed(e) from e

    def _failed(self, e: OSError) -> OutputError:
        return fault(self._path, e)
