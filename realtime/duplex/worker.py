"""The worker: hears what the sound process wrote, decides, and publishes its decisions.

A thread of rt-gate's own process. It sleeps until the sound process wakes it, which is when the
next decision has all its sound. If it falls behind, it catches up, which takes a hundredth of
the time it slept. More than `SKIP_S` behind it goes on with the newest sound: the network keeps
its states, since what it knows of the voice and the noise is still true, and hears a cut.

Its loop is compiled where that can be (`thought.py`); here is the same in Python.
"""

from __future__ import annotations

import logging
import os
import threading

import numpy as np

from realtime.duplex import compiled as sound_path
from realtime.duplex import layout as at
from realtime.duplex import thinking
from realtime.duplex.layout import Memory
from realtime.duplex.priority import THOUGHT, hurry
from realtime.duplex.thinking import SKIP_S
from realtime.duplex.thought import Thought, thought_of
from realtime.gate.grid import due
from realtime.gate.judge import Judge, reason
from realtime.gate.key import KeyFilter
from realtime.gate.paths import mono
from realtime.gate.scorer import Scorer
from realtime.gate.settings import GateSettings
from realtime.runners import Runner

SCORES = 1024  # of the last ten seconds

Kept = tuple[int, int, float | None, float]  # number and end of a hop, score, gain

log = logging.getLogger("rt.realtime.duplex")


