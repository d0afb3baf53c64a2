"""`Key`: where the sound that decides comes from. `KeyChannels`: which channels of it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from realtime.duplex import joint
from realtime.duplex import layout as at
from realtime.duplex.layout import Memory
from realtime.errors import UsageError

JOINT_S = 1.0  # seconds of sound that a joint has room for
MARGIN_S = 0.002  # that it keeps in reserve where all is well


class KeyChannels(msgspec.Struct, frozen=True):
    """Channels side by side: how many, after the first so many."""

    first: int
    count: int

    @property
    def end(self) -> int:
        """Channels that a stream needs to have."""
        return self.first + self.count

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.first + 1}" + (f"-{self.end}" if self.count > 1 else "")


class Key(msgspec.Struct, frozen=True):
    """Where the sound that decides comes from.

    Args:
        kind: `layout.OWN`, `BESIDE` or `APART`.
        first: channel of the stream.
        channels: how many.
    """

    kind: int = at.OWN
    first: int = 0
    channels: int = 0


def key_channels(text: str) -> KeyChannels | None:
    """Read "3" or "3-4"; None for nothing.

    Raises:
        UsageError: anything else.
    """
    if not text:
        return None
    found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", text)
    if found:
        first, last = int(found[1]), int(found[2] or found[1])
        if 1 <= first <= last <= at.MOST_CHANNELS:
            return KeyChannels(first - 1, last - first + 1)
    raise UsageError(
        f"--key-channels {text} names no channels",
        f"write 3, or 3-4; they count from 1 to {at.MOST_CHANNELS}",
    )


def prepare_joint(
    memory: Memory, rate: int, rate_out: int, outputs: int, block: int = 0
) -> None:
    """Write down what a joint needs to know before sound runs.

    Args:
        memory: the memory.
        rate: Hz of what goes in,
        rate_out: and of what comes out.
        outputs: channels.
        block: word at which the joint's part of the memory begins.
    """
    ints: Any = memory.ints[block:]
    floats, singles = memory.floats[block:], memory.singles[2 * block :]
    ratio = rate / rate_out
    floats[at.RATIO], floats[at.MARGIN] = ratio, MARGIN_S * rate
    ints[at.RATE], ints[at.OUTPUTS] = rate, outputs
    ints[at.CAPACITY_OUT] = power(JOINT_S * rate, at.JOINT_FLOATS // outputs)
    ints[at.TAPS], table = joint.make_table(ratio)
    singles[at.TABLE : at.TABLE + table.size] = table.ravel()


def power(least: float, most: int) -> int:
    """The least power of two that is enough, if there is room for it."""
    size = 1
    while size < least and 2 * size <= most:
        size *= 2
    return size
