"""Where results go: terminal, JSON lines, CSV, picture, services.

Each output takes what the engine says, from the engine's thread, in the order of audio time:
`open` for each input, then `reading` and `event`, then `end`; `close` once after the last.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Start(msgspec.Struct, frozen=True, tag="start", tag_field="event"):
    """A sound starts. `t` seconds of audio since the first sample; `score` 0 to 1."""

    label: str
    t: float
    score: float


class Stop(msgspec.Struct, frozen=True, tag="stop", tag_field="event"):
    """A sound ends. `peak` is the best score between start and stop."""

    label: str
    t: float
    peak: float


class DeviceEvent(msgspec.Struct, frozen=True, tag="device", tag_field="event"):
    """A device was "lost", came "back", is "silent" (gives only zeros) or "sounding" again."""

    state: str
    name: str
    t: float


class Dropped(msgspec.Struct, frozen=True, tag="dropped", tag_field="event"):
    """Samples were lost directly before `t` (`frames` at the input's rate)."""

    t: float
    frames: int


class Pace(msgspec.Struct, frozen=True, tag="pace", tag_field="event"):
    """Decisions fall "behind" the sound by `seconds`, or are "keeping up" again."""

    state: str
    seconds: float
    t: float


class Clock(msgspec.Struct, frozen=True, tag="clock", tag_field="event"):
    """The device's clock is "drifting" against the computer's by `ppm`, or "steady" again.

    Above 0 the device gives fewer samples a second than its rate says.
    """

    state: str
    ppm: float
    t: float


Event = Start | Stop | DeviceEvent | Dropped | Pace | Clock


class Opening(msgspec.Struct, frozen=True):
    """What an output learns of an input before anything else.

    Args:
        source: name of the input: a file's path, "-", or a device's name.
        model: name of the model.
        labels: names of the scores, in order.
        thresholds: score at which each label starts, float32 [labels].
        background: labels that never make an event.
        rate: Hz of the sound in readings.
        hop_s: seconds between two readings.
        live: whether the input goes on in real time.
        input_rate: Hz of the input itself.
    """

    source: str
    model: str
    labels: tuple[str, ...]
    thresholds: Array
    background: tuple[str, ...]
    rate: int
    hop_s: float
    live: bool
    input_rate: int = 0


class Reading(msgspec.Struct, frozen=True):
    """What the model heard at one decision, before it is turned into events.

    Args:
        t: end of the window, seconds since the first sample.
        scores: smoothed scores, float32 [labels].
        level_db: RMS of the last hop, dBFS; a full-scale square wave has 0.
        audio: the last hop's sound, mono at the opening's rate, float32 [samples]. The sound of
            all readings in a row is the whole input; the last one may be short.
    """

    t: float
    scores: Array
    level_db: float
    audio: Array


class Output(Protocol):
    """Takes results. Called from the engine's thread only."""

    def open(self, opening: Opening) -> None:
        """A new input starts."""
        ...

    def reading(self, reading: Reading) -> None:
        """One decision's scores."""
        ...

    def event(self, event: Event) -> None:
        """Something happened."""
        ...

    def end(self, t: float) -> None:
        """This input ended after `t` seconds of audio."""
        ...

    def close(self, complete: bool) -> None:
        """No more inputs. Not `complete`: the run failed; what the user had before stays."""
        ...


class Service(Output, Protocol):
    """An output to somebody outside, who may be slow or away."""

    def counts(self) -> str:
        """What arrived, and what was LOST; no secrets."""
        ...
