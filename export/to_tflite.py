"""Torch network to float TFLite through litert-torch, and the slimming of TFLite files.

litert-torch prints on import and while it works: it is imported and run inside `quiet`.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.layers import WEIGHTED_TFLITE
from export.quiet import quiet
from export.to_onnx import INPUT, OUTPUT, with_names
from realtime.card import Card
from realtime.errors import ModelError, UsageError, first_line
from realtime.runners.plan import Plan

LAYERS = ("Conv", "Linear")  # how the names of classes of layers with weights begin
ALIGNMENT = 16  # bytes; the format asks it of weights, and Python's flatbuffers does not know

log = logging.getLogger("rt.export.to_tflite")


class _Named(nn.Module):
    """A network whose inputs and outputs carry names into the TFLite signature.

    Args:
        network: takes tensors, gives one or a tuple of them.
        outputs: names for those.
    """

    def __init__(self, network: nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """What the network gives for the tensors in their order, by name."""
        given = self.network(*inputs.values())
        tensors = given if isinstance(given, tuple) else (given,)
        return dict(zip(self.outputs, tensors, strict=True))


def to_tflite(network: nn.Module, card: Card) -> tuple[bytes, Card]:
    """Export a network, float32, for one window at a time.

    The input keeps torch's layout: with one channel, the change to the format's own is a
    reshape that costs nothing.

    Args:
        network: scores from windows laid out as `card.input.layout` says.
        card: its card; without states.

    Returns:
        The TFLite file's bytes, slim and without a card, and the card with the tensors' names.

    Raises:
        UsageError: a stateful model.
        ModelError: the converter refuses the network.
    """
    if card.states:
        raise UsageError(f"{card.name} has states", "only whole-window models are exported")
    example = torch.zeros(Plan(card, card.name).input_shape)
    return tflite_of(network, {INPUT: example}, [OUTPUT], card.name), with_names(card)


def tflite_of(
    network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], name: str
) -> bytes:
    """Run litert-torch, and `slim` what it makes: a TFLite file, float32.

    Args:
        network: what is called with the tensors, in this order.
        inputs: by the names that they get; their shapes are the model's.
        outputs: names for what the network returns, in its order.
        name: of the model, for messages.

    Raises:
        ModelError: the converter refuses the network.
    """
    try:
        with quiet(), tempfile.TemporaryDirectory() as folder:
            import litert_torch

            path = Path(folder) / "model.tflite"
            edge = litert_torch.convert(
                _Named(network, outputs).eval(), sample_kwargs=dict(inputs)
            )
            edge.export(str(path))
            return slim(path.read_bytes())
    except Exception as e:  # litert-torch, torch.export and MLIR each raise their own
        raise ModelError(f"{name} cannot be exported to TFLite: {first_line(e)}") from e


def slim(model: bytes) -> bytes:
    """A TFLite file with short tensor names; the signature's names stay.

    The converter names a tensor by all torch modules that it came from: 30 KB in a small model.
    What an operator with weights gives keeps the one name that its layer has in torch.
    """
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    with quiet():
        tree = tfl_flatbuffer_utils.read_model(bytearray(model))
        for graph in tree.subgraphs:
            layers = _layer_names(tree, graph)
            for i, tensor in enumerate(graph.tensors):
                tensor.name = layers.get(i, f"t{i}").encode()
        return pack(tree)


def _layer_names(tree: Any, graph: Any) -> dict[int, str]:
    """Torch's names of the layers, by the tensor that each gives; see `to_onnx.slim`."""
    codes = weighted_codes()
    names: dict[int, str] = {}
    count: Counter[str] = Counter()
    for op in graph.operators:
        if tree.operatorCodes[op.opcodeIndex].builtinCode not in codes:
            continue
        found = (
            _module_of(graph.tensors[i].name.decode()) for i in (op.outputs[0], op.inputs[1])
        )
        name = next((n for n in found if n), "")
        if name:
            count[name] += 1
            names[int(op.outputs[0])] = name if count[name] == 1 else f"{name}#{count[name]}"
    return names


def weighted_codes() -> dict[int, str]:
    """Numbers and names of the operators with weights."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {getattr(BuiltinOperator, name): name for name in WEIGHTED_TFLITE}


def _module_of(tensor: str) -> str:
    """The layer that a tensor's name ends in, "" if it is none.

    A name is a list of paths, each of parts like `torch.nn.modules.conv.Conv2d_depthwise`;
    the first two are our wrapper and the network.
    """
    for path in tensor.split(";"):
        parts = [part.rpartition(".")[2].lstrip("_") for part in path.split("/")[2:]]
        if parts and parts[-1].startswith(LAYERS):
            return ".".join(part.partition("_")[2] for part in parts)
    return ""


def pack(tree: Any) -> bytes:
    """A TFLite object tree (`ModelT`) as a file."""
    import flatbuffers

    class Builder(flatbuffers.Builder):
        """Puts byte vectors, which hold the weights, on `ALIGNMENT`."""

        def StartVector(self, size: int, count: int, alignment: int) -> Any:  # noqa: N802
            weights = size == 1 and count >= ALIGNMENT
            return super().StartVector(size, count, ALIGNMENT if weights else alignment)

    builder = Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())
