"""Plain CNNs over a log-mel spectrogram: convolution blocks, then dense layers.

The two networks of a study of FSD50K: `cnn-multi`, for all of its 200 labels, has the study's
1,472,776 parameters; of `cnn-single`, for six families of sounds, the study gives the three
blocks and not their widths, so those are ours. The blocks are those of VGG (Simonyan,
Zisserman, "Very Deep Convolutional Networks", 2015) with BatchNorm.

                input       labels   blocks          head            parameters      MACs
    cnn-multi   516 x 128      200   32-64-128-128   2048-512-256     1,472,776   271.5 M
    cnn-single  216 x 64         6   32-64-128       128                 93,894   131.4 M
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn


class CNNConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a CNN.

    Args:
        labels: scores.
        channels: of each block: convolution 3 x 3, BatchNorm, ReLU, maximum.
        pool: the maximum is over so many (frames, bands).
        grid: what is left is averaged to so many (frames, bands), whatever the window; at the
            window of the study nothing is left to average.
        head: dense layers before the scores.
        dropout: after each of them; the last number serves for the rest.
    """

    labels: int
    channels: tuple[int, ...] = (32, 64, 128, 128)
    pool: tuple[int, int] = (4, 2)
    grid: tuple[int, int] = (2, 8)
    head: tuple[int, ...] = (512, 256)
    dropout: tuple[float, ...] = (0.3, 0.2)


class CNN(nn.Module):
    """The network. Logits for a window of any length."""

    def __init__(self, config: CNNConfig) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inputs = 1
        for width in config.channels:
            blocks += [
                nn.Conv2d(inputs, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(config.pool, ceil_mode=True),
            ]
            inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.reduce = nn.AdaptiveAvgPool2d(config.grid)
        inputs *= config.grid[0] * config.grid[1]
        dense: list[nn.Module] = []
        for i, width in enumerate(config.head):
            share = config.dropout[min(i, len(config.dropout) - 1)] if config.dropout else 0.0
            dense += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(share)]
            inputs = width
        self.head = nn.Sequential(*dense, nn.Linear(inputs, config.labels))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        logits: Tensor = self.head(self.reduce(self.blocks(x)).flatten(1))
        return logits
