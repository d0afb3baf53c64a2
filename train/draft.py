"""`Draft`: a batch while it is put together, and what its rows are said to hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.heard import Heard
from train.picks import Picks
from train.truth import MAYBE, Targets, Truth

Array = NDArray[np.float32]


class Draft:
    """Rows of sound.

    Attributes:
        sounds: float32 [batch, samples].
        beside: edges of other sounds, float32 [batch, samples].
        heard: of rows with several labels: what was put into them.
        picks: clips to be put into them.
    """

    def __init__(self, truth: Truth, rows: int, samples: int, rate: int, picks: Picks) -> None:
        labels = truth.rows.shape[1]
        self.sounds = np.zeros((rows, samples), np.float32)
        self.beside = np.zeros((rows, samples), np.float32)
        self.heard, self.picks = Heard(rows, labels, rate), picks
        self._truth, self._targets = truth, np.zeros((rows, labels), np.float32)

    def put(
        self, row: int, target: Targets, sound: Array | None = None, pieces: int = 0
    ) -> None:
        """Say what a row holds: with one label that itself, else for `Heard` to judge."""
        if self._truth.several:
            self.heard.add(row, self.sounds[row] if sound is None else sound, target, pieces)
        else:
            self._targets[row] = target

    def unclear(self, target: Targets) -> Targets:
        """The target of a sound of which only an edge is left."""
        if self._truth.several:
            return np.where(target != 0.0, MAYBE, np.float32(0.0))
        return self._truth.either

    def judged(self, mixed: Array, faint: NDArray[np.bool_], audible_db: float) -> Targets:
        """The rows' targets, float32 [batch, labels].

        Args:
            mixed: what is heard in the end, float32 [batch, samples].
            faint: rows that are next to silent, where nobody can tell, bool [batch].
            audible_db: as `Heard.targets` takes it.
        """
        if not self._truth.several:
            return self._targets
        targets = self.heard.targets(mixed, audible_db)
        return np.where(faint[:, None] & (targets != 0.0), MAYBE, targets)
