"""`Meter`: the level of a sound at every decision.

Used by `realtime.gate.stream` for the trace; it decides nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.gate.grid import PER_SECOND, due
from realtime.window import level_db

Samples = NDArray[np.float32]  # [samples]


class Meter:
    """RMS of each hop.

    Args:
        rate: Hz of the sound.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._hop: Samples = np.zeros(-(-rate // PER_SECOND), np.float32)
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self._k = 0
        self._left = due(0, self.rate)  # samples until the next decision
        self._fill = 0

    def process(self, block: Samples) -> list[tuple[int, int, float]]:
        """Take a block.

        Args:
            block: float32 [n], mono.

        Returns:
            For every decision that it completes: its number, the samples from the start that
            it heard, and the RMS of its hop in dBFS, the same in any partition.
        """
        found = []
        at, n = 0, len(block)
        while n - at >= self._left:
            self._keep(block[at : at + self._left])
            at += self._left
            end = due(self._k, self.rate)
            found.append((self._k, end, level_db(self._hop[: self._fill])))
            self._k += 1
            self._fill = 0
            self._left = due(self._k, self.rate) - end
        self._keep(block[at:])
        self._left -= n - at
        return found

    def _keep(self, part: Samples) -> None:
        self._hop[self._fill : self._fill + len(part)] = part
        self._fill += len(part)
