"""`Memory`: what a gate remembers of its examples, so that learning more forgets nothing.

Used by `realtime.learn.more` and written into the gate's file by `realtime.learn.gate_file`. A
sample of the embeddings that it was taught, of those that chose its threshold, and of those it
was judged by, as one byte a value; no sound can be made of them. Beside them stand digests of
the recordings, so that one that returns on the other side is noticed.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.learn.head import Labels, Lessons
from realtime.learn.taught import Packed, reading, unpack

TAUGHT, CHOSE, JUDGED = 0, 1, 2  # what a hop was used for
ROOM: Final = {TAUGHT: 2000, CHOSE: 500, JUDGED: 900}  # hops of each that are kept


class Memory(msgspec.Struct):
    """Hops of earlier lessons.

    Attributes:
        embedding: int8 [hops, size].
        scale: float32 [size], the value of one step of `embedding`.
        label: bool [hops, scores].
        onset: bool [hops, scores], whether the beginning of an opening.
        use: uint8 [hops]: TAUGHT, CHOSE or JUDGED.
        digests: of the recordings, by side.
        lessons: how many lessons all that comes from.
    """

    embedding: NDArray[np.int8]
    scale: NDArray[np.float32]
    label: Labels
    onset: Labels
    use: NDArray[np.uint8]
    digests: dict[str, list[str]]
    lessons: int = 1

    def of(self, use: int) -> Lessons:
        """The hops with one use."""
        rows = self.use == use
        values = self.embedding[rows].astype(np.float32) * self.scale
        share = np.ones(len(values), np.float32)
        return Lessons(values, self.label[rows], self.onset[rows], share)

    def encode(self) -> str:
        """The memory as text."""
        return _Packed(
            shape=(*self.embedding.shape, self.label.shape[1]),
            embedding=self.embedding.tobytes(),
            scale=self.scale.astype("<f4").tobytes(),
            label=np.packbits(self.label).tobytes(),
            onset=np.packbits(self.onset).tobytes(),
            use=self.use.tobytes(),
            digests=self.digests,
            lessons=self.lessons,
        ).pack()


class _Packed(Packed, kw_only=True):
    """The memory as it is stored."""

    shape: tuple[int, int, int]
    embedding: bytes
    scale: bytes
    label: bytes
    onset: bytes
    use: bytes
    digests: dict[str, list[str]]
    lessons: int


def decode(text: str, where: str) -> Memory:
    """Read a memory back.

    Args:
        text: as `Memory.encode` gives it.
        where: the gate's file, for messages.

    Raises:
        CardError: it is damaged or of a later version.
    """
    with reading(f"{where}: what the gate remembers"):
        packed = unpack(text, _Packed)
        hops, size, scores = packed.shape

        def bits(data: bytes) -> Labels:
            flat = np.unpackbits(np.frombuffer(data, np.uint8), count=hops * scores)
            return flat.reshape(hops, scores).astype(bool)

        return Memory(
            np.frombuffer(packed.embedding, np.int8).reshape(hops, size),
            np.frombuffer(packed.scale, "<f4").reshape(size).astype(np.float32),
            bits(packed.label),
            bits(packed.onset),
            np.frombuffer(packed.use, np.uint8).reshape(hops),
            packed.digests,
            packed.lessons,
        )


def remember(
    parts: dict[int, Lessons],
    digests: dict[str, list[str]],
    rng: np.random.Generator,
    lessons: int = 1,
) -> Memory:
    """Keep a sample of some lessons.

    Args:
        parts: by use; a hop's chance to be kept is its `share`.
        digests: of the recordings, by side.
        rng: chooses.
        lessons: how many lessons all that comes from.
    """
    sample = []
    for use, part in sorted(parts.items()):
        count = len(part.share)
        chance = part.share.astype(np.float64) / part.share.sum(dtype=np.float64)
        rows = np.sort(rng.choice(count, min(count, ROOM[use]), replace=False, p=chance))
        kind = np.full(len(rows), use, np.uint8)
        sample.append((part.embedding[rows], part.label[rows], part.onset[rows], kind))
    values, label, onset, uses = (np.concatenate(c) for c in zip(*sample, strict=True))
    scale = np.maximum(np.abs(values).max(axis=0) / np.float32(127.0), np.float32(1e-9))
    rounded = np.rint(values / scale).astype(np.int8)
    return Memory(rounded, scale.astype(np.float32), label, onset, uses, digests, lessons)
