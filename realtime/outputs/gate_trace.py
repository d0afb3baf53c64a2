"""`--trace`: every decision of a gate as CSV, complete or not at all."""

from __future__ import annotations

from pathlib import Path

from realtime.outputs.gate import Audio, GateEvent, GateOpening, GateReading
from realtime.outputs.rows import Rows

HEADER = "time_s,score,open,gain_db,level_db"


class GateTrace:
    """A row for each decision; a `GateOutput`. The columns are a public surface.

    `time_s` has four decimals: at 22050 Hz the decisions lie between milliseconds.

    Args:
        path: the file.

    Raises:
        OutputError: the file cannot be made; also later, when the disk is full.
    """

    def __init__(self, path: str | Path) -> None:
        self._rows = Rows(path)

    def open(self, opening: GateOpening) -> None:
        """The input starts."""
        self._rows.write(HEADER)

    def sound(self, before: Audio, after: Audio) -> None:
        """Sound is not traced."""

    def reading(self, reading: GateReading) -> None:
        """Write one row."""
        r = reading
        self._rows.write(f"{r.t:.4f},{r.score:.4f},{r.open:d},{r.gain_db:.2f},{r.level_db:.2f}")

    def event(self, event: GateEvent) -> None:
        """Events are in the rows."""

    def end(self, t: float) -> None:
        """The input is over."""
        self._rows.flush()

    def close(self, complete: bool) -> None:
        """Give the file its name, or leave what was there."""
        self._rows.close(complete)
