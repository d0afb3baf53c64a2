"""Kinds of the shipped sounds that are what is to be found: they teach and count for nothing.

Used by `realtime.wake.label`. Somebody who teaches a dog's bark must not be told that barks in
the shipped hours are false alarms, nor may these teach that barks are wrong. A kind is known by
its name, or by how it sounds: when most of its recordings are as near to the examples as the
examples are to each other, before anything is learned. Where that is true of more kinds than
two, the examples are too unlike each other to say so of any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.wake.hours import Hours, from_bytes
from realtime.wake.memory import Example

Floats = NDArray[np.float32]

FEWEST: Final = 5  # recordings of a kind that say something
MOST: Final = 0.5  # share of them that is near
KINDS: Final = 2  # that may sound like it
USUAL: Final = 0.25  # of the examples are farther from the others than "near"


def kinds_alike(name: str, examples: Sequence[Example], hours: Hours) -> list[str]:
    """The kinds in question.

    Args:
        name: of the label.
        examples: of it.
        hours: the shipped sounds.
    """
    plain = _plain(name)
    found = {kind for kind in hours.kinds if _plain(kind) == plain}
    middles = np.stack([_unit(from_bytes(e.windows)).mean(axis=0) for e in examples])
    whole = middles.sum(axis=0)
    own = [
        float((_unit(e.heard) @ _unit(whole - middle)).max())
        for e, middle in zip(examples, middles, strict=True)
    ]
    near = float(np.quantile(own, USUAL))
    scores = _unit(from_bytes(hours.counting)) @ _unit(whole)
    over: dict[int, list[bool]] = {}
    for code, part in _recordings(hours):
        over.setdefault(code, []).append(float(scores[part].max()) >= near)
    alike = {
        hours.kinds[code]
        for code, heard in over.items()
        if len(heard) >= FEWEST and np.mean(heard) > MOST
    }
    return sorted(found | alike if len(alike) <= KINDS else found)


def _recordings(hours: Hours) -> Iterator[tuple[int, slice]]:
    """Kind and place of each recording; neighbours of one kind count as one."""
    for stretch in hours.stretches():
        kinds = hours.counting_kind[stretch]
        edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1), len(kinds)]
        for first, last in pairwise(edges):
            yield int(kinds[first]), slice(stretch.start + first, stretch.start + last)


def _unit(x: Floats) -> Floats:
    """Of length 1 along the last axis."""
    out: Floats = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
    return out


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
