"""Where sound comes from: a device, a file or a pipe, behind one protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # [samples, channels], -1 to 1


class Block(msgspec.Struct, frozen=True):
    """A piece of sound.

    Args:
        audio: float32 [samples, channels] at the source's rate.
        position: samples since the start, at the source's rate, of the first sample; it jumps where samples
            were lost.
        dropped: samples lost directly before this block.
    """

    audio: Audio
    position: int
    dropped: int = 0


class DeviceChange(msgspec.Struct, frozen=True):
    """A device was lost, came back, or gives only zeros ("silent") / sound again ("sounding")."""

    state: str
    name: str
    position: int


class Source(Protocol):
    """A stream of blocks. Iterating opens it; `close` may be called from a signal handler or another thread."""

    name: str
    rate: int
    channels: int
    live: bool

    def blocks(self) -> Iterator[Block | DeviceChange]:
        """Blocks until the end of the input or `close`."""
        ...

    def close(self) -> None:
        """Stop: `blocks` ends soon after."""
        ...
