"""`Meter`: how loud a sound is at every decision.

Used by `realtime.gate.stream` for the trace; it decides nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.gate.grid import PER_SECOND, due
from realtime.window import FLOOR_DB, level_db

Samples = NDArray[np.float32]  # [samples]


class Meter:
    """RMS and largest sample of each hop.

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

    def process(self, block: Samples) -> list[tuple[int, float, float]]:
        """Take a block.

        Args:
            block: float32 [n], mono.

        Returns:
            For every decision that it completes: the samples from the start that it heard,
            and of its hop the RMS and the largest sample in dBFS, the same in any partition.
        """
        found = []
        at, n = 0, len(block)
        while n - at >= self._left:
            self._keep(block[at : at + self._left])
            at += self._left
            end = due(self._k, self.rate)
            hop = self._hop[: self._fill]
            found.append((end, level_db(hop), peak_db(hop)))
            self._k += 1
            self._fill = 0
            self._left = due(self._k, self.rate) - end
        self._keep(block[at:])
        self._left -= n - at
        return found

    def _keep(self, part: Samples) -> None:
        self._hop[self._fill : self._fill + len(part)] = part
        self._fill += len(part)


def peak_db(audio: Samples) -> float:
    """Largest sample in dBFS, no lower than `FLOOR_DB`."""
    peak = float(np.abs(audio).max(initial=0.0))
    return max(FLOOR_DB, 20.0 * math.log10(peak)) if peak > 0.0 else FLOOR_DB
