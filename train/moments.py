"""`Moments`: where something sounds in a recording, so that a window of it is not a pause."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.bank import Recordings
from train.heard import PIECE_S, SOUNDING_DB, powers

Array = NDArray[np.float32]


class Moments:
    """Of a bank's recordings; each is searched once, when it is first asked for."""

    def __init__(self, bank: Recordings) -> None:
        self.bank = bank
        self.size = round(PIECE_S * bank.rate)
        self._found: dict[int, NDArray[np.int64]] = {}

    def of(self, index: int) -> NDArray[np.int64]:
        """First samples of the pieces of a recording in which it sounds; at least one."""
        if index not in self._found:
            clip = self.bank.clip(index)
            if len(clip) < self.size:
                self._found[index] = np.zeros(1, np.int64)
            else:
                power = powers(clip, self.size)
                loud = power >= power.max() * 10.0 ** (-SOUNDING_DB / 10.0)
                self._found[index] = np.flatnonzero(loud) * self.size
        return self._found[index]

    def cut(
        self, index: int, size: int, rng: np.random.Generator, edge: float = 0.0
    ) -> tuple[Array, int]:
        """A window in which a moment of the recording sounds at a random place.

        Args:
            index: which recording.
            size: samples of the window.
            rng: chooses moment and place.
            edge: share of the window at either end that is no such place.

        Returns:
            Samples float32 [size], silent where the recording has begun not yet or ended, and
            the pieces in which the whole recording sounds.
        """
        starts = self.of(index)
        spare = max(0, size - self.size)  # a whole piece is in the window
        begin = int(rng.choice(starts)) - int(spare * rng.uniform(edge, 1.0 - edge))
        first = max(0, begin)
        clip = self.bank.clip(index, first, max(0, begin + size - first))
        out = np.zeros(size, np.float32)
        out[first - begin : first - begin + len(clip)] = clip
        return out, len(starts)
