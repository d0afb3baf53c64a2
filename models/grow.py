"""A wider gate network that begins as exactly the narrower one that it grew from.

The old weights are a corner of the new matrices. What the new units say counts nothing for the
old ones at first (those columns are zero), what the old units say does for the new ones (those
rows stay as they were drawn), so no score changes and every new weight learns from the first
step. The idea is Chen, Goodfellow, Shlens, "Net2Net: Accelerating Learning via Knowledge
Transfer" (2016); units there are copies, which would have to be driven apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.gate import GateConfig, GateNetwork

Corner = tuple[int, int]  # of so many values, how many are old


@torch.no_grad()
def grow(network: GateNetwork, given: dict[str, Tensor]) -> bool:
    """Set a fresh network's weights to those of a narrower one.

    Args:
        network: set in place; scores become those of the narrower one, up to rounding.
        given: tensors of a `GateNetwork`.

    Returns:
        False, with nothing set, if the weights are not of a network of the same bands, kernels
        and scores that is nowhere wider.
    """
    old = _config(given, network.config)
    if old is None:
        return False
    c = network.config
    first, second = zip(c.channels, old.channels, strict=True)
    lower, upper = zip(c.units, old.units, strict=True)
    head, bands, scores = (c.head, old.head), (c.mels, c.mels), (c.labels, c.labels)
    known = (second, lower, upper)
    own = network.state_dict()
    shapes: dict[str, tuple[Sequence[Corner], Sequence[Corner]]] = {
        "first.weight": ((first,), (bands,)),
        "second.weight": ((second,), (first,)),
        "lower.weight_ih_l0": ((lower,) * 3, (second,)),
        "lower.weight_hh_l0": ((lower,) * 3, (lower,)),
        "upper.weight_ih_l0": ((upper,) * 3, (lower,)),
        "upper.weight_hh_l0": ((upper,) * 3, (upper,)),
        "hidden.weight": ((head,), known),
        "score.weight": ((scores,), (head,)),
    }
    if network.kind is not None and "kind.weight" in given:
        kinds = (c.kinds, c.kinds)
        shapes["kind.weight"] = ((kinds,), known)
    for name, (rows, columns) in shapes.items():
        into, by = _old(rows), _old(columns)
        weight = own[name]
        weight[into] = 0.0
        weight[into[:, None], by] = given[name]
        bias = name.replace("weight", "bias")
        own[bias][into] = given[bias]
    return True


def _old(corners: Sequence[Corner]) -> Tensor:
    """Indices of the old values among concatenated groups."""
    at, out = 0, []
    for size, old in corners:
        out.append(torch.arange(at, at + old))
        at += size
    return torch.cat(out)


def _config(given: dict[str, Tensor], own: GateConfig) -> GateConfig | None:
    """The shape of a narrower network, or None if it is none."""
    try:
        first, second = given["first.weight"].shape, given["second.weight"].shape
        units = tuple(given[f"{layer}.weight_hh_l0"].shape[1] for layer in ("lower", "upper"))
        labels, head = given["score.weight"].shape
    except (KeyError, ValueError):
        return None
    same = (labels, first[1], first[2], second[2]) == (own.labels, own.mels, *own.kernels)
    kind = given.get("kind.weight")
    same = same and (kind is None or not own.kinds or len(kind) == own.kinds)
    sizes = (first[0], second[0], *units, head)
    limits = (*own.channels, *own.units, own.head)
    if not same or any(a > b for a, b in zip(sizes, limits, strict=True)):
        return None
    return GateConfig(
        labels=labels,
        mels=own.mels,
        channels=(first[0], second[0]),
        kernels=own.kernels,
        units=(units[0], units[1]),
        head=head,
        kinds=own.kinds,
    )
