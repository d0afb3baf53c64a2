"""What a gate tells its outputs: openings, readings, sound. The events are a public surface.

Made by `realtime.gate.stream` and `realtime.duplex`; taken by JSON lines, the trace and the
picture, in the order of audio time: `open`, then `sound`, `reading` and `event`, then `end`;
`close` once at the end.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.outputs import DeviceEvent, Dropped

Audio = NDArray[np.float32]  # [samples, channels]


class Opened(msgspec.Struct, frozen=True, tag="open", tag_field="event"):
    """The gate opens from `t` seconds on; `reason` says why, for people."""

    t: float
    score: float
    reason: str


class Closed(msgspec.Struct, frozen=True, tag="close", tag_field="event"):
    """The gate closes from `t` seconds on."""

    t: float
    score: float


GateEvent = Opened | Closed | DeviceEvent | Dropped


class GateOpening(msgspec.Struct, frozen=True):
    """What an output learns of an input before anything else.

    Args:
        source: name of the input.
        model: name of the model; empty for the level gate.
        rate: Hz of the sound.
        channels: of the sound.
        threshold: score at which it opens, or level in dBFS for the level gate.
        close_under: score or level under which it closes.
        range_db: gain of the closed gate.
        lookahead_s: seconds.
        duck: whether it is the other way round.
        live: whether the input goes on in real time.
    """

    source: str
    model: str
    rate: int
    channels: int
    threshold: float
    close_under: float
    range_db: float
    lookahead_s: float = 0.0
    duck: bool = False
    live: bool = False


class GateReading(msgspec.Struct, frozen=True):
    """One decision.

    Args:
        t: the instant at which it takes effect in the output, seconds. Nothing after `t` and
            the look-ahead had been heard.
        score: p(open); of the level gate 1 or 0, as it is open or not.
        open: what was decided.
        gain_db: gain at `t`; a change that begins at `t` shows in the gains after it.
        level_db: RMS of the key in the hop that ends with the decision, dBFS.
        peak_db: its largest sample, which is what a level gate goes by.
    """

    t: float
    score: float
    open: bool
    gain_db: float
    level_db: float
    peak_db: float


class GateOutput(Protocol):
    """Takes what a gate tells. Called from one thread."""

    def open(self, opening: GateOpening) -> None:
        """An input starts."""
        ...

    def sound(self, before: Audio, after: Audio) -> None:
        """The next samples, as they came and gated, aligned; float32 [n, channels] each."""
        ...

    def reading(self, reading: GateReading) -> None:
        """One decision."""
        ...

    def event(self, event: GateEvent) -> None:
        """Something happened."""
        ...

    def end(self, t: float) -> None:
        """The input ended after `t` seconds of audio."""
        ...

    def close(self, complete: bool) -> None:
        """No more. Not `complete`: the run failed; what the user had before stays."""
        ...
