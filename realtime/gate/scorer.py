"""`Scorer`: sound in blocks of any size and at any rate in, p(open) at every decision out.

Used by `realtime.gate.stream` and by the worker of `realtime.duplex`. It mixes no channels,
knows no threshold and keeps no sound but the last frame. What a model hears is described in
docs/adr/0002-gate.md; `realtime.gate.front` computes it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from realtime.errors import CardError
from realtime.gate.ears import CompiledEars, ears_of
from realtime.gate.front import GateFront, Samples
from realtime.runners import Runner

Scores = NDArray[np.float32]  # [labels] or [decisions, labels], 0 to 1

log = logging.getLogger("rt.realtime.gate")


class Scorer:
    """The ears of one gate.

    Args:
        runner: the model, a gate of one frame a step; its states are this stream's from now on.
        rate: Hz of the sound.
        compiled: score by `CompiledEars` if that can be; scores differ in the last bits. What
            that costs to start with is said there.

    Attributes:
        position: samples taken.
        compiled: whether that is so.

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
        self._front = GateFront(spec, rate)
        self._ears = ears_of(runner, rate, compiled)
        self.compiled = isinstance(self._ears, CompiledEars)
        self._warned = False
        self.reset()

    @property
    def bad_scores(self) -> int:
        """Decisions whose scores were no numbers, and were taken as 0."""
        return self._ears.bad_scores

    def reset(self) -> None:
        """Start after silence: the next sample is the first."""
        self._front.reset()
        self._ears.reset()
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
        found: list[tuple[int, int, Scores]] = []
        for first, ends, scores in self.decisions(block):
            found += zip(range(first, first + len(ends)), ends, scores, strict=True)
        return found

    def decisions(self, block: Samples) -> Iterator[tuple[int, list[int], Scores]]:
        """`process`, some decisions at a time.

        Yields:
            The number of the first one, the samples that each heard, and their scores, float32
            [decisions, labels].
        """
        self.position += len(block)
        for first, ends in self._front.advance(block):
            yield first, ends, self._ears.hear(self._front, first, ends)
        if self.bad_scores and not self._warned:
            self._warned = True
            name = self.runner.card.name
            log.warning("%s gives scores that are no numbers; taken as 0", name)

    def flush(self, tail: int) -> list[tuple[int, int, Scores]]:
        """Hear so many samples of silence, and give their decisions as `process` does."""
        found = []
        while tail > 0:
            part = min(tail, self.rate)
            found += self.process(np.zeros(part, np.float32))
            tail -= part
        return found
