"""`Sounds`: the recordings that mixtures for training a gate are made of.

One for the recipe and split of `train.gate.mixtures`; `talk.py` and `backdrop.py` draw from
it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.errors import UsageError
from train.bank import Recordings
from train.datasets.shard_bank import open_recordings
from train.gate.recipe import GateRecipe
from train.manifest import Row, pick

Audio = NDArray[np.float32]

SHORTEST = 400  # samples; what is shorter is left out


class Sounds:
    """Recordings.

    Args:
        recipe: says where they are, and at which speeds they are played.
        rows: the manifest.
        split: of the manifest.

    Attributes:
        rate: Hz.
        pool: by role the rows of the split.
        banks: the recordings at each speed,
        bank: and as they are.
        kinds: names of the kinds of other sounds.
        kind: of each row, by its place in `kinds`; -1 for what is no other sound.

    Raises:
        UsageError: the split has no targets or no other sounds.
    """

    def __init__(self, recipe: GateRecipe, rows: Sequence[Row], split: str) -> None:
        self.rate = recipe.features.rate
        self.banks, _ = open_recordings(recipe.data, rows, self.rate, recipe.mix.speeds)
        self.bank = self.banks[0]
        index = {r.file: i for i, r in enumerate(rows)}
        self.pool = {
            role: np.array([index[r.file] for r in pick(rows, split, role)], int)
            for role in ("target", "other", "room")
        }
        for role in ("target", "other"):
            self.pool[role] = self.pool[role][self.bank.length[self.pool[role]] > SHORTEST]
            if not len(self.pool[role]):
                raise UsageError(f"the manifest has no {role} in split {split}", "add some")
        self.kinds = sorted({r.label for r in rows if r.role == "other"})
        self.kind = np.array(
            [self.kinds.index(r.label) if r.role == "other" else -1 for r in rows]
        )

    def played(self, rng: np.random.Generator) -> Recordings:
        """The recordings at one of the speeds."""
        return self.banks[rng.integers(len(self.banks))]


def add(out: Audio, sound: Audio, at: int) -> None:
    """Add a sound at a position; what lies outside is cut."""
    first, last = max(at, 0), min(at + len(sound), len(out))
    if first < last:
        out[first:last] += sound[first - at : last - at]
