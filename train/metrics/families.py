"""Labels by family: the top-level classes of the AudioSet ontology.

A family is there when one of its labels is, and scores as its best label does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.datasets.ontology import Ontology

Array = NDArray[np.float32]
Truth = NDArray[np.bool_]


def families_of(labels: Sequence[str], ontology: Ontology) -> dict[str, list[int]]:
    """Indices of the labels of each family; labels that are no class have none.

    A label is a class's name, in any case and as FSD50K writes it ("Chirp_and_tweet" for
    "Chirp, tweet"), or its id.
    """
    known = {_plain(name): mid for name, mid in ontology.mid.items()}
    found: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        mid = label if label in ontology.name else known.get(_plain(label))
        for family in sorted(ontology.families(mid)) if mid else ():
            found.setdefault(family, []).append(i)
    return dict(sorted(found.items()))


def by_family(
    scores: Array, truth: Truth, families: dict[str, list[int]]
) -> tuple[Array, Truth]:
    """Scores and truth [clips, families] from those of the labels."""
    return (
        np.stack([scores[:, i].max(1) for i in families.values()], 1),
        np.stack([truth[:, i].any(1) for i in families.values()], 1),
    )


def _plain(name: str) -> str:
    text = name.replace("_", " ").replace(",", " and ").lower()
    return re.sub(r"[^a-z0-9]+", " ", text).strip()
