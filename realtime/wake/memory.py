"""`Memory`: what a model remembers of its examples, so that learning more forgets nothing.

Used by `realtime.wake.lesson` and written into the model's file. Embeddings in the directions
of `realtime.wake.hours.Space`, one byte each, of every example that was ever given; no sound
can be made of them. A later lesson learns from all of them anew, beside what is new.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.learn.taught import Packed, reading, unpack
from realtime.wake.hours import from_bytes

Floats = NDArray[np.float32]
Bytes = NDArray[np.int8]


class Example(msgspec.Struct):
    """One sound that was shown.

    Attributes:
        label: what it is; empty for what it shall not be.
        recording: digest of the recording it is from.
        stream: int8 [hops, directions], as a microphone would have brought it.
        windows: int8 [windows, directions], as it may sound elsewhere; what teaches.
        seconds: of the sound.
    """

    label: str
    recording: str
    stream: Bytes
    windows: Bytes
    seconds: float

    @property
    def heard(self) -> Floats:
        """The stream as numbers."""
        return from_bytes(self.stream)


class Memory(msgspec.Struct):
    """All examples.

    Attributes:
        ears: digest of the network that heard them.
        examples: so.
        lessons: how many lessons they come from.
    """

    ears: str
    examples: list[Example]
    lessons: int = 1

    @property
    def labels(self) -> list[str]:
        """In the order in which they came."""
        return list(dict.fromkeys(e.label for e in self.examples if e.label))

    def encode(self) -> str:
        """The memory as text."""
        return _Packed(
            ears=self.ears,
            lessons=self.lessons,
            examples=[
                _Kept(
                    label=e.label,
                    recording=e.recording,
                    directions=e.stream.shape[1],
                    stream=e.stream.tobytes(),
                    windows=e.windows.tobytes(),
                    seconds=e.seconds,
                )
                for e in self.examples
            ],
        ).pack()


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    recording: str
    directions: int
    stream: bytes
    windows: bytes
    seconds: float


class _Packed(Packed, kw_only=True):
    """The memory as it is stored."""

    ears: str
    lessons: int
    examples: list[_Kept]


def decode(text: str, where: str) -> Memory:
    """Read a memory back.

    Args:
        text: as `Memory.encode` gives it.
        where: the model's file, for messages.

    Raises:
        CardError: it is damaged or of a later version.
    """
    with reading(f"{where}: what the model remembers"):
        packed = unpack(text, _Packed)
        examples = [
            Example(
                e.label,
                e.recording,
                np.frombuffer(e.stream, np.int8).reshape(-1, e.directions),
                np.frombuffer(e.windows, np.int8).reshape(-1, e.directions),
                e.seconds,
            )
            for e in packed.examples
        ]
    return Memory(packed.ears, examples, packed.lessons)
