"""`Heard`: which of the sounds that were put into a batch can be heard in it.

For rows with several labels. A sound's label counts where the sound, in 50 ms pieces, is close
enough to the whole's level, for as long as half of it or a fifth of a second. What is under
that by a little may or may not be heard, and its label counts neither way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.truth import MAYBE, Targets

Array = NDArray[np.float32]

PIECE_S = 0.05
ENOUGH = 4  # pieces: a fifth of a second is heard, however long the sound is
SOUNDING_DB = 25.0  # pieces so far under a sound's loudest one are its pauses
DOUBT_DB = 10.0  # so far under what is heard, nobody can tell


class Heard:
    """Collects what is put into the rows of one batch.

    Args:
        rows: of the batch.
        labels: names of the scores.
        rate: Hz.
    """

    def __init__(self, rows: int, labels: int, rate: int) -> None:
        self.size = round(PIECE_S * rate)
        self._shape = (rows, labels)
        self._sounds: list[tuple[int, Array, Array, int]] = []

    def add(self, row: int, sound: Array, target: Targets, pieces: int = 0) -> None:
        """A sound as it stands in a row.

        Args:
            row: which.
            sound: samples of the window, at the level they have in the mixture.
            target: what its recording says of the labels.
            pieces: in which the whole recording sounds; 0 counts those in the window.
        """
        if (target != 0.0).any():  # NaN too
            maybe = np.where(np.isnan(target), np.float32(0.5), target)
            self._sounds.append((row, powers(sound, self.size), maybe, pieces))

    def targets(self, mixed: Array, audible_db: float) -> Targets:
        """Targets float32 [rows, labels] of the mixtures [rows, samples].

        Args:
            mixed: what is heard in the end, at the sounds' own scale.
            audible_db: a sound is heard where it is at most this far under the whole.
        """
        whole = powers(mixed, self.size) + 1e-12
        out = np.zeros(self._shape, np.float32)  # 0.5 is MAYBE
        for row, power, target, pieces in self._sounds:
            sounding = power > power.max() * 10.0 ** (-SOUNDING_DB / 10.0)
            sounding &= power > 1e-12
            level = 10.0 * np.log10(power[sounding] / whole[row, sounding])
            needed = max(1, min(ENOUGH, (pieces or int(sounding.sum())) // 2))
            if (level > -audible_db).sum() >= needed:
                out[row] = np.maximum(out[row], target)
            elif (level > -audible_db - DOUBT_DB).any():
                out[row] = np.maximum(out[row], 0.5 * (target > 0.0))
        return np.where(out == 0.5, MAYBE, out)


def powers(x: Array, size: int) -> Array:
    """Mean squares of pieces, float32 [..., pieces]; what is left over is not counted."""
    pieces = x.shape[-1] // size
    parts = x[..., : pieces * size].reshape(*x.shape[:-1], pieces, size)
    return np.asarray(np.square(parts).mean(-1))
