"""Torch network to float ONNX, and the slimming that keeps small models small.

The exporter folds each BatchNorm into its convolution and describes every node with the source
lines it came from. Those lines are longer than a small model's weights and name folders of the
exporting machine, so they go.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from export.layers import WEIGHTED
from export.quiet import quiet
from realtime.card import Card
from realtime.errors import ModelError, UsageError, first_line
from realtime.runners.plan import Plan

OPSET = 20
SCOPES = "pkg.torch.onnx.name_scopes"  # metadata of torch's exporter: the modules of a node
INPUT, OUTPUT, EMBEDDING = "features", "scores", "embedding"

log = logging.getLogger("rt.export.to_onnx")


def to_onnx(network: nn.Module, card: Card, embedding: bool = False) -> tuple[bytes, Card]:
    """Export a network, float32, for one window at a time.

    Args:
        network: scores from windows laid out as `card.input.layout` says.
        card: its card; without states.
        embedding: give what the last linear layer takes, as a second output of that name.

    Returns:
        The ONNX file's bytes, slim and without a card, and the card with the tensors' names.

    Raises:
        UsageError: a stateful model, or no last linear layer for an embedding.
        ModelError: the exporter refuses the network.
    """
    if card.states:
        raise UsageError(f"{card.name} has states", "only whole-window models are exported")
    example = torch.zeros(Plan(card, card.name).input_shape)
    outputs = [OUTPUT]
    if embedding:
        network, outputs = WithEmbedding(network, card), [OUTPUT, EMBEDDING]
    model = onnx_of(network, {INPUT: example}, outputs, card.name)
    left = sorted({n.op_type for n in model.graph.node if "Normalization" in n.op_type})
    if left:
        log.warning("%s keeps %s as operators of their own", card.name, ", ".join(left))
    return model.SerializeToString(), with_names(card)


def onnx_of(
    network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], name: str
) -> Any:
    """Run torch's exporter, and `slim` what it makes: an `onnx.ModelProto`, float32.

    Args:
        network: what is called with the tensors, in this order.
        inputs: by the names that they get; their shapes are the model's.
        outputs: names for what the network returns, in its order.
        name: of the model, for messages.

    Raises:
        ModelError: the exporter refuses the network.
    """
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                network.eval(),
                tuple(inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                external_data=False,
                verbose=False,
            )
    except Exception as e:  # torch's exporters have no common base of errors
        raise ModelError(f"{name} cannot be exported to ONNX: {first_line(e)}") from e
    if program is None:
        raise ModelError(f"{name} cannot be exported to ONNX")
    model = program.model_proto  # made anew at each access
    slim(model)
    return model


def with_names(card: Card) -> Card:
    """The card with the names that an export gives to the sound's and the scores' tensors."""
    return msgspec.structs.replace(
        card, input=msgspec.structs.replace(card.input, name=INPUT), output=OUTPUT
    )


class WithEmbedding(nn.Module):
    """A network that also gives what its last linear layer takes: scores, embedding.

    Raises:
        UsageError: no linear layer gives the scores.
    """

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        self.network = network
        self._heard = torch.empty(0)
        linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
        if not linear or linear[-1].out_features != len(card.labels):
            raise UsageError(
                f"{card.name} has no linear layer that gives its scores",
                "leave out --embedding",
            )
        linear[-1].register_forward_pre_hook(self._hear)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [batch, labels] and embedding [batch, size]."""
        return self.network(x), self._heard

    def _hear(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._heard = inputs[0]


def slim(model: Any) -> None:
    """Remove from an `onnx.ModelProto` what no runtime reads, and shorten every name.

    Names of inputs and outputs stay, and operators with weights bear the names that their
    layers have in torch, where those are known. Metadata goes, a card included: stamp it
    afterwards.
    """
    graph = model.graph
    layers = _layer_names(graph)
    _share_weights(graph)
    del graph.value_info[:]
    model.producer_name, model.producer_version = "rt-tag", ""
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    graph.name = "g"
    public = {t.name for t in (*graph.input, *graph.output)}
    values = [w.name for w in graph.initializer] + [o for n in graph.node for o in n.output]
    short = {name: f"v{i}" for i, name in enumerate(v for v in values if v not in public)}
    for weight in graph.initializer:
        weight.name = short.get(weight.name, weight.name)
    for i, node in enumerate(graph.node):
        node.name = layers.get(i, f"n{i}")
        for names in (node.input, node.output):
            renamed = [short.get(name, name) for name in names]
            del names[:]
            names.extend(renamed)


def slimmed(model: bytes) -> bytes:
    """A file of which `slim` has been made."""
    import onnx

    proto = onnx.load_from_string(model)
    slim(proto)
    data: bytes = proto.SerializeToString()
    return data


def _layer_names(graph: Any) -> dict[int, str]:
    """Torch's names of the layers, by the node's number; a second one of a name gets #2."""
    weights = {w.name for w in graph.initializer}
    names: dict[int, str] = {}
    count: Counter[str] = Counter()
    for i, node in enumerate(graph.node):
        if node.op_type not in WEIGHTED or node.input[1] not in weights:
            continue
        name = node.input[1].removesuffix(".weight")
        if name == node.input[1]:  # a matrix that was turned round has no name of its own
            name = next((p.value for p in node.metadata_props if p.key == SCOPES), "")
            name = ([""] * 2 + re.findall(r"'([^']*)'", name))[-2]
        if name:
            count[name] += 1
            names[i] = name if count[name] == 1 else f"{name}#{count[name]}"
    return names


def _share_weights(graph: Any) -> None:
    """Keep one of equal constants (zero points are many and all alike), and none unused."""
    public = {t.name for t in (*graph.input, *graph.output)}
    first: dict[bytes, str] = {}
    instead: dict[str, str] = {}
    for weight in graph.initializer:
        if weight.name not in public:
            bare = type(weight)()
            bare.CopyFrom(weight)
            bare.name = ""
            content = bare.SerializeToString(deterministic=True)
            instead[weight.name] = first.setdefault(content, weight.name)
    for node in graph.node:
        renamed = [instead.get(name, name) for name in node.input]
        del node.input[:]
        node.input.extend(renamed)
    used = {name for node in graph.node for name in node.input} | public
    kept = [w for w in graph.initializer if w.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
