"""Scores become events: smoothing, thresholds with hysteresis, patience, refractory time.

`Decider.update` takes the scores of one window and the instant `at` of their decision, in
samples of audio since the start: the end of the window, for nothing later had been heard. All
times are samples; whoever prints them divides by the rate.

What happens to the scores, in this order:

1. `average`: the mean over the last so many windows. Windows before the first count as zero.
2. `smoothing_s`: exponential smoothing with this time constant, from zero.

The result is what events are decided on, what `Decider.scores` shows and what events report.

Each label is an automaton of its own:

    IDLE ──over──▶ RISING ──over for `confirm` windows──▶ OPEN ──closed──▶ RESTING ──▶ IDLE
      ▲───under──────┘                                     ▲                  │
                                                           └─────confirmed────┘
                                              once `refractory_s` have passed since the start

- *over*: the score reaches the label's threshold. With `exclusive` it must also be the best of
  all scores, those of background labels included.
- A start is at the window that confirms it: the `confirm`-th in a row that is over.
- *closed*: the score is under `threshold - hysteresis`, but never lower than half of the
  threshold (an event must be able to end), and the event is `min_duration_s` old. With
  `exclusive`, another label that starts closes it as well, at that instant.
- `refractory_s` counts from the start of an event, longer or shorter than the event itself.
  Windows that are over while it runs count for `confirm`, so a sound that persists starts again
  as soon as it may.
- Labels in `background` never start.

Promises: every start has one stop, not before it and of the same label; a label never starts
twice without a stop between; times never go back; `finish` closes whatever is open. Overlapping
windows that show one sound give one event, for an open label cannot start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card, Decision

Array = NDArray[np.float32]


class State(Enum):
    """Where one label is."""

    IDLE = "idle"
    RISING = "rising"
    OPEN = "open"
    RESTING = "resting"


class Change(msgspec.Struct, frozen=True):
    """A label starts or stops.

    Args:
        kind: which.
        label: its name.
        at: samples since the start of the audio.
        score: of a start, the score that decided; of a stop, the best since the start.
    """

    kind: Literal["start", "stop"]
    label: str
    at: int
    score: float


class Decider:
    """Turns a stream of scores into starts and stops; see the module.

    Args:
        card: labels, thresholds, rate and decision of the model.
        decision: in place of the card's.
        thresholds: label to threshold, over the card's; "default" is for labels not named in
            either.
    """

    def __init__(
        self,
        card: Card,
        decision: Decision | None = None,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        self.decision = decision = decision or card.decision
        self._card = card
        self.steer(thresholds or {})
        self._rate = card.rate
        self._min_duration = round(decision.min_duration_s * card.rate)
        self._refractory = round(decision.refractory_s * card.rate)
        foreground = [label not in decision.background for label in card.labels]
        self._foreground = np.array(foreground, dtype=bool)
        self._labels = [
            _Label(name, decision.confirm, self._min_duration, self._refractory)
            for name in card.labels
        ]
        self.reset()

    def reset(self) -> None:
        """Forget everything; open events are lost, so `finish` first."""
        self._recent: deque[Array] = deque(maxlen=self.decision.average)
        self._smooth = np.zeros(len(self._labels), np.float64)
        self._at = 0
        self.scores: Array = np.zeros(len(self._labels), np.float32)
        for label in self._labels:
            label.reset()

    def steer(self, thresholds: Mapping[str, float]) -> None:
        """Set other thresholds, which hold from the next window on.

        Args:
            thresholds: as at the beginning: what is not named is as the card says.
        """
        self.thresholds = np.array(
            [threshold_of(self._card, label, thresholds) for label in self._card.labels],
            np.float32,
        )
        self._close_under = np.maximum(
            self.thresholds - np.float32(self.decision.hysteresis), self.thresholds / 2
        )

    def update(self, scores: Array, at: int) -> list[Change]:
        """Take one window's scores.

        Args:
            scores: probabilities, float32 [labels].
            at: end of the window, samples since the start; never before the last one.

        Returns:
            What changed, stops before starts.

        Raises:
            ValueError: time goes back.
        """
        if at < self._at:
            raise ValueError(f"time goes back from {self._at} to {at}")
        self.scores = shown = self._smoothed(scores, at)
        self._at = at
        over = (shown >= self.thresholds) & self._foreground
        if self.decision.exclusive:
            best = int(np.argmax(shown))
            over &= np.arange(len(shown)) == best
        under = shown < self._close_under
        # with hundreds of labels nearly all are idle: visit the others only
        busy = np.array([label.state is not State.IDLE for label in self._labels])
        changes: list[Change] = []
        starters: list[_Label] = []
        for i in np.flatnonzero(over | busy):
            label = self._labels[i]
            if label.step(bool(over[i]), bool(under[i]), float(shown[i]), at):
                starters.append(label)
            if label.ending:
                changes.append(label.stop(at))
        for label in starters:
            changes += self._start(label, at)
        return changes

    def finish(self, at: int) -> list[Change]:
        """Close every open event at the end of the input.

        Args:
            at: the end, samples since the start.
        """
        at = max(at, self._at)
        return [label.stop(at) for label in self._labels if label.state is State.OPEN]

    def _start(self, label: _Label, at: int) -> list[Change]:
        """Start a confirmed label, unless it is exclusive and the open one is too young."""
        changes = []
        if self.decision.exclusive:
            for other in self._labels:
                if other.state is State.OPEN:
                    if at - other.since < self._min_duration:
                        return []
                    changes.append(other.stop(at))
        changes.append(label.start(at))
        return changes

    def _smoothed(self, scores: Array, at: int) -> Array:
        self._recent.append(np.asarray(scores, np.float32))
        x = np.sum(self._recent, axis=0, dtype=np.float64) / self.decision.average
        if self.decision.smoothing_s:
            keep = np.exp(-(at - self._at) / (self.decision.smoothing_s * self._rate))
            x = keep * self._smooth + (1 - keep) * x
            self._smooth = x
        return np.asarray(x, np.float32)


class _Label:
    """The automaton of one label."""

    def __init__(self, name: str, confirm: int, min_duration: int, refractory: int) -> None:
        self.name = name
        self._confirm = confirm
        self._min_duration = min_duration
        self._refractory = refractory
        self.reset()

    def reset(self) -> None:
        self.state = State.IDLE
        self.since = 0  # start of the latest event
        self.ending = False
        self._run = 0  # windows in a row that were over
        self._score = 0.0
        self._peak = 0.0

    def step(self, over: bool, under: bool, score: float, at: int) -> bool:
        """Take one window; whether the label may start now. `ending`: whether it must stop."""
        self._run = self._run + 1 if over else 0
        self._score = score
        if self.state is State.OPEN:
            self._peak = max(self._peak, score)
            self.ending = under and at - self.since >= self._min_duration
            return False
        if self.state is State.RESTING:
            if at - self.since < self._refractory:
                return False
            self.state = State.IDLE
        self.state = State.RISING if over else State.IDLE
        return self._run >= self._confirm

    def start(self, at: int) -> Change:
        self.state, self.since, self._peak = State.OPEN, at, self._score
        return Change("start", self.name, at, self._score)

    def stop(self, at: int) -> Change:
        self.state, self.ending, self._run = State.RESTING, False, 0
        return Change("stop", self.name, at, self._peak)


def threshold_of(card: Card, label: str, own: Mapping[str, float]) -> float:
    """The threshold in force: the user's for the label, their default, the card's, its default.

    A user's default is over the card's values for single labels: `--threshold 0.6` means all.
    """
    if label in own:
        return own[label]
    return own.get("default", card.threshold(label))
