"""`LiveTrace`: `--trace` of live sound: each decision as a line of CSV as soon as it is known.

`realtime.outputs.gate_trace` gives a file its name when it is complete; a live run has no end
that a program which reads along could wait for.
"""

from __future__ import annotations

from pathlib import Path

from realtime.outputs.gate import Audio, GateEvent, GateOpening, GateReading
from realtime.outputs.gate_trace import HEADER
from realtime.outputs.replace import fault


class LiveTrace:
    """A row for each decision; a `GateOutput`. The columns are those of `GateTrace`.

    Args:
        path: the file; what was in it is gone.

    Raises:
        OutputError: the file cannot be written; also later, when the disk is full.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            self._stream = self._path.open("w", encoding="utf-8", buffering=1)
        except OSError as e:
            raise fault(self._path, e) from e

    def open(self, opening: GateOpening) -> None:
        """The input starts."""
        self._write(HEADER)

    def sound(self, before: Audio, after: Audio) -> None:
        """Sound is not traced."""

    def reading(self, reading: GateReading) -> None:
        """Write one row."""
        r = reading
        self._write(f"{r.t:.4f},{r.score:.4f},{r.open:d},{r.gain_db:.2f},{r.level_db:.2f}")

    def event(self, event: GateEvent) -> None:
        """Events are in the rows."""

    def end(self, t: float) -> None:
        """All rows are written."""

    def close(self, complete: bool) -> None:
        """No more; the file stays, also of a run that failed."""
        try:
            self._stream.close()
        except OSError as e:
            if complete:
                raise fault(self._path, e) from e

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
        except OSError as e:
            raise fault(self._path, e) from e
