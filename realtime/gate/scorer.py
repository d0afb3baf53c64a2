"""`Scorer`: sound in blocks of any size and at any rate in, p(open) at every decision out.

Used by `realtime.gate.stream` and by the worker of `realtime.duplex`. It mixes no channels,
knows no threshold and keeps no sound but the last frame. What a model hears is described in
docs/adr/0002-gate.md; `realtime.gate.front` computes it.
"""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import NDArray

from realtime.errors import CardError
from realtime.gate.front import GateFront, Samples
from realtime.runners import Runner

Scores = NDArray[np.float32]  # [labels], 0 to 1

log = logging.getLogger("rt.realtime.gate")


class Scorer:
    """The ears of one gate.

    Args:
        runner: the model, a gate of one frame a step; its states are this stream's from now on.
        rate: Hz of the sound.
        compiled: as in `GateFront`.

    Attributes:
        position: samples taken.
        bad_scores: decisions whose scores were no numbers, and were taken as 0.

    Raises:
        CardError: a model that is fed anything but one frame a step.
    """

    def __init__(self, runner: Runner, rate: int, compiled: bool = False) -> None:
        card = runner.card
        spec = card.input.features
        if spec is None or card.window_frames != 1 or not card.states:
            raise CardError(
                f"model {card.name} does not take one frame a step",
                "a gate has features, window_s of one hop, and states",
            )
        self.runner = runner
        self.rate = rate
        self._front = GateFront(spec, rate, compiled)
        self.bad_scores = 0
        self.reset()

    def reset(self) -> None:
        """Start after silence: the next sample is the first."""
        self._front.reset()
        self.runner.reset()
        self.position = 0

    def process(self, block: Samples) -> list[tuple[int, int, Scores]]:
        """Hear the next block.

        Args:
            block: float32 [n], mono, finite; any n, 0 too.

        Returns:
            For every decision that the block completes: its number from 0, the samples from
            the start that it heard, and its scores. However the sound is cut into blocks, the
            decisions are the same, bit for bit.
        """
        self.position += len(block)
        found = []
        for k, end in self._front.push(block):
            scores = self.runner.run(self._front.frame)
            if not math.isfinite(sum(scores.tolist())):  # quicker than NumPy, for so few
                scores = self._mend(scores)
            found.append((k, end, scores))
        return found

    def flush(self, tail: int) -> list[tuple[int, int, Scores]]:
        """Hear so many samples of silence, and give their decisions as `process` does."""
        found = []
        while tail > 0:
            part = min(tail, self.rate)
            found += self.process(np.zeros(part, np.float32))
            tail -= part
        return found

    def _mend(self, scores: Scores) -> Scores:
        if not self.bad_scores:
            log.warning(
                "%s gives scores that are no numbers; taken as 0", self.runner.card.name
            )
        self.bad_scores += 1
        if not np.isfinite(scores).all():
            self.runner.reset()  # what is no number stays in the states for ever
        return np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)
