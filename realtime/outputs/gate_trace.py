"""`--trace`: every decision of a gate as CSV, complete or not at all."""

from __future__ import annotations

from pathlib import Path

from realtime.errors import OutputError
from realtime.outputs.gate import Audio, GateEvent, GateOpening, GateReading
from realtime.outputs.replace import Replacement, fault

HEADER = "time_s,score,open,gain_db,level_db"
FLUSH_ROWS = 500  # a full disk shows early in a long run


class GateTrace:
    """A row for each decision; a `GateOutput`. The columns are a public surface.

    `time_s` has four decimals: at 22050 Hz the decisions lie between milliseconds.

    Args:
        path: the file.

    Raises:
        OutputError: the file cannot be made; also later, when the disk is full.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._replacement = Replacement(path)
        try:
            self._stream = self._replacement.temporary.open("w", encoding="utf-8")
        except OSError as e:
            self._replacement.discard()
            raise fault(self._path, e) from e
        self._rows = 0

    def open(self, opening: GateOpening) -> None:
        """The input starts."""
        self._write(HEADER)

    def sound(self, before: Audio, after: Audio) -> None:
        """Sound is not traced."""

    def reading(self, reading: GateReading) -> None:
        """Write one row."""
        r = reading
        self._write(f"{r.t:.4f},{r.score:.4f},{r.open:d},{r.gain_db:.2f},{r.level_db:.2f}")
        self._rows += 1
        if self._rows % FLUSH_ROWS == 0:
            self._flush()

    def event(self, event: GateEvent) -> None:
        """Events are in the rows."""

    def end(self, t: float) -> None:
        """The input is over."""
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

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
        except OSError as e:
            raise self._failed(e) from e

    def _flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as e:
            raise self._failed(e) from e

    def _failed(self, e: OSError) -> OutputError:
        return fault(self._path, e)
