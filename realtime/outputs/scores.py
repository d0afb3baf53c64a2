"""`--scores`: every decision's scores as CSV, complete or not at all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from realtime.outputs import Event, Opening, Reading
from realtime.outputs.rows import Rows


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
        self._rows = Rows(path)
        self._name_file = name_file
        self._lead: list[str] = []
        self._labels: tuple[str, ...] = ()

    def open(self, opening: Opening) -> None:
        """A new input starts; the header comes before the first."""
        self._lead = [opening.source] if self._name_file else []
        if not self._labels:
            self._labels = opening.labels
            head = ["file"] if self._name_file else []
            self._write([*head, "time_s", *opening.labels])

    def reading(self, reading: Reading) -> None:
        """Write one row."""
        scores = [f"{score:.4f}" for score in reading.scores.tolist()]
        self._write([*self._lead, f"{reading.t:.3f}", *scores])

    def event(self, event: Event) -> None:
        """Events are not scores."""

    def end(self, t: float) -> None:
        """Flush at the end of each input."""
        self._rows.flush()

    def close(self, complete: bool) -> None:
        """Give the file its name, or leave what was there."""
        self._rows.close(complete)

    def _write(self, row: list[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        self._rows.write(line.getvalue())
