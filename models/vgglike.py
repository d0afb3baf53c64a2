"""The VGG-like baseline of FSD50K.

Fonseca, Favory, Pons, Font, Serra, "FSD50K: an Open Dataset of Human-Labeled Sound Events"
(2022), section V: 3 x 3 convolutions with BatchNorm, three of 32, two of 64 and one of 128
channels, a maximum over 2 x 2 after each group, then maximum and mean side by side and a dense
layer of 256.

    input 101 x 96, 200 labels     265,992 parameters (published: 0.27 M), 363.0 M MACs
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn


class VGGLikeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a VGG-like network.

    Args:
        labels: scores.
        groups: (channels, convolutions) each.
        dense: width of the layer before the scores.
        dropout: before that layer.
    """

    labels: int
    groups: tuple[tuple[int, int], ...] = ((32, 3), (64, 2), (128, 1))
    dense: int = 256
    dropout: float = 0.0


class VGGLike(nn.Module):
    """The network. Logits for a window of any length."""

    def __init__(self, config: VGGLikeConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for width, count in config.groups:
            for _ in range(count):
                layers += [
                    nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
                ]  # fmt: skip
                inputs = width
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(2 * inputs, config.dense),
            nn.ReLU(),
            nn.Linear(config.dense, config.labels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        y = self.layers(x)
        both = torch.cat([y.amax(dim=(2, 3)), y.mean(dim=(2, 3))], 1)
        logits: Tensor = self.head(both)
        return logits
