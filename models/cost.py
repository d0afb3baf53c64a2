"""What a network costs: parameters and multiply-accumulates, counted without computing.

The network is made on torch's meta device, where tensors have shapes and no values, so that
even the largest takes no memory. Matrix products, convolutions and attention are counted, as
papers do; additions, norms and activations are not.
"""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models import build, parameters


class Cost(msgspec.Struct, frozen=True):
    """Size and work of a network.

    Args:
        parameters: trainable values.
        macs: multiply-accumulates for one input.
    """

    parameters: int
    macs: int


def cost(description: dict[str, Any], labels: int, shape: tuple[int, int]) -> Cost:
    """The cost of a network that need not exist.

    Args:
        description: as for `models.build`; weights it names are not loaded.
        labels: number of scores.
        shape: (frames, values in a frame) of one input.

    Raises:
        UsageError: as `models.build`.
    """
    with torch.device("meta"):
        network = build(description, labels, load=False)
    return Cost(parameters(network), macs(network, shape))


def macs(network: nn.Module, shape: tuple[int, int]) -> int:
    """Multiply-accumulates of a tagger for one input (frames, values in a frame)."""
    device = next(network.parameters()).device
    was = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, *shape, device=device))
    network.train(was)
    return int(counter.get_total_flops()) // 2
