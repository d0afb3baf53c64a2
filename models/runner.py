"""`TorchRunner`: a network behind the runners' protocol, so that one code judges all."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from realtime.card import Card
from realtime.runners.plan import Plan

Array = NDArray[np.float32]


class TorchRunner:
    """A torch network that sees whole windows; a `realtime.runners.Runner`.

    It is fed by the same plan as the runners of exported models.

    Args:
        network: the network, put into evaluation mode.
        card: its card.
    """

    def __init__(self, network: nn.Module, card: Card) -> None:
        self.card = card
        self.runtime = f"torch {torch.__version__}"
        self._network = network.eval()
        self._plan = Plan(card, card.name)

    def run(self, window: Array) -> Array:
        """Score one window; see `realtime.runners.Runner`."""
        with torch.inference_mode():
            raw = self._network(torch.from_numpy(self._plan.arrange(window)))
        return self._plan.probabilities(raw.numpy())

    def reset(self) -> None:
        """Nothing: whole windows have no state."""
