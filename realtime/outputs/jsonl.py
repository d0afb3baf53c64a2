"""Events as JSON lines on a stream, each flushed at once. The fields are a public surface.

Serves rt-tag and rt-gate: an `Output` and a `GateOutput`.
"""

from __future__ import annotations

from typing import TextIO

import msgspec

from realtime.outputs import Opening, Reading
from realtime.outputs.gate import Audio, GateOpening, GateReading
from realtime.outputs.message import fields_of_event


class JsonLines:
    """One JSON object a line.

    Args:
        stream: where to write, usually stdout.
        name_file: add "file" to every object (several inputs).
    """

    def __init__(self, stream: TextIO, *, name_file: bool = False) -> None:
        self._stream = stream
        self._name_file = name_file
        self._file = ""

    def open(self, opening: Opening | GateOpening) -> None:
        """A new input starts."""
        self._file = opening.source

    def reading(self, reading: Reading | GateReading) -> None:
        """Readings are not events: `--scores` and `--trace` write them."""

    def sound(self, before: Audio, after: Audio) -> None:
        """Nor is sound."""

    def event(self, event: msgspec.Struct) -> None:
        """Write one line and flush it."""
        fields = fields_of_event(event)
        if self._name_file:
            fields["file"] = self._file
        self._stream.write(msgspec.json.encode(fields).decode() + "\n")
        self._stream.flush()

    def end(self, t: float) -> None:
        """Every start had its stop already."""

    def close(self, complete: bool) -> None:
        """Flush what is left."""
        self._stream.flush()
