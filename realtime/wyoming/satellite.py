"""A satellite's sound as a source, and what is detected in it as messages. Used by `server`.

The satellite says how its sound is made; any rate, width and number of channels that a
microphone has will do, the engine resamples. What changes in the middle of a stream is an
error, told to the satellite.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from realtime.outputs import Event, Opening, Reading, Start
from realtime.sources import Block
from realtime.sources.pcm import ENCODINGS
from realtime.wyoming.wire import Message, Wire, WyomingError

WIDTHS = {2: "s16", 3: "s24", 4: "s32"}
RATES = (8_000, 192_000)  # Hz
MOST_CHANNELS = 8

Sound = tuple[int, int, int]  # rate, width, channels


class Satellite:
    """One stream of a satellite, from `audio-start` or the first chunk to `audio-stop`.

    Args:
        wire: where it comes from.
        first: the message that began it.
        other: takes messages in between that are not sound.

    Attributes:
        began_ms: timestamp of its first sample.

    Raises:
        WyomingError: sound that cannot be read.
    """

    live = True

    def __init__(self, wire: Wire, first: Message, other: Callable[[Message], None]) -> None:
        self._wire, self._first, self._other = wire, first, other
        self._sound = sound_of(first.data)
        self.rate, width, self.channels = self._sound
        self.name = "satellite"
        self.began_ms = _timestamp(first.data)
        self._decode = ENCODINGS[WIDTHS[width]].decode
        self._frame = width * self.channels  # bytes
        self._position = 0
        self._closed = False

    def blocks(self) -> Iterator[Block]:
        """Its chunks, as they come.

        Raises:
            WyomingError: no message, or other sound than was said.
        """
        message: Message | None = self._first
        while message is not None and message.type != "audio-stop" and not self._closed:
            if message.type == "audio-chunk":
                block = self._block(message)
                if block is not None:
                    yield block
            elif message.type == "audio-start":
                self._same(message.data)
            else:
                self._other(message)
            message = self._wire.read()

    def close(self) -> None:
        """End the stream with the next message. The connection stays: it is the server's."""
        self._closed = True

    def _same(self, data: dict[str, Any]) -> None:
        if sound_of(data) != self._sound:
            raise WyomingError(
                f"the sound changed within a stream from {self._sound} to {sound_of(data)} "
                "(rate, width, channels): send audio-stop first"
            )

    def _block(self, message: Message) -> Block | None:
        self._same(message.data)
        if len(message.payload) % self._frame:
            raise WyomingError(
                f"{len(message.payload)} bytes of sound are no whole number of samples of "
                f"{self._frame} bytes"
            )
        if not message.payload:
            return None
        audio = self._decode(message.payload).reshape(-1, self.channels)
        position = self._position
        self._position += len(audio)
        return Block(audio=audio, position=position)


class Detections:
    """Tells a satellite what starts; an `Output`.

    Args:
        wire: to it.
        satellite: whose clock the times are of.
        names: labels that it wants; asked each time, since it may change its mind.

    Attributes:
        count: detections told.
    """

    def __init__(
        self, wire: Wire, satellite: Satellite, names: Callable[[], Collection[str] | None]
    ) -> None:
        self._wire, self._satellite, self._names = wire, satellite, names
        self.count = 0

    def open(self, opening: Opening) -> None:
        """The stream begins."""

    def reading(self, reading: Reading) -> None:
        """Readings are not told."""

    def event(self, event: Event) -> None:
        """A start is a detection."""
        names = self._names()
        if isinstance(event, Start) and (names is None or event.label in names):
            self._wire.write(
                "detection", detection(event.label, self._satellite.began_ms, event.t)
            )
            self.count += 1

    def end(self, t: float) -> None:
        """The stream ended."""

    def close(self, complete: bool) -> None:
        """The connection is the server's."""


def detection(label: str, began_ms: int, t: float) -> dict[str, Any]:
    """The data of a detection, at `t` seconds after a timestamp."""
    return {"name": label, "timestamp": began_ms + round(1000 * t)}


def sound_of(data: dict[str, Any]) -> Sound:
    """Rate, width and channels that a message names.

    Raises:
        WyomingError: missing, or none that can be read.
    """
    rate, width, channels = (data.get(k) for k in ("rate", "width", "channels"))
    if not isinstance(rate, int) or not RATES[0] <= rate <= RATES[1]:
        raise WyomingError(f"rate is {rate}: use {RATES[0]} to {RATES[1]} Hz")
    if not isinstance(width, int) or width not in WIDTHS:
        raise WyomingError(f"width is {width}: use 2, 3 or 4 bytes, signed, little endian")
    if not isinstance(channels, int) or not 1 <= channels <= MOST_CHANNELS:
        raise WyomingError(f"channels is {channels}: use 1 to {MOST_CHANNELS}")
    return rate, width, channels


def _timestamp(data: dict[str, Any]) -> int:
    found = data.get("timestamp")
    return found if isinstance(found, int) else 0
