"""What the backbone makes of mixtures, and what is to be learned from it.

Used by `realtime.learn.lesson` and `realtime.learn.more`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.learn.backbone import Backbone
from realtime.learn.gate_file import GateFile
from realtime.learn.head import Lessons
from realtime.learn.judging import Truth, onset_weight
from realtime.learn.mixtures import Mixture

Floats = NDArray[np.float32]

THIN: Final = 0.5  # share of the hops that teach, besides the beginnings of openings


class Progress(Protocol):
    """Who is told how far it is."""

    def begin(self, stage: str, steps: int) -> None:
        """A stage of so many steps begins."""

    def step(self) -> None:
        """One of them is done."""


class Silent:
    """`Progress` for nobody."""

    def begin(self, stage: str, steps: int) -> None:
        """Nothing."""

    def step(self) -> None:
        """Nothing."""


class Heard(msgspec.Struct):
    """Mixtures, and what the backbone made of them.

    Attributes:
        mixtures: so.
        embeddings: float32 [mixtures, hops, size].
    """

    mixtures: list[Mixture]
    embeddings: Floats

    @property
    def truth(self) -> Truth:
        """The ideal gate over them."""
        return Truth(np.stack([m.gate for m in self.mixtures]))


def hear(mixtures: Iterable[Mixture], backbone: Backbone, told: Progress) -> Heard:
    """Run the backbone over mixtures."""
    found: list[Mixture] = []
    embeddings = list(_embedded(mixtures, found, backbone, told))
    return Heard(found, np.stack(embeddings))


def teach(
    mixtures: Iterable[Mixture], gate: GateFile, rng: np.random.Generator, told: Progress
) -> Lessons:
    """Lessons of mixtures, thinned: neighbouring hops say nearly the same."""
    found: list[Mixture] = []
    parts = []
    for i, embedding in enumerate(_embedded(mixtures, found, gate.backbone, told)):
        whole = lessons_of(Heard([found[i]], embedding[None]), gate.card)
        found[i].audio = found[i].audio[:0]  # a small computer has no room for all of them
        onset = np.asarray(whole.onset.any(axis=1))
        rows = np.flatnonzero(onset | (rng.random(len(onset)) < THIN))
        share = np.where(onset[rows], 1.0, 1.0 / THIN).astype(np.float32)
        parts.append(
            Lessons(whole.embedding[rows], whole.label[rows], whole.onset[rows], share)
        )
    columns = zip(*(msgspec.structs.astuple(p) for p in parts), strict=True)
    return Lessons(*(np.concatenate(c) for c in columns))


def lessons_of(heard: Heard, card: Card) -> Lessons:
    """Every hop with its labels: what each score should say after it."""
    gates = np.stack([m.gate for m in heard.mixtures])
    onsets = gates & (onset_weight(gates) > 1.0)
    size = heard.embeddings.shape[2]
    label, onset = (aligned(x, card).reshape(-1, len(card.labels)) for x in (gates, onsets))
    share = np.ones(len(label), np.float32)
    return Lessons(heard.embeddings.reshape(-1, size), label, onset, share)


def aligned(hops: NDArray[np.bool_], card: Card) -> NDArray[np.bool_]:
    """What each score is about: bool [mixtures, hops + 1] to [mixtures, hops, scores].

    Decision k has heard up to hop k + 1; its score speaks of an instant before that.
    """
    k = np.arange(1, hops.shape[1])
    return np.stack([hops[:, np.maximum(k - ahead, 0)] for ahead in ahead_of(card)], axis=2)


def ahead_of(card: Card) -> list[int]:
    """Look-ahead of each score in hops."""
    hop_ms = 1000.0 * card.hop_s
    return [round(ms / hop_ms) for ms in card.lookahead_ms or (0.0,) * len(card.labels)]


def _embedded(
    mixtures: Iterable[Mixture], found: list[Mixture], backbone: Backbone, told: Progress
) -> Iterator[Floats]:
    """Embeddings in the order of the mixtures, which are put into `found` as they are drawn."""

    def sounds() -> Iterator[Floats]:
        for mixture in mixtures:
            found.append(mixture)
            yield mixture.audio

    for embedding in backbone.embed_all(sounds()):
        yield embedding
        told.step()
