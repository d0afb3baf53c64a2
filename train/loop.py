"""What every training loop needs: rates, averaged weights, checkpoints that resume, a bar."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn

from models.checkpoint import load_tensors, save_checkpoint
from realtime.card import Card
from realtime.errors import UsageError
from train.tables import Fit

log = logging.getLogger("rt.train.loop")


def placed(network: Any, device: torch.device) -> nn.Module:
    """On the device, channels last: a fifth faster on CPU (torch's stubs lack the argument)."""
    out: nn.Module = network.to(device, memory_format=torch.channels_last)
    return out


def begin_with(network: nn.Module, path: Path) -> None:
    """Take a checkpoint's weights where name and shape are the same; the others are said.

    Raises:
        ModelError: the file is no checkpoint.
        UsageError: nothing of it fits.
    """
    given, _ = load_tensors(path, "model.")
    own = network.state_dict()
    fitting = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
    if not fitting:
        raise UsageError(f"{path}: no tensor fits this network", "change [model] or fit.init")
    network.load_state_dict(fitting, strict=False)
    left = sorted(own.keys() - fitting.keys())
    names = f"; fresh: {', '.join(left[:6])}{' ...' if len(left) > 6 else ''}" if left else ""
    log.info("%s: %d of %d tensors taken%s", path, len(fitting), len(own), names)


def weight_groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices only: norms and biases set scales, not complexity."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]


def learning_rate(step: int, f: Fit) -> float:
    """Rises along a line, falls along a half cosine."""
    rise = max(1, round(f.warmup * f.steps))
    if step < rise:
        return f.rate * (step + 1) / rise
    return f.rate * 0.5 * (1.0 + math.cos(math.pi * (step - rise) / max(1, f.steps - rise)))


@torch.no_grad()
def follow(average: dict[str, Tensor], now: dict[str, Tensor], decay: float) -> None:
    """Exponential moving average of weights and BatchNorm statistics."""
    for name, value in now.items():
        if value.is_floating_point():
            average[name].lerp_(value, 1.0 - decay)
        else:
            average[name].copy_(value)


def save_last(
    out: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor],
    step: int, best: float, card: Card, description: dict[str, Any],
) -> None:  # fmt: skip
    """Everything that a resumed run needs, in `last.safetensors`."""
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v.clone() for k, v in average.items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": torch.as_tensor(v) for k, v in state.items()}
    save_checkpoint(
        out / "last.safetensors",
        tensors,
        description,
        card,
        step=str(step),
        best=repr(best),
    )


def resume(
    out: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor]
) -> tuple[int, float]:
    """Go on from `last.safetensors` if there is one: the next step, and the best figure."""
    path = out / "last.safetensors"
    if not path.exists():
        return 0, 0.0
    tensors, header = load_tensors(path)
    network.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    for k in average:
        average[k].copy_(tensors[f"average.{k}"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".")
            state.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    log.info("going on from %s", path)
    return int(header["step"]), float(header["best"])


def pick_device(name: str) -> torch.device:
    """The device that a recipe asks for."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("fit.device is cuda and there is none", "use auto or cpu")
    return torch.device(name)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on stderr: stdout is for the result."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as progress:
        yield progress
