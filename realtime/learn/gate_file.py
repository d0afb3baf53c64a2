"""`GateFile`: a gate as a file to learn from, and a learned one as a file.

Used by `realtime.learn.lesson` and `realtime.learn.more`. A learned gate is the ONNX file that
it came from with another head, another card and a memory: one file that `open_runner` reads
like any model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.errors import RunnerError
from realtime.gate.settings import require_gate
from realtime.learn.backbone import Backbone
from realtime.learn.head import Head
from realtime.learn.memory import Memory, decode
from realtime.learn.onnx_file import OnnxFile
from realtime.learn.taught import demand_same, finished, read_taught
from realtime.runners import open_runner

Floats = NDArray[np.float32]

HEAD: Final = ("hidden.weight", "hidden.bias", "score.weight", "score.bias")
CHECKED_HOPS: Final = 200
TOLERANCE: Final = 1e-3  # of scores, between the written file and what was learned


class GateFile(msgspec.Struct):
    """A gate.

    Attributes:
        path: where it came from.
        data: the file's bytes.
        card: its card.
        head: its head.
        memory: what it remembers; None for one that was not learned by example.
        backbone: its network.
    """

    path: Path
    data: bytes
    card: Card
    head: Head
    memory: Memory | None
    backbone: Backbone


def read_gate(path: Path) -> GateFile:
    """Read a gate.

    Raises:
        ModelError: it cannot be read, is no gate, or has no head that can be replaced.
    """
    taught = read_taught(path, "a gate that rt-export made")
    card = taught.card
    require_gate(card)
    backbone = Backbone(taught.data, card, str(path))
    memory = decode(taught.memory, str(path)) if taught.memory else None
    head = _read_head(taught.file, backbone.size, len(card.labels))
    return GateFile(path, taught.data, card, head, memory, backbone)


def write_gate(gate: GateFile, head: Head, card: Card, memory: Memory) -> bytes:
    """The bytes of a gate with another head, card and memory."""
    file = OnnxFile(gate.data, str(gate.path))
    for name, value in zip(HEAD, msgspec.structs.astuple(head), strict=True):
        stored = file.weight(f"head.{name}")
        turned = stored is not None and stored.shape != value.shape
        file.replace(f"head.{name}", value.T if turned else value)
    return finished(file, card, memory.encode())


def check_gate(path: Path, head: Head, backbone: Backbone, sound: Floats) -> None:
    """Run a written gate as rt-gate will, against the head as it was learned.

    Args:
        path: the written file.
        head: what was learned.
        backbone: the network.
        sound: float32 [samples] at the card's rate.

    Raises:
        ParityError: they do not agree.
    """
    runner = open_runner(path)
    frames = backbone.frames(sound)[:CHECKED_HOPS]
    want = head.scores(backbone.embed_frames(frames))
    have = np.stack([runner.run(frame[None]) for frame in frames])
    demand_same(have, want, TOLERANCE, "gate")


def _read_head(file: OnnxFile, size: int, scores: int) -> Head:
    """The head's weights, each as PyTorch lays it out; files may have matrices turned."""
    found = [file.weight(f"head.{name}") for name in HEAD]
    if any(w is None for w in found):
        raise RunnerError(
            f"{file.where} has no head that can be replaced",
            "learn from a gate whose head is in float, as the shipped ones are",
        )
    hidden, hidden_bias, score, score_bias = (w for w in found if w is not None)
    units = len(hidden_bias)
    hidden = hidden.T if hidden.shape != (units, size) else hidden
    score = score.T if score.shape != (scores, units) else score
    if hidden.shape != (units, size) or score.shape != (scores, units):
        raise RunnerError(
            f"{file.where}: its head does not fit its embedding", "export the gate anew"
        )
    return Head(hidden, hidden_bias, score, score_bias)
