"""`Meter`: how loud a sound is at every decision.

Used by `realtime.gate.stream` for the trace and the picture; it decides nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.gate.grid import PER_SECOND, due
from realtime.window import FLOOR_DB

Samples = NDArray[np.float32]  # [samples]
Loudness = tuple[float, float]  # RMS and largest sample of a hop, dBFS

_FLOOR_POWER = 10.0 ** (FLOOR_DB / 10.0)


class Meter:
    """RMS and largest sample of each hop.

    Args:
        rate: Hz of the sound.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._even = (
            rate // PER_SECOND if rate % PER_SECOND == 0 else 0
        )  # hop, if all are equal
        self._hop: Samples = np.zeros(-(-rate // PER_SECOND), np.float32)
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self._k = 0
        self._left = due(0, self.rate)  # samples until the next decision
        self._fill = 0

    def process(self, block: Samples) -> list[Loudness]:
        """Take a block.

        Args:
            block: float32 [n], mono.

        Returns:
            For every decision that it completes, RMS and largest sample of its hop in dBFS:
            the same in any partition.
        """
        found: list[Loudness] = []
        at, n = 0, len(block)
        while n - at >= self._left:
            if self._even and not self._fill:
                hops = (n - at) // self._even
                rows = block[at : at + hops * self._even].reshape(hops, self._even)
                at += hops * self._even
                self._k += hops
                found += loudness(rows)
                continue
            self._keep(block[at : at + self._left])
            at += self._left
            found += loudness(self._hop[None, : self._fill])
            self._k += 1
            self._fill = 0
            self._left = due(self._k, self.rate) - due(self._k - 1, self.rate)
        self._keep(block[at:])
        self._left -= n - at
        return found

    def _keep(self, part: Samples) -> None:
        self._hop[self._fill : self._fill + len(part)] = part
        self._fill += len(part)


def loudness(hops: Samples) -> list[Loudness]:
    """RMS and largest sample, in dBFS, of each hop; no lower than `FLOOR_DB`.

    Args:
        hops: float32 [hops, samples]. A row's result does not depend on the others.
    """
    powers = np.vecdot(hops, hops) / np.float32(hops.shape[1])
    peaks = np.square(np.maximum(hops.max(axis=1), -hops.min(axis=1)))
    both = np.stack([powers, peaks], axis=1).astype(np.float64)
    decibels = 10.0 * np.log10(np.maximum(both, _FLOOR_POWER))
    return [(power, peak) for power, peak in decibels.tolist()]
