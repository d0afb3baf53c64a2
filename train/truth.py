"""`Truth`: what the rows of a manifest say about a recipe's labels.

A target is 1 where a label is there, 0 where it is not, and NaN where nobody can tell: that
counts neither way. In a manifest a label with a question mark (`dog;speech?`) is such a one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.errors import UsageError
from train.manifest import Row, labels_of
from train.recipe import Recipe

Targets = NDArray[np.float32]

MAYBE = np.float32(np.nan)

log = logging.getLogger("rt.train.truth")


class Truth:
    """Targets of rows.

    Attributes:
        several: a row may have several labels, or none (`loss.kind` is not cross_entropy).
        rows: targets of the rows of the manifest, float32 [rows, labels].
        either: target of what is certainly no event: with cross-entropy it may be any of the
            background labels, float32 [labels].
    """

    def __init__(self, recipe: Recipe, rows: Sequence[Row]) -> None:
        self.several = recipe.loss.kind != "cross_entropy"
        self.rows = targets_of(rows, recipe.data.labels)
        background = [name in recipe.data.background for name in recipe.data.labels]
        self.either = np.where(background, MAYBE, np.float32(0.0))
        self._manifest, self._split = rows, recipe.data.manifest

    def clips(self, split: str, usable: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Numbers of a split's labelled clips.

        Args:
            split: train, val or test.
            usable: which rows could be read, bool [rows].

        Raises:
            UsageError: there are none, or one has several labels and may have one only.
        """
        found = [i for i, r in enumerate(self._manifest) if r.split == split]
        found = [i for i in found if self._manifest[i].role == "clip" and usable[i]]
        count = (self.rows[found] == 1.0).sum(1) if found else np.zeros(0)
        if not self.several:
            if (count > 1).any():
                row = self._manifest[found[int(np.argmax(count > 1))]]
                raise UsageError(
                    f"{row.file} has several labels: {row.label}", 'use loss.kind = "bce"'
                )
            if (count == 0).any():
                log.warning("%d clips have none of data.labels", int((count == 0).sum()))
            found = [i for i, n in zip(found, count, strict=True) if n]
        if not found or not (self.rows[found] == 1.0).any():
            raise UsageError(
                f"{self._split}: no labelled clip in split {split} has one of data.labels",
                "check labels and manifest",
            )
        return np.array(found, np.int64)

    def chances(self, clips: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
        """How often each clip is drawn: its rarest label decides; the sum is 1.

        Args:
            clips: numbers of rows.
            balance: 0 draws labels as often as they are, 1 equally often.
        """
        has = self.rows[clips] == 1.0
        has = np.concatenate([has, ~has.any(1, keepdims=True)], 1)  # none of them: a kind too
        weight = np.maximum(has.sum(0), 1).astype(float) ** -balance
        chance = np.where(has, weight, 0.0).max(1)
        return np.asarray(chance / chance.sum())

    def frequencies(
        self, clips: NDArray[np.int64], chances: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Share of the drawn clips that have each label, float64 [labels]."""
        return np.asarray(((self.rows[clips] == 1.0) * chances[:, None]).sum(0))


def targets_of(rows: Sequence[Row], labels: Sequence[str]) -> Targets:
    """Targets float32 [rows, labels]."""
    index = {name: i for i, name in enumerate(labels)}
    out = np.zeros((len(rows), len(labels)), np.float32)
    for target, row in zip(out, rows, strict=True):
        for name in labels_of(row):
            if name in index:
                target[index[name]] = 1.0
            elif name.endswith("?") and name[:-1] in index:
                target[index[name[:-1]]] = MAYBE
    return out
