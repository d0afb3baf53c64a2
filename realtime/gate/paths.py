"""From a key to gains: `ByScore`, the learned way, and `ByLevel`, the classical one.

Used by `realtime.gate.stream`, which knows of files, look-ahead and outputs; nothing here does.
Instants are samples of the key since the start.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.gate.grid import due
from realtime.gate.judge import Judge, level_reason
from realtime.gate.level import LevelGate
from realtime.gate.ramp import Ramp
from realtime.gate.scorer import Scorer
from realtime.gate.settings import GateSettings
from realtime.runners import Runner

Audio = NDArray[np.float32]  # [samples, channels]
Gains = NDArray[np.float32]  # [samples], or [samples, channels] without the link


class Found:
    """What a path found in a block.

    Attributes:
        turns: instant, open, score, reason.
        decisions: instant, score, open.
    """

    def __init__(self) -> None:
        self.turns: list[tuple[int, bool, float, str]] = []
        self.decisions: list[tuple[int, float, bool]] = []


class Path(Protocol):
    """A way from a key to gains."""

    @property
    def position(self) -> int:
        """Samples taken."""
        ...

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers."""
        ...

    @property
    def close_under(self) -> float:
        """The line under which it closes: a score, or a level in dBFS."""
        ...

    @property
    def gain(self) -> float:
        """Gain of the last sample, linear."""
        ...

    def reset(self) -> None:
        """Start anew, closed and at rest."""
        ...

    def process(self, heard: Audio) -> tuple[Gains, Found]:
        """Take the next block of the key.

        Args:
            heard: float32 [n, channels], finite; any n.

        Returns:
            Gains, and what changed. A change begins at its instant; what is found at the end of
            the block begins with the next one.
        """
        ...


class ByScore:
    """By what a model says: scorer, judge, ramp. A `Path`.

    Args:
        settings: the gate.
        rate: Hz of the key.
        runner: the model.
        compiled: let scorer and ramp use numba.
    """

    def __init__(
        self, settings: GateSettings, rate: int, runner: Runner, compiled: bool
    ) -> None:
        own = settings
        self._scorer = Scorer(runner, rate, compiled)
        self._judge = Judge(
            *(rate, own.threshold, own.hysteresis, own.hold_ms, own.min_open_ms),
            own.confirm_score,
        )
        self._ramp = Ramp(rate, own.attack_ms, own.release_ms, own.range_db, own.duck, compiled)
        self._which = own.score
        self.reset()

    @property
    def position(self) -> int:
        """Samples taken."""
        return self._scorer.position

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers."""
        return self._scorer.bad_scores

    @property
    def close_under(self) -> float:
        """The line under which it closes."""
        return self._judge.close_under

    @property
    def gain(self) -> float:
        """Gain of the last sample."""
        return self._ramp.gain

    def reset(self) -> None:
        """See `Path`."""
        self._scorer.reset()
        self._judge.reset()
        self._ramp.reset()
        self._due: list[tuple[int, bool]] = []  # changes that begin with the next block

    def process(self, heard: Audio) -> tuple[Gains, Found]:
        """See `Path`."""
        begin, n = self._scorer.position, len(heard)
        sound = mono(heard)
        found = Found()
        judge = self._judge
        for _, ends, scores in self._scorer.decisions(sound):
            for end, score in zip(ends, scores[:, self._which].tolist(), strict=True):
                turn = judge.update(score, end)
                if turn is not None:
                    found.turns.append((end, turn.open, score, turn.reason))
                    self._due.append((end, turn.open))
                found.decisions.append((end, score, judge.open))
        changes = [(at - begin, is_open) for at, is_open in self._due if at < begin + n]
        self._due = self._due[len(changes) :]
        return self._ramp.process(n, changes), found


class ByLevel:
    """By level: the classical gate. A `Path`; its scores are 1 and 0.

    Args:
        settings: the gate.
        rate: Hz of the key.
        channels: of the key.
        compiled: let the detector and the ramp use numba.
    """

    def __init__(
        self, settings: GateSettings, rate: int, channels: int, compiled: bool
    ) -> None:
        own = settings
        self._threshold_db = own.threshold_db
        self.close_under = own.close_db
        self._gate = LevelGate(
            rate,
            channels,
            own.threshold_db,
            own.close_db,
            own.attack_ms,
            own.hold_ms,
            own.release_ms,
            own.range_db,
            own.duck,
            own.link or channels == 1,
            compiled,
        )
        self._rate = rate
        self.bad_scores = 0
        self.reset()

    def reset(self) -> None:
        """See `Path`."""
        self.position = 0
        self.gain = 1.0
        self._open = False
        self._gate.reset()
        self._next = 0  # decision

    def process(self, heard: Audio) -> tuple[Gains, Found]:
        """See `Path`."""
        begin = self.position
        gains, changes = self._gate.process(heard)
        found = Found()
        for offset, is_open, level in changes:
            why = level_reason(level, self._threshold_db) if is_open else ""
            found.turns.append((begin + offset, is_open, float(is_open), why))
        waiting = list(changes)
        self.position += len(heard)
        while (end := due(self._next, self._rate)) <= self.position:
            while waiting and begin + waiting[0][0] < end:
                self._open = waiting.pop(0)[1]
            found.decisions.append((end, float(self._open), self._open))
            self._next += 1
        for _, is_open, _ in waiting:
            self._open = is_open
        if len(gains):
            self.gain = float(np.max(gains[-1]))
        return gains, found


def mono(audio: Audio) -> NDArray[np.float32]:
    """Mean of the channels, contiguous."""
    if audio.shape[1] == 1:
        return np.ascontiguousarray(audio[:, 0])
    # channel by channel, as live: a sum along so short an axis takes thirty times as long
    total: NDArray[np.float32] = audio[:, 0] + audio[:, 1]
    for c in range(2, audio.shape[1]):
        total += audio[:, c]
    return np.divide(total, np.float32(audio.shape[1]), out=total)
