"""`Layer`: a part of a network that is quantized or left in float as one.

It is an operator with weights and those after it up to the next (activations, sums, pools).
Its name is torch's (`blocks.0.depthwise`), in the ONNX file that of the node, in the TFLite
file that of the operator's output, where `to_onnx.slim` and `to_tflite.slim` have put it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from realtime.errors import UsageError

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # of ONNX
WEIGHTED_TFLITE = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
NUMBERED = re.compile(r"[nt]\d+")  # what slimming calls a layer that torch has no name for


class Layer(msgspec.Struct, frozen=True):
    """One layer.

    Args:
        name: torch's.
        kind: of the operator with weights, as the file's format calls it.
        weights: numbers in them.
        members: names of its nodes (ONNX), or of its operators' outputs (TFLite).
    """

    name: str
    kind: str
    weights: int
    members: tuple[str, ...]


def onnx_layers(model: bytes) -> list[Layer]:
    """The layers of a float ONNX file, in the order in which they run."""
    import onnx

    graph = onnx.load_from_string(model).graph
    sizes = {w.name: _size(w.dims) for w in graph.initializer}
    rows = []
    for node in graph.node:
        own = sizes.get(node.input[1], 0) if node.op_type in WEIGHTED else 0
        rows.append((node.name, node.op_type, own, node.name))
    return _grouped(rows)


def tflite_layers(model: bytes) -> list[Layer]:
    """The layers of a float TFLite file, in the order in which they run."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    from export.to_tflite import weighted_codes

    tree = tfl_flatbuffer_utils.read_model(bytearray(model))
    names = weighted_codes()
    graph = tree.subgraphs[0]
    rows = []
    for op in graph.operators:
        kind = names.get(tree.operatorCodes[op.opcodeIndex].builtinCode, "")
        output = graph.tensors[op.outputs[0]].name.decode()
        own = _size(graph.tensors[op.inputs[1]].shape) if kind else 0
        rows.append((output, kind, own, output))
    return _grouped(rows)


def named(layers: Sequence[Layer], names: Iterable[str]) -> tuple[str, ...]:
    """The names, each known.

    Raises:
        UsageError: one is none of the layers'.
    """
    known = [layer.name for layer in layers]
    for name in names:
        if name not in known:
            raise _unknown(name, known)
    return tuple(n for n in known if n in set(names))


def demand_modules(modules: Mapping[str, bool], names: Iterable[str]) -> None:
    """Refuse, before anything is exported, names that no layer of the network can have.

    Args:
        modules: torch's names, and whether each has a matrix of its own, to be named in a hint.
        names: of layers.

    Raises:
        UsageError: one belongs to no module.
    """
    for name in names:
        if name.partition("#")[0] not in modules and not NUMBERED.fullmatch(name):
            raise _unknown(name, [n for n, weighted in modules.items() if weighted])


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    near = difflib.get_close_matches(name, known, 1)
    return UsageError(
        f"--keep-float {name}: the network has no such layer",
        f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}",
    )


def members_of(layers: Sequence[Layer], names: Iterable[str]) -> list[str]:
    """The members of the layers with these names."""
    chosen = set(names)
    return [m for layer in layers if layer.name in chosen for m in layer.members]


def _grouped(rows: Sequence[tuple[str, str, int, str]]) -> list[Layer]:
    """Rows of name, kind, weights and member to layers; what comes first joins the first."""
    layers: list[Layer] = []
    waiting: tuple[str, ...] = ()
    for name, kind, own, member in rows:
        if own:
            layers.append(Layer(name, kind, own, (*waiting, member)))
            waiting = ()
        elif layers:
            last = layers[-1]
            layers[-1] = msgspec.structs.replace(last, members=(*last.members, member))
        else:
            waiting += (member,)
    return layers


def _size(shape: Iterable[int]) -> int:
    size = 1
    for n in shape:
        size *= int(n)
    return size
