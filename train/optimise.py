"""How weights move: optimizers, rates over a run, and what stays frozen."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from realtime.errors import UsageError
from train.tables import Fit

ONE_CYCLE = (25.0, 1e4)  # how far under its peak a one-cycle rate begins, and then ends


def optimizer_of(network: nn.Module, f: Fit) -> torch.optim.Optimizer:
    """The optimizer that a recipe names, without a step taken."""
    groups = weight_groups(network, f.decay)
    kinds: dict[str, Any] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "rmsprop": torch.optim.RMSprop,
        "adagrad": torch.optim.Adagrad,
    }
    optimizer: torch.optim.Optimizer = kinds[f.optimizer](groups, lr=f.rate, foreach=True)
    return optimizer


def weight_groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices only: norms and biases set scales, not complexity."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]


def learning_rate(step: int, f: Fit) -> float:
    """The rate of a step.

    "one_cycle" is that of Smith and Topin, "Super-Convergence" (2018), without its momentum;
    the others rise along a line first.
    """
    rise = max(1, round(f.warmup * f.steps))
    left = min(1.0, (step - rise) / max(1, f.steps - rise))  # under 0 while it rises
    if f.schedule == "one_cycle":
        low, end = f.rate / ONE_CYCLE[0], f.rate / ONE_CYCLE[0] / ONE_CYCLE[1]
        if step < rise:
            return _along(low, f.rate, step / rise)
        return _along(f.rate, end, left)
    if step < rise:
        return f.rate * (step + 1) / rise
    if f.schedule == "constant":
        return f.rate
    if f.schedule == "step":
        return float(f.rate * f.drop ** int((step - rise) // max(1, f.drop_every * f.steps)))
    return f.rate * 0.5 * (1.0 + math.cos(math.pi * left))


def set_frozen(network: nn.Module, names: tuple[str, ...], frozen: bool) -> None:
    """Freeze parts of a network, or free them; their BatchNorm statistics with them.

    Args:
        network: whose parts.
        names: each freezes the parts whose names begin with it.
        frozen: or not.

    Raises:
        UsageError: a name that no part has.
    """
    parts = dict(network.named_modules()) | dict(network.named_parameters())
    for name in names:
        found = [p for k, p in parts.items() if k.startswith(name)]
        if not found:
            own = ", ".join(k for k, _ in network.named_children())
            raise UsageError(f"fit.freeze: the network has no {name}", f"it has {own}")
        for part in found:
            part.requires_grad_(not frozen)
            if isinstance(part, nn.Module):
                part.train(not frozen)


def _along(begin: float, end: float, share: float) -> float:
    """Half a cosine from one number to another."""
    return end + (begin - end) * 0.5 * (1.0 + math.cos(math.pi * share))
