"""From scores of instants to scores of a clip: the five pooling functions.

Wang, Li, Metze, "A Comparison of Five Multiple Instance Learning Pooling Functions for Sound
Event Detection with Weak Labeling" (2019), table 1. y are probabilities of the instants:

    max          max y
    average      mean y
    linear       sum y^2 / sum y
    exponential  sum y e^y / sum e^y
    attention    sum w y, w = softmax over time of a second dense layer
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Pooling = Literal["max", "average", "linear", "exponential", "attention"]
LEAST = 1e-6  # nearest that a probability comes to 0 or 1, so that its logit has a slope


class InstanceHead(nn.Module):
    """Scores of each instant and of the clip, from what is known at each instant."""

    def __init__(self, inputs: int, labels: int, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling
        self.scores = nn.Linear(inputs, labels)
        self.weights = nn.Linear(inputs, labels) if pooling == "attention" else None

    def instants(self, x: Tensor) -> Tensor:
        """Probabilities [batch, instants, labels], from [batch, instants, inputs]."""
        y: Tensor = self.scores(x).sigmoid().clamp(LEAST, 1.0 - LEAST)
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the clip [batch, labels], from [batch, instants, inputs]."""
        y = self.instants(x)
        weights = None if self.weights is None else self.weights(x).softmax(1)
        return pooled(y, self.pooling, weights).logit(LEAST)


def pooled(y: Tensor, pooling: Pooling, weights: Tensor | None = None) -> Tensor:
    """Probabilities of a clip [batch, labels].

    Args:
        y: probabilities [batch, instants, labels], over 0.
        pooling: which function.
        weights: of attention, [batch, instants, labels], 1 in sum over the instants.

    Raises:
        ValueError: attention without weights.
    """
    if pooling == "max":
        return y.amax(1)
    if pooling == "average":
        return y.mean(1)
    if pooling == "linear":
        return y.square().sum(1) / y.sum(1)
    if pooling == "exponential":
        return (y * y.exp()).sum(1) / y.exp().sum(1)
    if weights is None:
        raise ValueError("attention needs weights")
    return (y * weights).sum(1)
