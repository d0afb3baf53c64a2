"""Gates to ONNX and TFLite: one frame a step, every state an input and an output.

The head stays in float and keeps the names `head.*`, since `rt-gate learn` puts another one in
its place.
"""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import Tensor

from export.to_onnx import EMBEDDING, INPUT, OUTPUT, onnx_of, with_names
from export.to_tflite import tflite_of
from export.weights import onnx_weights
from models.gate import GateNetwork, GateStep
from realtime.card import Card, StateSpec
from realtime.errors import ModelError

HEAD = ("hidden.weight", "hidden.bias", "score.weight", "score.bias")


def with_states(network: GateNetwork, card: Card) -> Card:
    """The card with the tensors' names, those of the states too."""
    states = tuple(
        StateSpec(name=name, shape=shape, output=f"{name}_next")
        for name, shape in network.state_shapes().items()
    )
    named = with_names(card)
    heard = msgspec.structs.replace(named.input, layout="btf")
    return msgspec.structs.replace(named, input=heard, states=states)


def gate_to_onnx(network: GateNetwork, card: Card) -> tuple[bytes, Card]:
    """Export a gate, float32.

    Args:
        network: the gate.
        card: its card.

    Returns:
        The file's bytes, without a card, and the card with the tensors' names.

    Raises:
        ModelError: the exporter refuses the network.
    """
    card = with_states(network, card)
    model = onnx_of(GateStep(network), *_ends(network, card), card.name)
    name_head(model, network)
    return model.SerializeToString(), card


def gate_to_tflite(network: GateNetwork, card: Card) -> tuple[bytes, Card]:
    """Export a gate to TFLite, float32; as `gate_to_onnx`.

    Raises:
        ModelError: the converter refuses the network.
    """
    card = with_states(network, card)
    return tflite_of(GateStep(network), *_ends(network, card), card.name), card


def _ends(network: GateNetwork, card: Card) -> tuple[dict[str, Tensor], list[str]]:
    """What a step takes, zeros by name, and the names of what it gives."""
    inputs = {INPUT: torch.zeros(1, 1, network.config.mels)}
    inputs |= {s.name: torch.zeros(s.shape) for s in card.states}
    return inputs, [OUTPUT, *(s.output for s in card.states), EMBEDDING]


def name_head(model: Any, network: GateNetwork) -> None:
    """Give the head's weights their names, found by their values.

    Args:
        model: an `onnx.ModelProto`, which is changed.
        network: it was made of.

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
    return onnx_weights(model, lambda name: not name.startswith("head."))
