"""`IdleSource`: no sound, until it is closed; for a service that hears only satellites."""

from __future__ import annotations

import time
from collections.abc import Iterator

from realtime.sources import Block, DeviceChange

POLL_S = 0.2


class IdleSource:
    """A device that is none."""

    name = "none"
    rate = 16_000
    channels = 1
    live = True

    def __init__(self) -> None:
        self._closed = False  # no lock: a signal's handler calls `close`

    def blocks(self) -> Iterator[Block | DeviceChange]:
        """Nothing, for as long as it takes."""
        while not self._closed:
            time.sleep(POLL_S)
        yield from ()

    def close(self) -> None:
        """End."""
        self._closed = True
