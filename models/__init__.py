"""The torch networks, and nothing else. `build` makes one from a recipe's `[model]` table."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec
from torch import nn

from models.dscnn import DSCNN, DSCNNConfig
from models.gate import GateConfig, GateNetwork
from realtime.errors import UsageError

NETWORKS: dict[str, tuple[type[nn.Module], type[msgspec.Struct]]] = {
    "dscnn": (DSCNN, DSCNNConfig),
    "gate": (GateNetwork, GateConfig),
}


def build(description: dict[str, Any], labels: int) -> nn.Module:
    """Make a network with fresh weights.

    Args:
        description: {"network": name, ...fields of its configuration}.
        labels: number of scores.

    Raises:
        UsageError: unknown network or field.
    """
    fields = dict(description)
    name = fields.pop("network", "")
    if name not in NETWORKS:
        near = difflib.get_close_matches(str(name), NETWORKS, 1)
        raise UsageError(
            f"there is no network {name!r}",
            f"did you mean {near[0]}?" if near else f"choose from {', '.join(NETWORKS)}",
        )
    network, config = NETWORKS[name]
    try:
        return network(msgspec.convert({**fields, "labels": labels}, config))
    except msgspec.ValidationError as e:
        raise UsageError(f"[model] of {name}: {e}", "see docs/recipes.md") from e


def parameters(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in network.parameters())
