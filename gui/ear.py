"""`Ear`: what the tag page's engine hears, made ready for drawing, in bounded queues.

The engine's thread fills them, the page empties them when it draws. Neither waits for the
other: what nobody drew is dropped from the far end and counted.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.decide import Decider
from realtime.outputs import (
    DeviceEvent,
    Dropped,
    Event,
    Opening,
    Pace,
    Reading,
    Start,
    Stop,
)
from realtime.outputs.bands import Bands

Array = NDArray[np.float32]

COLUMN_S: Final = 0.02  # seconds in a column of the spectrogram
BANDS: Final = 96
FLOOR_DB: Final = -120.0
QUEUE_S: Final = 6.0  # readings that wait for a page that does not draw
MOST_TAGS: Final = 1000  # events likewise
CLIP_S: Final = 10.0  # longest clip of an event
BEFORE_S: Final = 0.2  # kept before the window that decided

_numbers = itertools.count()


class Moment(msgspec.Struct, frozen=True):
    """One decision.

    Attributes:
        t: seconds since the first sample.
        scores: float32 [labels].
        level_db: of the hop's sound.
        begin: when the first column's middle is.
        columns: level of the bands, dB, float32 [columns, BANDS].
    """

    t: float
    scores: Array
    level_db: float
    begin: float
    columns: Array


class Tag(msgspec.Struct, frozen=True):
    """A sound that was named; told when it starts, and again when it ends.

    Attributes:
        number: of the event; both tellings have the same, no other event of the panel does.
        label: its name.
        start: seconds since the first sample.
        stop: None while it lasts.
        score: at the start; the best one when it has ended.
        rate: Hz of the clip.
        clip: the sound around it, int16 [samples]; empty while it lasts.
    """

    number: int
    label: str
    start: float
    stop: float | None
    score: float
    rate: int
    clip: NDArray[np.int16] = msgspec.field(default_factory=lambda: np.zeros(0, np.int16))


class Ear:
    """An `Output` for one input.

    Args:
        window_s: seconds of sound that the model decides on: a clip begins so early.

    Attributes:
        moments: decisions, the oldest first; take them from the left.
        tags: events likewise.
        notices: what became of the device, lost samples, a model too slow, likewise.
        skipped: decisions that were dropped because nobody took them.
        decider: where thresholds go, once there is an engine.
    """

    def __init__(self, window_s: float) -> None:
        self.moments: deque[Moment] = deque(maxlen=1)
        self.tags: deque[Tag] = deque(maxlen=MOST_TAGS)
        self.notices: deque[DeviceEvent | Dropped | Pace] = deque(maxlen=MOST_TAGS)
        self.skipped = 0
        self.decider: Decider | None = None
        self._before_s = window_s + BEFORE_S
        self._wanted: Mapping[str, float] | None = None
        self._open: dict[str, Tag] = {}

    def steer(self, thresholds: Mapping[str, float]) -> None:
        """Ask for other thresholds; from any thread. The engine takes them at its next hop."""
        self._wanted = thresholds  # a mailbox for one letter: a newer one takes its place

    def open(self, opening: Opening) -> None:
        """The input starts."""
        self._rate = opening.rate
        self.moments = deque(maxlen=max(4, round(QUEUE_S / opening.hop_s)))
        self._bands = Bands(opening.rate, COLUMN_S, BANDS)
        self._sound: deque[tuple[float, NDArray[np.int16]]] = deque(
            maxlen=max(2, round((CLIP_S + self._before_s) / opening.hop_s))
        )

    def reading(self, reading: Reading) -> None:
        """Take a hop's sound and scores."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None and self.decider is not None:
            self.decider.steer(wanted)
        frames = self._bands.frames(reading.audio, reading.t)
        power = np.array([p for _, p in frames], np.float32).reshape(-1, BANDS)
        columns = 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0)))
        begin = frames[0][0] if frames else reading.t
        if len(self.moments) == self.moments.maxlen:
            self.skipped += 1
        self.moments.append(
            Moment(reading.t, reading.scores.copy(), reading.level_db, begin, columns)
        )
        whole = np.clip(reading.audio * 32767.0, -32768.0, 32767.0).astype(np.int16)
        self._sound.append((reading.t, whole))

    def event(self, event: Event) -> None:
        """Take what happened."""
        if isinstance(event, Start):
            tag = Tag(next(_numbers), event.label, event.t, None, event.score, self._rate)
            self._open[event.label] = tag
            self.tags.append(tag)
        elif isinstance(event, Stop):
            start = self._open.pop(event.label, None)
            if start is not None:
                clip = self._clip(start.start - self._before_s, event.t)
                self.tags.append(
                    msgspec.structs.replace(start, stop=event.t, score=event.peak, clip=clip)
                )
        elif isinstance(event, DeviceEvent | Dropped | Pace):
            self.notices.append(event)

    def end(self, t: float) -> None:
        """The input is over."""

    def close(self, complete: bool) -> None:
        """Nothing to close."""

    def _clip(self, begin: float, end: float) -> NDArray[np.int16]:
        """The sound between two times, as far as it is kept."""
        end = min(end, begin + CLIP_S)
        parts = [
            audio for t, audio in self._sound if t > begin and t - len(audio) / self._rate < end
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)
