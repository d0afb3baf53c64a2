"""Where results go: terminal, JSON lines, CSV, picture. Each output takes what the engine says and is closed once."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray


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
    """A device was lost, came back, or is silent."""

    state: str
    name: str
    t: float


class Dropped(msgspec.Struct, frozen=True, tag="dropped", tag_field="event"):
    """Samples were lost (`frames` at the input's rate)."""

    t: float
    frames: int


Event = Start | Stop | DeviceEvent | Dropped


class Reading(msgspec.Struct, frozen=True):
    """What the model heard at one decision, before it is turned into events.

    Args:
        t: end of the window, seconds.
        scores: smoothed scores, float32 [labels].
        level_db: RMS of the last hop, dBFS.
    """

    t: float
    scores: NDArray[np.float32]
    level_db: float


class Output(Protocol):
    """Takes results. Called from the engine's thread only."""

    def open(self, labels: tuple[str, ...], source: str) -> None:
        """A new input starts."""
        ...

    def reading(self, reading: Reading) -> None:
        """One decision's scores."""
        ...

    def event(self, event: Event) -> None:
        """Something happened."""
        ...

    def close(self) -> None:
        """The last input ended."""
        ...
