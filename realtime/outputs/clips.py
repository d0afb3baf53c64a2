"""`--save-clips DIR`: keep the sound of detections and of near misses; an `Output`.

A detection is kept from before the window that decided it to after its end. A near miss is a
score that came close to its threshold, or over it, and made no event: what to learn from next.
The last seconds of sound are kept in memory for that; only a thread of its own writes
(`clip_files`), so a slow card stalls nothing. With a voice gate, a clip in which it hears a
person is dropped before anything is written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.outputs import Event, Opening, Reading, Start, Stop
from realtime.outputs.clip_files import Clip, ClipFolder
from realtime.outputs.delivery import Delivery
from realtime.service_fields import ClipSettings

Audio = NDArray[np.float32]  # [samples], mono
Person = Callable[[Audio, int], bool]  # sound and its rate to whether a person is heard

WAITING = 8  # clips
PATIENCE_S = 10.0  # at the end
RESTED_S = 5.0  # from one near miss of a label to the next


class _Open(msgspec.Struct):
    """A clip that is not over yet. Times are seconds of audio."""

    label: str
    kind: str
    began: float
    score: float
    until: float  # it is written when the sound has come so far


class Clips:
    """Keeps clips.

    Args:
        settings: where, how much and how long.
        window_s: length of the model's window: a decision at its end is about what is in it.
        person: says whether a person is heard; None keeps every clip.

    Attributes:
        held_back: clips in which a person was heard.

    Raises:
        OutputError: the folder cannot be made or written.
    """

    def __init__(
        self, settings: ClipSettings, window_s: float, person: Person | None = None
    ) -> None:
        self._settings = settings
        self._window_s = window_s
        self._person = person
        self.held_back = 0
        self._folder = ClipFolder(settings.folder, settings.most_mb, settings.most_days)
        self.delivery: Delivery[Clip] = Delivery(
            f"clips {settings.folder}", self._write, capacity=WAITING
        )
        self._opening: Opening | None = None

    def open(self, opening: Opening) -> None:
        """A new input starts: nothing has been heard."""
        self._opening = opening
        self._sound: deque[Audio] = deque()
        self._samples = 0  # in the deque
        self._now = 0.0
        self._running: dict[str, _Open] = {}  # detections by label
        self._ending: list[_Open] = []
        self._near: dict[str, _Open] = {}
        self._on: set[str] = set()  # labels between start and stop, clip or no clip
        self._rested: dict[str, float] = {}
        keep_s = self._settings.before_s + self._window_s + self._settings.longest_s + 1.0
        self._keep = round(keep_s * opening.rate)

    def reading(self, reading: Reading) -> None:
        """Remember the sound, notice near misses, hand on clips that are over."""
        self._sound.append(reading.audio)
        self._samples += len(reading.audio)
        while self._samples - len(self._sound[0]) > self._keep:
            self._samples -= len(self._sound.popleft())
        self._now = reading.t
        if self._settings.near > 0:
            self._watch(reading)
        for clip in self._running.values():
            if reading.t - clip.began > self._settings.longest_s:
                clip.until = min(clip.until, reading.t)  # once; its stop comes later
        over = [c for c in (*self._ending, *self._running.values()) if c.until <= reading.t]
        for clip in over:
            self._hand_on(clip)

    def event(self, event: Event) -> None:
        """A start begins a clip, its stop ends it."""
        s = self._settings
        if isinstance(event, Start):
            self._near.pop(event.label, None)
            self._on.add(event.label)
            began = event.t - self._window_s - s.before_s
            clip = _Open(event.label, "detection", began, event.score, float("inf"))
            self._running[event.label] = clip
        elif isinstance(event, Stop):
            self._on.discard(event.label)
            self._rested[event.label] = event.t + RESTED_S
            running = self._running.pop(event.label, None)
            if running is not None:
                running.score = max(running.score, event.peak)
                running.until = event.t + s.after_s
                self._ending.append(running)

    def end(self, t: float) -> None:
        """What is open ends with the input."""
        for clip in (*self._near.values(), *self._running.values(), *self._ending):
            clip.until = min(clip.until, t)
            self._hand_on(clip)
        self._near.clear()

    def close(self, complete: bool) -> None:
        """Write what waits, for a while."""
        self.delivery.close(PATIENCE_S)

    def counts(self) -> str:
        """How many were kept, held back and lost."""
        held = f", {self.held_back} with a person not kept" if self.held_back else ""
        return self.delivery.counts().replace("delivered", "kept") + held

    def _watch(self, reading: Reading) -> None:
        """Begin, follow and end near misses."""
        opening = self._opening
        if opening is None:
            return
        close = np.flatnonzero(reading.scores >= opening.thresholds - self._settings.near)
        labels = {opening.labels[i]: float(reading.scores[i]) for i in close}
        for label, score in labels.items():
            if label in opening.background or label in self._on:
                continue
            near = self._near.get(label)
            if near is not None:
                near.score = max(near.score, score)
            elif reading.t >= self._rested.get(label, 0.0):
                began = reading.t - self._window_s - self._settings.before_s
                self._near[label] = _Open(label, "near", began, score, float("inf"))
        for label in list(self._near):
            near = self._near[label]
            if label not in labels or reading.t - near.began > self._settings.longest_s:
                near.until = reading.t + self._settings.after_s
                self._rested[label] = reading.t + RESTED_S
                self._ending.append(self._near.pop(label))

    def _hand_on(self, clip: _Open) -> None:
        """Cut a clip out of the sound that is kept, and leave it to be written."""
        opening = self._opening
        if clip in self._ending:
            self._ending.remove(clip)
        if self._running.get(clip.label) is clip:
            del self._running[clip.label]
        if opening is None or not self._samples:
            return
        rate = opening.rate
        kept = np.concatenate(self._sound)
        first = round(self._now * rate) - len(kept)  # where the kept sound begins
        start = max(0, round(clip.began * rate) - first)
        stop = min(len(kept), round(clip.until * rate) - first)
        stop = min(stop, start + round(self._settings.longest_s * rate))
        if stop <= start:
            return
        began = (first + start) / rate
        ago = timedelta(seconds=self._now - began)
        self.delivery.put(
            Clip(
                audio=kept[start:stop].copy(),
                rate=rate,
                label=clip.label,
                kind=clip.kind,
                score=round(clip.score, 3),
                threshold=round(float(opening.thresholds[opening.labels.index(clip.label)]), 3),
                began=datetime.now(UTC) - ago,
                t=round(began, 3),
                source=opening.source,
                model=opening.model,
            )
        )

    def _write(self, clip: Clip) -> bool:
        """Ask for the person, then write. In the delivery's thread."""
        if self._person is not None and self._person(clip.audio, clip.rate):
            self.held_back += 1
            return False
        self._folder.write(clip)
        return True
