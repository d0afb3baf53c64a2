"""Parts that do as they are told, in the places of a source, a runner and an output."""

from collections.abc import Iterator, Sequence

import numpy as np
from kit_bands import RATE

from realtime.card import Card
from realtime.outputs import Event, Opening, Reading
from realtime.sources import Block, DeviceChange


class ScriptedSource:
    """Blocks and device changes from a list, or one array cut into blocks."""

    def __init__(
        self,
        sound: np.ndarray | Sequence[Block | DeviceChange],
        rate: int = RATE,
        *,
        block: int = 800,
        live: bool = False,
        name: str = "scripted",
        fault: Exception | None = None,
    ) -> None:
        self.name, self.rate, self.live = name, rate, live
        self.fault = fault
        self.closed = False
        if isinstance(sound, np.ndarray):
            sound = sound.astype(np.float32)
            if sound.ndim == 1:
                sound = sound[:, None]
            self.script: list[Block | DeviceChange] = [
                Block(audio=sound[at : at + block], position=at)
                for at in range(0, len(sound), block)
            ]
        else:
            self.script = list(sound)
        first = next((b for b in self.script if isinstance(b, Block)), None)
        self.channels = first.audio.shape[1] if first is not None else 1

    def blocks(self) -> Iterator[Block | DeviceChange]:
        for block in self.script:
            if self.closed:
                return
            yield block
        if self.fault is not None:
            raise self.fault

    def close(self) -> None:
        self.closed = True


class GivenScores:
    """A runner that returns rows of given scores, the last one for ever; remembers windows."""

    runtime = "given"

    def __init__(self, card: Card, rows: Sequence[Sequence[float]]) -> None:
        self.card = card
        self.rows = np.asarray(rows, np.float32)
        self.windows: list[np.ndarray] = []
        self.resets = 0

    def run(self, window: np.ndarray) -> np.ndarray:
        self.windows.append(window.copy())
        return self.rows[min(len(self.windows), len(self.rows)) - 1]

    def reset(self) -> None:
        self.resets += 1


class Remembers:
    """An output that keeps everything."""

    def __init__(self) -> None:
        self.openings: list[Opening] = []
        self.readings: list[Reading] = []
        self.events: list[Event] = []
        self.ends: list[float] = []
        self.closed: list[bool] = []

    def open(self, opening: Opening) -> None:
        self.openings.append(opening)

    def reading(self, reading: Reading) -> None:
        self.readings.append(reading)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def end(self, t: float) -> None:
        self.ends.append(t)

    def close(self, complete: bool) -> None:
        self.closed.append(complete)
