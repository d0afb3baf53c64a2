"""Ears of a gate that nothing is compiled for: `ManyEars` by NumPy, `RuntimeEars` by a runtime.

Used by `Scorer`; `realtime.gate.ears` has those that are compiled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.gate.front import GateFront
from realtime.gate.many import Many
from realtime.runners import Runner
from realtime.runners.steps import Steps

Scores = NDArray[np.float32]  # [decisions, labels], 0 to 1

HALF = np.float32(0.5)


class Ears(Protocol):
    """From sound to scores, with the network's states.

    Attributes:
        bad_scores: decisions whose scores were no numbers, and were taken as 0.
    """

    @property
    def bad_scores(self) -> int: ...  # noqa: D102

    def reset(self) -> None:
        """Start after silence."""
        ...

    def hear(self, front: GateFront, first: int, ends: Sequence[int]) -> Scores:
        """Score the decisions that a front end has just given."""
        ...


class RuntimeEars:
    """Any model, a step at a time.

    Args:
        runner: the model.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.bad_scores = 0

    def reset(self) -> None:
        """See `Ears`."""
        self._runner.reset()

    def hear(self, front: GateFront, first: int, ends: Sequence[int]) -> Scores:
        """See `Ears`."""
        frames = front.frames(first, ends)
        return np.array([self._run(frames[i : i + 1]) for i in range(len(ends))], np.float32)

    def _run(self, frame: Scores) -> Scores:
        scores = self._runner.run(frame)
        if math.isfinite(sum(scores.tolist())):  # quicker than NumPy, for so few
            return scores
        self.bad_scores += 1
        if not np.isfinite(scores).all():
            self._runner.reset()  # what is no number stays in the states for ever
        return np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)


class ManyEars:
    """A model of which there is a program, some steps at a time, in a third of the time.

    Args:
        network: the program.
        logit: the network gives logits.
    """

    def __init__(self, network: Steps, logit: bool) -> None:
        self._many, self._logit = Many(network), logit
        self._labels = network.scores.size
        self.bad_scores = 0

    def reset(self) -> None:
        """See `Ears`."""
        self._many.reset()

    def hear(self, front: GateFront, first: int, ends: Sequence[int]) -> Scores:
        """See `Ears`."""
        return self.score(front.frames(first, ends))

    def score(self, frames: Scores) -> Scores:
        """Score frames, float32 [decisions, width]."""
        scores = np.empty((len(frames), self._labels), np.float32)
        at = 0
        while at < len(frames):
            found = self._many.run(frames[at : at + self._many.most])
            good = np.isfinite(found).all(axis=1)
            n = len(found) if good.all() else int(good.argmin())
            scores[at : at + n] = found[:n]
            if n < len(found):  # after a step that gave no numbers the states begin anew
                scores[at + n] = -np.inf if self._logit else 0.0
                self.bad_scores += 1
                self._many.reset()
                n += 1
            at += n
        if self._logit:
            np.multiply(scores, HALF, scores)
            np.tanh(scores, scores)
            scores += np.float32(1.0)
            np.multiply(scores, HALF, scores)
        return scores
