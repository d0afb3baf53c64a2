"""`WakeFile`: a model to learn from, and a learned one as a file.

Used by `realtime.commands.tag_learn`. A learned model is the ONNX file that it came from, cut
off after its embedding, with a layer of its own behind, another card and a memory: one file
that `open_runner` reads like any model, and that can be learned from again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.learn.network import EMBEDDING
from realtime.learn.onnx_file import OnnxFile
from realtime.learn.taught import demand_same, finished, read_taught
from realtime.runners import open_runner
from realtime.wake.ears import Ears
from realtime.wake.head import Layer, sigmoid
from realtime.wake.hours import SHORTEST, Space
from realtime.wake.memory import Memory, decode

Floats = NDArray[np.float32]

SCORES: Final = "scores"
OTHER: Final = "other"  # the label of everything else
TOLERANCE: Final = 2e-3  # of scores, between the written file and what was learned


class WakeFile(msgspec.Struct):
    """A model.

    Attributes:
        path: where it came from.
        data: the file's bytes.
        card: its card.
        ears: its network.
        memory: what it remembers; None for one that was not learned by example.
    """

    path: Path
    data: bytes
    card: Card
    ears: Ears
    memory: Memory | None


def read_model(path: Path) -> WakeFile:
    """Read a model to learn from.

    Raises:
        ModelError: it cannot be read, or has no embedding.
    """
    taught = read_taught(path, "ears, or what was learned of it")
    memory = decode(taught.memory, str(path)) if taught.memory else None
    digest = memory.ears if memory else hashlib.sha256(taught.file.graph).hexdigest()[:16]
    ears = Ears(taught.data, taught.card, str(path), digest)
    return WakeFile(path, taught.data, taught.card, ears, memory)


def write_model(
    base: WakeFile, layer: Layer, space: Space, card: Card, memory: Memory
) -> bytes:
    """The bytes of a model with other last layers, card and memory.

    Its scores are logits: one for each label, and one for everything else, which is as sure as
    the surest of them is not.
    """
    file = OnnxFile(base.data, str(base.path))
    file.cut(EMBEDDING)
    for name, value in (
        ("wake.mean", space.mean), ("wake.turn", space.turn.T), ("wake.weight", layer.weight.T),
        ("wake.bias", layer.bias), ("wake.shortest", np.array([SHORTEST])),
    ):  # fmt: skip
        file.add_weight(name, value)
    for operator, inputs, output in (  # as `Space.of` and `Layer.logits`
        ("Sub", [EMBEDDING, "wake.mean"], "wake.moved"),
        ("MatMul", ["wake.moved", "wake.turn"], "wake.turned"),
        ("Mul", ["wake.turned", "wake.turned"], "wake.squares"),
        ("ReduceSum", ["wake.squares"], "wake.square"),
        ("Sqrt", ["wake.square"], "wake.length"),
        ("Max", ["wake.length", "wake.shortest"], "wake.positive"),
        ("Div", ["wake.turned", "wake.positive"], "wake.unit"),
        ("MatMul", ["wake.unit", "wake.weight"], "wake.product"),
        ("Add", ["wake.product", "wake.bias"], "wake.logits"),
        ("ReduceMax", ["wake.logits"], "wake.best"),
        ("Neg", ["wake.best"], "wake.other"),
    ):
        file.add_node(operator, inputs, output)
    file.add_node("Concat", ["wake.logits", "wake.other"], SCORES, axis=1)
    file.put_output(SCORES, (1, len(layer.bias) + 1))
    return finished(file, card, memory.encode())


def check_model(path: Path, layer: Layer, space: Space, ears: Ears, sound: Floats) -> None:
    """Run a written model as `rt-tag` will, against what was learned.

    Args:
        path: the written file.
        layer: what was learned.
        space: its directions.
        ears: the network.
        sound: float32 [samples], some that is not silent.

    Raises:
        ParityError: they do not agree.
    """
    window = np.resize(sound, ears.samples)
    logits = layer.logits(space.of(ears.embed(window)))
    want = sigmoid(np.append(logits, -logits.max()))
    have = open_runner(path).run(ears.frames(window))
    demand_same(have, want, TOLERANCE, "model")
