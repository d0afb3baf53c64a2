"""`Turns`: the order in which clips of shards are learned from.

Every epoch takes all clips in a new order, shard after shard, a few of them mixed. What a batch
holds follows from its number alone, so that workers, and the processes of torchrun, share an
epoch without a word, and an interrupted run goes on exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOGETHER = 8  # shards whose clips are mixed

Numbers = NDArray[np.int64]


class Turns:
    """Of the clips of a run.

    Args:
        clips: numbers of rows.
        chances: how often each is drawn, as shares of 1. A clip of three times the mean share
            comes three times an epoch; of a third, in one epoch of three.
        shard: number of each clip's shard.
        seed: of the recipe.
    """

    def __init__(
        self, clips: Numbers, chances: NDArray[np.float64], shard: Numbers, seed: int
    ) -> None:
        self._clips, self._chances, self._shard, self._seed = clips, chances, shard, seed
        self._last: tuple[int, Numbers] = (-1, clips)

    def take(self, number: int, count: int) -> Numbers:
        """The clips of a batch: rows int64 [count].

        Args:
            number: of the batch; the next one goes on where this one ends.
            count: clips in every batch.
        """
        size, places = len(self._clips), np.arange(number * count, (number + 1) * count)
        epochs = places // size
        parts = [self._epoch(e)[places[epochs == e] % size] for e in np.unique(epochs).tolist()]
        return np.concatenate(parts)

    def _epoch(self, epoch: int) -> Numbers:
        """All clips of an epoch, in order: as many as there are clips."""
        if self._last[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            size = len(self._clips)
            order = rng.permutation(size)
            # every clip comes as often as it is expected to, rounded up or down
            due = np.cumsum(self._chances[order]) * size
            due[-1] = size
            ends = np.floor(np.round(due, 6) + rng.random()).astype(np.int64)
            clips = np.repeat(order, np.diff(ends, prepend=0))
            again = np.diff(clips, prepend=-1) == 0
            shards = rng.permutation(int(self._shard.max()) + 1)
            group = shards[self._shard[clips]] // TOGETHER
            # what comes more than once is not all in one place
            group[again] = rng.integers(group.max() + 1, size=again.sum())
            turn = np.lexsort((rng.random(len(clips)), group))
            self._last = (epoch, self._clips[clips[turn]])
        return self._last[1]
