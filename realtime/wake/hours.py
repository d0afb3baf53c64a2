"""`Hours`: what is shipped of hours of other sounds, so that a person need not record them.

Used by `realtime.wake.lesson`; made by tests/data/make_hours.py. No sound is in it, only
embeddings: each is turned to the few directions in which sounds differ most and kept as one
byte a direction. One part is single windows, which teach what the wanted sound is not. The
other part is stretches of sound, every window of them in order: a model is run over these as
over a microphone, and its false alarms are counted. The two parts are of other recordings and
other people.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import ModelError
from realtime.library import WEIGHTS

Floats = NDArray[np.float32]
Kinds = NDArray[np.int16]

FORMAT: Final = 1
STEPS: Final = (
    56.0  # in the length of an embedding; about five in the usual part of a direction
)
SHORTEST: Final = 1e-6


class Space(msgspec.Struct):
    """The directions in which embeddings are kept and learned.

    Only where an embedding points to is kept, not how far: it is far for loud and long sounds.

    Attributes:
        mean: float32 [size], of all the windows.
        turn: float32 [directions, size]; along each the windows have a variance of 1 or less.
    """

    mean: Floats
    turn: Floats

    def of(self, embedding: Floats) -> Floats:
        """Float32 [..., size] to [..., directions], of length 1."""
        turned: Floats = ((embedding - self.mean) @ self.turn.T).astype(np.float32)
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        out: Floats = turned / np.maximum(length, np.float32(SHORTEST))
        return out


class Hours(msgspec.Struct):
    """See the module.

    Attributes:
        ears: digest of the network that heard it.
        hop_s: seconds between the windows of a stretch.
        space: directions.
        kinds: names of what is heard.
        teaching: int8 [windows, directions], in steps.
        teaching_kind: int16 [windows].
        counting: int8 [windows, directions], one stretch after the other.
        counting_kind: int16 [windows].
        lengths: windows of each stretch.
        unheard: of each stretch, whether it is of recordings that the network never learned.
        trained_on: recordings and licences.
    """

    ears: str
    hop_s: float
    space: Space
    kinds: list[str]
    teaching: NDArray[np.int8]
    teaching_kind: Kinds
    counting: NDArray[np.int8]
    counting_kind: Kinds
    lengths: list[int]
    unheard: list[bool]
    trained_on: list[str]

    @property
    def seconds(self) -> float:
        """Of all stretches."""
        return len(self.counting) * self.hop_s

    def stretches(self) -> Iterator[slice]:
        """Where each stretch is in what counts."""
        begin = 0
        for length in self.lengths:
            yield slice(begin, begin + length)
            begin += length

    def encode(self) -> bytes:
        """The file."""
        packed = msgspec.msgpack.encode(
            _Packed(
                format=FORMAT,
                ears=self.ears,
                hop_s=self.hop_s,
                shape=self.space.turn.shape,
                mean=self.space.mean.astype("<f4").tobytes(),
                turn=self.space.turn.astype("<f4").tobytes(),
                kinds=self.kinds,
                teaching=self.teaching.tobytes(),
                teaching_kind=self.teaching_kind.astype("<i2").tobytes(),
                counting=self.counting.tobytes(),
                counting_kind=self.counting_kind.astype("<i2").tobytes(),
                lengths=self.lengths,
                unheard=self.unheard,
                trained_on=self.trained_on,
            )
        )
        return zlib.compress(packed, 9)


class _Packed(msgspec.Struct, forbid_unknown_fields=True):
    """The hours as they are stored."""

    format: int
    ears: str
    hop_s: float
    shape: tuple[int, int]
    mean: bytes
    turn: bytes
    kinds: list[str]
    teaching: bytes
    teaching_kind: bytes
    counting: bytes
    counting_kind: bytes
    lengths: list[int]
    unheard: list[bool]
    trained_on: list[str]


def read_hours(path: Path) -> Hours:
    """Read the file.

    Raises:
        ModelError: it is not there, or damaged.
    """
    try:
        found = msgspec.msgpack.decode(zlib.decompress(path.read_bytes()), type=_Packed)
        if found.format != FORMAT:
            raise ValueError(f"format {found.format}")
        directions, size = found.shape
        return Hours(
            found.ears,
            found.hop_s,
            Space(
                np.frombuffer(found.mean, "<f4").reshape(size),
                np.frombuffer(found.turn, "<f4").reshape(directions, size),
            ),
            found.kinds,
            np.frombuffer(found.teaching, np.int8).reshape(-1, directions),
            np.frombuffer(found.teaching_kind, "<i2"),
            np.frombuffer(found.counting, np.int8).reshape(-1, directions),
            np.frombuffer(found.counting_kind, "<i2"),
            found.lengths,
            found.unheard,
            found.trained_on,
        )
    except (OSError, ValueError, zlib.error, msgspec.MsgspecError) as e:
        raise ModelError(
            f"{path}: the hours of other sounds cannot be read: {e}", "install rt-tag anew"
        ) from e


def hours_of(ears: str) -> Hours:
    """The shipped hours that a network heard.

    Args:
        ears: digest of the network.

    Raises:
        ModelError: it heard none.
    """
    for path in sorted(WEIGHTS.glob("*.hours")):
        hours = read_hours(path)
        if hours.ears == ears:
            return hours
    raise ModelError(
        "this model's network heard none of the hours of other sounds that are installed",
        "learn anew, from the ears that come with this version",
    )


def to_bytes(turned: Floats) -> NDArray[np.int8]:
    """Embeddings in the directions as they are kept."""
    kept: NDArray[np.int8] = np.clip(np.rint(turned * STEPS), -127, 127).astype(np.int8)
    return kept


def from_bytes(kept: NDArray[np.int8]) -> Floats:
    """And back."""
    values: Floats = kept.astype(np.float32) / np.float32(STEPS)
    return values
