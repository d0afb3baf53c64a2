"""Which clips a batch is made of: by chance, or, from shards, those whose turn it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.datasets.turns import Turns

Numbers = NDArray[np.int64]


class Picks:
    """The clips of one batch.

    Args:
        pool: numbers of all clips.
        chances: how often each is drawn, as shares of 1.
        turn: clips whose turn it is, one for each row; None draws all by chance.
    """

    def __init__(
        self, pool: Numbers, chances: NDArray[np.float64], turn: Numbers | None
    ) -> None:
        self._pool, self._chances, self._turn = pool, chances, turn

    def own(self, row: int, rng: np.random.Generator) -> int:
        """The clip of a row."""
        return self.more(rng) if self._turn is None else int(self._turn[row])

    def more(self, rng: np.random.Generator) -> int:
        """Another clip of a mixture."""
        if self._turn is None:
            return int(rng.choice(self._pool, p=self._chances))
        return int(rng.choice(self._turn))

    def beside(self, rng: np.random.Generator) -> int:
        """A clip that is heard at the edge; rare ones are no more likely than others."""
        return int(rng.choice(self._pool if self._turn is None else self._turn))


class Clips:
    """The clips of a run.

    Args:
        pool: their numbers.
        chances: how often each is drawn, as shares of 1.
        shard: number of each row's shard; None where there are no shards.
        seed: of the recipe.
    """

    def __init__(
        self, pool: Numbers, chances: NDArray[np.float64], shard: Numbers | None, seed: int
    ) -> None:
        self._pool, self._chances = pool, chances
        self.turns = None if shard is None else Turns(pool, chances, shard[pool], seed)

    def of(self, number: int, rows: int) -> Picks:
        """Those of a batch of so many rows."""
        turn = None if self.turns is None else self.turns.take(number, rows)
        return Picks(self._pool, self._chances, turn)
