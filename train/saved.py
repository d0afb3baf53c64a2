"""What a run keeps on disk of its weights: to go on from."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from models.checkpoint import load_tensors, save_checkpoint
from realtime.card import Card

LAST = "last.safetensors"

log = logging.getLogger("rt.train.saved")


class Progress(msgspec.Struct):
    """How far a run is.

    Attributes:
        step: steps taken.
        best: the best figure so far.
        waited: validations since then.
        scaler: state of the scaling of half-precision gradients.
    """

    step: int = 0
    best: float = -math.inf
    waited: int = 0
    scaler: dict[str, Any] = {}


def save_last(
    out: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor],
    progress: Progress, card: Card, description: dict[str, Any],
) -> None:  # fmt: skip
    """Everything that a resumed run needs, in `last.safetensors`."""
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v.clone() for k, v in average.items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": torch.as_tensor(v) for k, v in state.items()}
    header = {
        "step": str(progress.step),
        "best": repr(progress.best),
        "waited": str(progress.waited),
        "scaler": msgspec.json.encode(progress.scaler).decode(),
    }
    save_checkpoint(out / LAST, tensors, description, card, **header)


def resume(
    out: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor]
) -> Progress:
    """Go on from `last.safetensors` if there is one."""
    path = out / LAST
    if not path.exists():
        return Progress()
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
    return Progress(
        int(header["step"]),
        float(header["best"]),
        int(header.get("waited", "0")),
        msgspec.json.decode(header.get("scaler", "{}")),
    )
