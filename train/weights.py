"""What is done with weights: averaged over steps or checkpoints, taken from another run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from models.checkpoint import load_tensors, save_checkpoint
from models.gate import GateNetwork
from models.grow import grow
from realtime.card import parse_card
from realtime.errors import UsageError

log = logging.getLogger("rt.train.weights")


def named(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as a checkpoint names them."""
    return {f"model.{k}": v for k, v in weights.items()}


@torch.no_grad()
def follow(average: dict[str, Tensor], now: dict[str, Tensor], decay: float) -> None:
    """Exponential moving average of weights and BatchNorm statistics."""
    for name, value in now.items():
        if value.is_floating_point():
            average[name].lerp_(value, 1.0 - decay)
        else:
            average[name].copy_(value)


def begin_with(network: nn.Module, path: Path) -> None:
    """Take a checkpoint's weights where name and shape are the same; the others are said.

    A gate's network may be wider than the checkpoint's: it begins as that one (`models.grow`).

    Raises:
        ModelError: the file is no checkpoint.
        UsageError: nothing of it fits.
    """
    given, _ = load_tensors(path, "model.")
    own = network.state_dict()
    fitting = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
    if isinstance(network, GateNetwork) and len(fitting) < len(own) and grow(network, given):
        log.info("%s: grown from its shape", path)
        return
    if not fitting:
        raise UsageError(f"{path}: no tensor fits this network", "change [model] or fit.init")
    network.load_state_dict(fitting, strict=False)
    left = sorted(own.keys() - fitting.keys())
    names = f"; fresh: {', '.join(left[:6])}{' ...' if len(left) > 6 else ''}" if left else ""
    log.info("%s: %d of %d tensors taken%s", path, len(fitting), len(own), names)


def mean_of(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Mean weights of checkpoints of one network; what counts steps is the last one's.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima" (2018).

    Raises:
        ModelError: a file is no checkpoint.
        UsageError: they are of different networks.
    """
    mean, _ = load_tensors(paths[-1], "model.")
    for path in paths[:-1]:
        other, _ = load_tensors(path, "model.")
        if {k: v.shape for k, v in other.items()} != {k: v.shape for k, v in mean.items()}:
            raise UsageError(
                f"{path} and {paths[-1]} are of different networks", "choose others"
            )
        for name, value in other.items():
            if value.is_floating_point():
                mean[name] += value
    return {k: v / len(paths) if v.is_floating_point() else v for k, v in mean.items()}


def write_mean(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of checkpoints as one; errors as `mean_of`, or the file cannot be written.

    The card is the last one's, without its figures: nobody has judged the mean.
    """
    mean = mean_of(paths)
    header = load_tensors(paths[-1], "model.")[1]
    card = msgspec.structs.replace(parse_card(header["rt.card"], str(paths[-1])), measured=())
    save_checkpoint(out, named(mean), msgspec.json.decode(header["rt.network"]), card)
