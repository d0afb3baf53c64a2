"""Gates to ONNX and TFLite: one frame a step, every state an input and an output.

The head stays in float and keeps the names `head.*`, since `rt-gate learn` puts another one in
its place.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from export.quiet import quiet
from export.to_onnx import INPUT, OPSET, OUTPUT, slim
from export.to_tflite import slim as slim_tflite
from export.weights import onnx_dynamic
from models.gate import GateNetwork, GateStep
from realtime.card import Card, StateSpec
from realtime.errors import ModelError

EMBEDDING = "embedding"
STATES = ("frames", "channels", "lower", "upper")
HEAD = ("hidden.weight", "hidden.bias", "score.weight", "score.bias")


def with_states(network: GateNetwork, card: Card) -> Card:
    """The card with the tensors' names, those of the states too."""
    states = tuple(
        StateSpec(name=name, shape=shape, output=f"{name}_next")
        for name, shape in network.state_shapes().items()
    )
    return msgspec.structs.replace(
        card,
        input=msgspec.structs.replace(card.input, name=INPUT, layout="btf"),
        output=OUTPUT,
        states=states,
    )


def gate_to_onnx(network: GateNetwork, card: Card) -> tuple[bytes, Card]:
    """Export a gate, float32.

    Returns:
        The file's bytes, without a card, and the card with the tensors' names.

    Raises:
        ModelError: the exporter refuses the network.
    """
    card = with_states(network, card)
    step = GateStep(network).eval()
    states = [torch.zeros(s.shape) for s in card.states]
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                step,
                (torch.zeros(1, 1, network.config.mels), *states),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT, *(s.name for s in card.states)],
                output_names=[OUTPUT, *(s.output for s in card.states), EMBEDDING],
                external_data=False,
                verbose=False,
            )
    except Exception as e:  # torch's exporters have no common base of errors
        raise ModelError(f"{card.name} cannot be exported to ONNX: {e}") from e
    if program is None:
        raise ModelError(f"{card.name} cannot be exported to ONNX")
    model = program.model_proto
    slim(model)
    name_head(model, network)
    return model.SerializeToString(), card


class _NamedStep(nn.Module):
    """A step whose inputs and outputs carry names into the TFLite signature."""

    def __init__(self, network: GateNetwork) -> None:
        super().__init__()
        self.step = GateStep(network)

    def forward(
        self, features: Tensor, frames: Tensor, channels: Tensor, lower: Tensor, upper: Tensor
    ) -> dict[str, Tensor]:
        """Scores, next states and the embedding."""
        scores, *after, embedding = self.step(features, frames, channels, lower, upper)
        states = zip(STATES, after, strict=True)
        return {OUTPUT: scores, EMBEDDING: embedding} | {f"{k}_next": v for k, v in states}


def gate_to_tflite(network: GateNetwork, card: Card) -> tuple[bytes, Card]:
    """Export a gate to TFLite, float32; as `gate_to_onnx`.

    Raises:
        ModelError: the converter refuses the network.
    """
    card = with_states(network, card)
    example = {INPUT: torch.zeros(1, 1, network.config.mels)}
    example |= {s.name: torch.zeros(s.shape) for s in card.states}
    try:
        with quiet(), tempfile.TemporaryDirectory() as folder:
            import litert_torch

            path = Path(folder) / "model.tflite"
            edge = litert_torch.convert(_NamedStep(network).eval(), sample_kwargs=example)
            edge.export(str(path))
            return slim_tflite(path.read_bytes()), card
    except Exception as e:  # litert-torch, torch.export and MLIR each raise their own
        lines = str(e).strip().splitlines() or [type(e).__name__]
        raise ModelError(f"{card.name} cannot be exported to TFLite: {lines[0][:200]}") from e


def name_head(model: Any, network: GateNetwork) -> None:
    """Give the head's weights their names, found by their values.

    Raises:
        ModelError: one of them is not there.
    """
    import numpy as np
    from onnx import numpy_helper

    for name in HEAD:
        layer, kind = name.split(".")
        value = getattr(getattr(network, layer), kind).detach().numpy()
        for weight in model.graph.initializer:
            have = numpy_helper.to_array(weight)
            turned = have.T if have.ndim == 2 else have
            for shown in (have, turned):
                if shown.shape == value.shape and np.array_equal(shown, value):
                    _rename(model.graph, weight.name, f"head.{name}")
                    # raw bytes can be replaced in place
                    weight.CopyFrom(numpy_helper.from_array(have, f"head.{name}"))
                    break
            else:
                continue
            break
        else:
            raise ModelError(f"the exported model has no {name}", "export it unquantized")


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        names = [new if n == old else n for n in node.input]
        del node.input[:]
        node.input.extend(names)


def quantize_weights(model: bytes) -> bytes:
    """Matrices of an ONNX gate to int8, those of the head excepted."""
    import onnx

    proto = onnx.load_from_string(model)
    heads = [n.name for n in proto.graph.node if any(i.startswith("head.") for i in n.input)]
    return onnx_dynamic(model, heads)
