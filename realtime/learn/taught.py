"""`TaughtFile`: a model that can be taught, with its card and what it remembers of its lessons.

Used by `realtime.learn.gate_file` and `realtime.wake.model_file`. What is remembered is a
struct of numbers and bytes, kept as text in the metadata of the ONNX file.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card, parse_card
from realtime.errors import CardError, ParityError, RunnerError
from realtime.learn.onnx_file import OnnxFile
from realtime.runners import CARD_KEY, model_kind

Floats = NDArray[np.float32]

MEMORY_KEY: Final = "rt.memory"
FORMAT: Final = 1


class TaughtFile(msgspec.Struct):
    """A model.

    Attributes:
        data: the file's bytes.
        file: the same, taken apart.
        card: its card.
        memory: what it remembers; None for one that was not taught by example.
    """

    data: bytes
    file: OnnxFile
    card: Card
    memory: str | None


class Packed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A memory as it is stored; a kind of memory adds its fields."""

    format: int = FORMAT

    def pack(self) -> str:
        """As text."""
        return base64.b64encode(zlib.compress(msgspec.msgpack.encode(self), 9)).decode()


Kept = TypeVar("Kept", bound=Packed)


def unpack(text: str, kind: type[Kept]) -> Kept:
    """A memory as it was stored; inside `reading`, which says what is wrong with it."""
    packed = msgspec.msgpack.decode(zlib.decompress(base64.b64decode(text)), type=kind)
    if packed.format != FORMAT:
        raise ValueError(f"format {packed.format}")
    return packed


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Where a memory is read back.

    Args:
        what: whose, for messages: "my.gate: what the gate remembers".

    Raises:
        CardError: it is damaged or of a later version.
    """
    try:
        yield
    except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError) as e:
        raise CardError(f"{what} cannot be read: {e}", "learn it anew") from e


def read_taught(path: Path, example: str) -> TaughtFile:
    """Read a model to learn from.

    Args:
        path: its file.
        example: what can be learned from, for messages.

    Raises:
        ModelError: it cannot be read, or carries no card.
    """
    if model_kind(path) != "onnx":
        raise RunnerError(f"{path} is no ONNX model", f"learn from {example}, in ONNX")
    data = path.read_bytes()
    file = OnnxFile(data, str(path))
    found = file.metadata
    if CARD_KEY not in found:
        raise CardError(f"{path} carries no card", f"learn from {example}")
    return TaughtFile(data, file, parse_card(found[CARD_KEY], str(path)), found.get(MEMORY_KEY))


def finished(file: OnnxFile, card: Card, memory: str) -> bytes:
    """The bytes of a model with another card and memory."""
    file.set_metadata(CARD_KEY, card.to_json())
    file.set_metadata(MEMORY_KEY, memory)
    return file.to_bytes()


def demand_same(have: Floats, want: Floats, most: float, name: str) -> None:
    """Refuse a written model whose scores are not those that were learned.

    Args:
        have: its scores.
        want: what was learned.
        most: by how much they may differ.
        name: "gate" or "model".

    Raises:
        ParityError: they differ by more, or are no numbers.
    """
    worst = float(np.abs(have - want).max())
    if not worst <= most:
        raise ParityError(
            f"the written {name} scores {worst:.4f} off what was learned; nothing is saved",
            "please report it with the model it was learned from",
        )