class Worker(threading.Thread):
    """Thought.

    Args:
        memory: shared with the sound process, prepared.
        wake: the eventfd that the sound process writes to.
        settings: the gate's.
        runner: the model.
        compiled: let the loop be compiled, if it can be.

    Attributes:
        thought: what it has decided.
        compiled: whether the loop is.
        fault: what ended the thread, if it did not end by itself.
    """

    def __init__(
        self,
        memory: Memory,
        wake: int,
        settings: GateSettings,
        runner: Runner,
        compiled: bool = True,
    ) -> None:
        super().__init__(name="gate worker", daemon=True)
        ints = memory.ints
        self._rate = ints[at.RATE]
        self._ints, self._floats, self._ring = ints, memory.floats, memory.heard
        self._wake = wake
        self._filter = KeyFilter(
            self._rate,
            ints[at.KEY_CHANNELS],
            settings.key_highpass,
            settings.key_lowpass,
            settings.key_slope,
            compiled=False,
        )
        self._scorer = Scorer(runner, self._rate)
        own = settings
        self._judge = Judge(
            *(self._rate, own.threshold, own.hysteresis, own.hold_ms, own.min_open_ms),
            own.confirm_score,
        )
        self._which = own.score
        self.thought = Thought(settings)
        self._counts = self.thought.counts.data
        self._loop = None
        if compiled and sound_path.available():
            try:
                self._loop = thought_of(memory, wake, runner, self.thought)
            except Exception:  # whatever becomes of a compiler, Python remains
                log.warning(
                    "the worker's loop cannot be compiled; it costs more", exc_info=True
                )
        self.compiled = self._loop is not None
        if not self.compiled:
            self._scorer.process(np.zeros(self._rate // 50, np.float32))  # the first is slow
        self.fault: BaseException | None = None
        self.begin()

    @property
    def score(self) -> float:
        """The newest."""
        return float(self.thought.numbers[thinking.SCORE])

    @property
    def decisions(self) -> int:
        """How many."""
        return self._counts[thinking.DECISIONS]

    @property
    def skipped(self) -> int:
        """Samples on which nothing was decided."""
        return self._counts[thinking.SKIPPED]

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers."""
        ears = self.thought.ears
        return self._scorer.bad_scores if ears is None else ears.bad_scores

    def since(self, number: int) -> list[Kept]:
        """The decisions after that of a number, the last `SCORES` of them at most."""
        rows = self.thought.since(max(number, self.decisions - SCORES))
        return [(int(k), int(at_), score, gain) for k, at_, score, _, gain in rows.tolist()]

    def why(self, position: int) -> tuple[float, str]:
        """The score of the decision at a position, and the reason of an opening there."""
        score = self.thought.score_at(position)
        threshold = float(self.thought.numbers[thinking.THRESHOLD])
        return score or 0.0, reason(score or 0.0, threshold)

    def steer(self, settings: GateSettings) -> None:
        """Take settings that may change while sound runs."""
        self.thought.steer(settings)
        self._judge.threshold = settings.threshold
        self._judge.hysteresis = settings.hysteresis
        self._judge.hold_ms = settings.hold_ms
        self._judge.confirm_score = settings.confirm_score

    def begin(self) -> None:
        """Begin anew at WRITTEN, after silence; no sound runs."""
        self._counts[thinking.AGAIN] = 1

    def stop(self) -> None:
        """End soon."""
        self._counts[thinking.STOP] = 1
        os.eventfd_write(self._wake, 1)
        if self.is_alive():
            self.join(2.0)

    def run(self) -> None:
        """Decide whenever there is something to decide."""
        try:
            if self._loop is not None:
                hurry(THOUGHT)  # Python would keep others waiting
                self._loop()
                return
            counts = self._counts
            while not counts[thinking.STOP]:
                if counts[thinking.AGAIN]:
                    self._reset()
                self._catch_up()
                base = counts[thinking.BASE]
                self._ints[at.WANTED] = base + due(counts[thinking.K], self._rate)
                at.fence()
                if self._ints[at.WRITTEN] < self._ints[at.WANTED]:
                    os.eventfd_read(self._wake)  # sleeps
        except BaseException as e:
            self.fault = e
            log.exception("the gate's worker failed: the level gate goes on alone")

    def _reset(self) -> None:
        counts = self._counts
        counts[thinking.AGAIN] = 0
        for part in (self._filter, self._scorer, self._judge):
            part.reset()
        counts[thinking.POSITION] = counts[thinking.BASE] = self._ints[at.WRITTEN]
        counts[thinking.K] = 0

    def _catch_up(self) -> None:
        """Hear what is there, decision by decision."""
        counts, hop = self._counts, self._rate // 100
        while not (counts[thinking.STOP] or counts[thinking.AGAIN]):
            behind = self._ints[at.WRITTEN] - counts[thinking.POSITION]
            if behind > SKIP_S * self._rate:
                lost = (behind // hop - 1) * hop  # so that decisions stay on their grid
                counts[thinking.SKIPPED] += lost
                counts[thinking.POSITION] += lost
                counts[thinking.BASE] += lost
            position = counts[thinking.POSITION]
            need = counts[thinking.BASE] + due(counts[thinking.K], self._rate) - position
            if self._ints[at.WRITTEN] - position < need:
                return
            at.fence()
            self._hear(need)

    def _hear(self, n: int) -> None:
        """Hear the sound up to the next decision, and publish it."""
        counts = self._counts
        begin = counts[thinking.POSITION] & (len(self._ring) - 1)
        sound = self._ring[begin : begin + n]
        if len(sound) < n:
            sound = np.concatenate([sound, self._ring[: n - len(sound)]])
        counts[thinking.POSITION] += n
        if self._filter.active:
            sound = self._filter.process(sound)
        for k, end, scores in self._scorer.process(mono(sound)):
            score = float(scores[self._which])
            self.thought.numbers[thinking.SCORE] = score
            turn = self._judge.update(score, end)
            position = counts[thinking.BASE] + end
            row = counts[thinking.DECISIONS] % thinking.LOG
            gain = self._floats[at.GAIN]
            self.thought.log[row] = position, score, self._judge.open, gain
            at.fence()
            counts[thinking.DECISIONS] += 1
            counts[thinking.K] = k + 1
            if turn is not None:
                self._publish(position, turn.open)
            at.fence()
            self._ints[at.DECIDED] = position

    def _publish(self, position: int, is_open: bool) -> None:
        number = self._ints[at.CHANGES]
        self._ints[at.AT_CHANGES + number % at.MOST_CHANGES] = position << 1 | is_open
        at.fence()
        self._ints[at.CHANGES] = number + 1
