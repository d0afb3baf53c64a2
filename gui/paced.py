"""`PacedFile`: a sound file that comes as slowly as it sounds; a `Source`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from realtime.sources import Block
from realtime.sources.wav import WavSource


class PacedFile:
    """A sound file at the speed of time.

    Args:
        path: the file.
        speed: times faster than time.

    Raises:
        AudioError: it cannot be read.
    """

    live = True

    def __init__(self, path: str | Path, speed: float = 1.0) -> None:
        self._source = WavSource(str(path))
        self._speed = speed
        self._closed = threading.Event()
        self.name = Path(path).name
        self.rate = self._source.rate
        self.channels = self._source.channels

    def blocks(self) -> Iterator[Block]:
        """Blocks, each when it has sounded."""
        began = time.monotonic()
        for block in self._source.blocks():
            due = (block.position + len(block.audio)) / self.rate / self._speed
            if self._closed.wait(max(0.0, began + due - time.monotonic())):
                return
            yield block

    def close(self) -> None:
        """End it now, also while it waits."""
        self._closed.set()
        self._source.close()
