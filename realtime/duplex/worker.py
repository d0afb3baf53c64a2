"""The worker: hears what the sound process wrote, decides, and publishes its decisions.

A thread of rt-gate's own process. It sleeps until the sound process wakes it, which is when the
next decision has all its sound. If it falls behind, it catches up, which takes a hundredth of
the time it slept. More than `SKIP_S` behind it goes on with the newest sound: the network keeps
its states, since what it knows of the voice and the noise is still true, and hears a cut.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict, deque

import numpy as np

from realtime.duplex import layout as at
from realtime.duplex.layout import Memory
from realtime.gate.grid import due
from realtime.gate.judge import Judge, Turn
from realtime.gate.key import KeyFilter
from realtime.gate.paths import mono
from realtime.gate.scorer import Scorer
from realtime.gate.settings import GateSettings
from realtime.runners import Runner

SKIP_S = 0.5
REMEMBERED = 64  # turns, for those who ask for the reason
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

    Attributes:
        judge: decides; its settings may be changed at any time.
        score: the newest.
        decisions: how many.
        skipped: samples on which nothing was decided.
        turns: by the position of their decision.
        scores: the last ones: number and position of the decision, score, and the gain, as an
            amplitude, of what went out at that moment.
        fault: what ended the thread, if it did not end by itself.
    """

    def __init__(
        self, memory: Memory, wake: int, settings: GateSettings, runner: Runner
    ) -> None:
        super().__init__(name="gate worker", daemon=True)
        ints = memory.ints
        self._rate, self._channels = ints[at.RATE], ints[at.CHANNELS]
        self._ints, self._floats, self._ring = ints, memory.floats, memory.ring
        self._wake = wake
        self._filter = KeyFilter(
            self._rate,
            self._channels,
            settings.key_highpass,
            settings.key_lowpass,
            settings.key_slope,
            compiled=False,
        )
        self._scorer = Scorer(runner, self._rate)
        own = settings
        self.judge = Judge(
            self._rate, own.threshold, own.hysteresis, own.hold_ms, own.min_open_ms
        )
        self._which = own.score
        self._scorer.process(np.zeros(self._rate // 50, np.float32))  # the first is slow
        self._stopping = False
        self._again = True
        self.score = 0.0
        self.decisions = 0
        self.skipped = 0
        self.turns: OrderedDict[int, Turn] = OrderedDict()
        self.scores: deque[Kept] = deque(maxlen=SCORES)
        self.fault: BaseException | None = None

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers."""
        return self._scorer.bad_scores

    def begin(self) -> None:
        """Begin anew at WRITTEN, after silence; no sound runs."""
        self._again = True

    def stop(self) -> None:
        """End soon."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self.is_alive():
            self.join(2.0)

    def run(self) -> None:
        """Decide whenever there is something to decide."""
        try:
            while not self._stopping:
                if self._again:
                    self._reset()
                self._catch_up()
                self._ints[at.WANTED] = self._base + due(self._k, self._rate)
                at.fence()
                if self._ints[at.WRITTEN] < self._ints[at.WANTED]:
                    os.eventfd_read(self._wake)  # sleeps
        except BaseException as e:
            self.fault = e
            log.exception("the gate's worker failed: the level gate goes on alone")

    def _reset(self) -> None:
        self._again = False
        for part in (self._filter, self._scorer, self.judge):
            part.reset()
        self._position = self._ints[at.WRITTEN]
        self._base = self._position  # of the scorer's first sample
        self._k = 0  # of the next decision

    def _catch_up(self) -> None:
        """Hear what is there, decision by decision."""
        hop = self._rate // 100
        while not (self._stopping or self._again):
            behind = self._ints[at.WRITTEN] - self._position
            if behind > SKIP_S * self._rate:
                lost = (behind // hop - 1) * hop  # so that decisions stay on their grid
                self.skipped += lost
                self._position += lost
                self._base += lost
            need = self._base + due(self._k, self._rate) - self._position
            if self._ints[at.WRITTEN] - self._position < need:
                return
            at.fence()
            self._hear(need)

    def _hear(self, n: int) -> None:
        """Hear the sound up to the next decision, and publish it."""
        begin = self._position & (len(self._ring) - 1)
        sound = self._ring[begin : begin + n]
        if len(sound) < n:
            sound = np.concatenate([sound, self._ring[: n - len(sound)]])
        self._position += n
        if self._filter.active:
            sound = self._filter.process(sound)
        for k, end, scores in self._scorer.process(mono(sound)):
            self._k = k + 1
            self.decisions += 1
            self.score = float(scores[self._which])
            turn = self.judge.update(self.score, end)
            if turn is not None:
                self._publish(turn, self._base + end)
            at.fence()
            self._ints[at.DECIDED] = self._base + end
            gain = self._floats[at.GAIN]
            self.scores.append((self.decisions, self._base + end, self.score, gain))

    def _publish(self, turn: Turn, position: int) -> None:
        self.turns[position] = turn
        if len(self.turns) > REMEMBERED:
            self.turns.popitem(last=False)
        number = self._ints[at.CHANGES]
        self._ints[at.AT_CHANGES + number % at.MOST_CHANGES] = position << 1 | turn.open
        at.fence()
        self._ints[at.CHANGES] = number + 1
