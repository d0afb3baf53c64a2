"""Where sound comes from: a device, a file or a pipe behind one protocol, and `open_source`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import FormatError, UsageError
from realtime.places import kind_at

Audio = NDArray[np.float32]  # [samples, channels], -1 to 1

RAW_SUFFIXES = {".raw", ".pcm"}  # headerless by convention


class Block(msgspec.Struct, frozen=True):
    """A piece of sound.

    Args:
        audio: float32 [samples, channels] at the source's rate.
        position: samples since the start, at the source's rate, of the first sample; it jumps
            where samples were lost.
        dropped: samples lost directly before this block.
    """

    audio: Audio
    position: int
    dropped: int = 0


class DeviceChange(msgspec.Struct, frozen=True):
    """A device was "lost", came "back", gives only zeros ("silent") or sounds ("sounding")."""

    state: str
    name: str
    position: int


class Source(Protocol):
    """A stream of blocks. `close` may be called from a signal handler or another thread."""

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


def open_source(
    input: str | None = None,  # noqa: A002  the name people read in `rt-tag INPUT`
    *,
    device: str | int | None = None,
    rate: int | None = None,
    channels: int | None = None,
    format: str | None = None,  # noqa: A002  the name of the option
    block_s: float = 0.05,
) -> Source:
    """Open what the command line names. Its rate and channels are known afterwards.

    A named pipe, `/dev/stdin` or a shell's `<(...)` is read like stdin; a file that ends in
    .raw or .pcm is read as raw PCM.

    Args:
        input: None for a microphone, "-" for stdin, otherwise a path.
        device: name, part of a name, or index of an input device; None for the default.
        rate: Hz. Raw PCM: what it was recorded at (default 16000). Device: what to ask of it
            (default: its own). A file with a header knows its own.
        channels: raw PCM: channels in it (default 1). Device: the most to record (default 1).
        format: raw PCM: "s16" (default), "s24", "s32" or "f32".
        block_s: longest block in seconds.

    Raises:
        UsageError: options that contradict each other or the input.
        AudioError: the input cannot be used.
    """
    if input is not None and device is not None:
        raise UsageError(
            f"both the input {input} and the device {device} are given", "leave one out"
        )
    if input is None:
        from realtime.sources.device import DeviceSource

        return DeviceSource(device, rate=rate, channels=channels, block_s=block_s)
    if input == "-" or kind_at(input) == "special":
        from realtime.sources.pipe import PipeSource

        return PipeSource(input, rate=rate, channels=channels, format=format, block_s=block_s)
    if is_raw(input) and kind_at(input) == "file":
        if rate is None:
            raise FormatError(
                f"{input}: raw PCM says nothing about itself",
                "give --rate, and --channels and --format unless it is mono s16",
            )
        from realtime.sources.pipe import PipeSource

        return PipeSource(input, rate=rate, channels=channels, format=format, block_s=block_s)
    from realtime.sources.wav import WavSource

    return WavSource(input, block_s=block_s)


def is_raw(path: str) -> bool:
    """Whether an input or output is raw PCM: stdin, stdout, a pipe, a device, .raw, .pcm."""
    if path == "-" or Path(path).suffix.lower() in RAW_SUFFIXES:
        return True
    return kind_at(path) == "special"
