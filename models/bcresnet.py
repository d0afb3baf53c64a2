"""BC-ResNet: keywords with few operations, by convolutions over frequency and over time apart.

Kim, Chang, Lee, Sung, "Broadcasted Residual Learning for Efficient Keyword Spotting" (2021): a
block's frequency part keeps the picture; its temporal part works on the mean of all bands and
is added back to every band. Sub-spectral normalisation (Chang et al., 2021) has statistics for
each fifth of the bands.

    input 98 x 40, 12 labels      parameters      MACs
    bcresnet-1    8 channels           9,232     2.4 M    (published: 9.2 K)
    bcresnet-3   24 channels          54,168    14.1 M    (54.2 K)
    bcresnet-8   64 channels         321,068    83.4 M    (321 K)
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from realtime.errors import UsageError

DEPTHS = (2, 2, 4, 4)  # blocks of the stages
WIDTHS = (1.0, 1.5, 2.0, 2.5)  # channels of the stages, in `width`s
STRIDES = (1, 2, 2, 1)  # over the bands


class BCResNetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a BC-ResNet.

    Args:
        labels: scores.
        width: channels of the first stage; 8 times the paper's tau.
        bands: groups of bands with statistics of their own; the input has 8 times as many
            bands, or a multiple of that.
        dropout: in the temporal part.
    """

    labels: int
    width: int = 8
    bands: int = 5
    dropout: float = 0.1


class SubSpectralNorm(nn.Module):
    """BatchNorm with statistics for each group of neighbouring bands."""

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.norm = nn.BatchNorm2d(channels * bands)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, mel, time], the same out."""
        batch, channels, mel, time = x.shape
        if mel % self.bands:
            raise UsageError(
                f"{mel} rows of bands are no multiple of {self.bands}",
                f"give BC-ResNet {8 * self.bands} bands, or a multiple",
            )
        y = self.norm(x.reshape(batch, channels * self.bands, mel // self.bands, time))
        z: Tensor = y.reshape(batch, channels, mel, time)
        return z


class BCBlock(nn.Module):
    """A block; the first of a stage changes the channels and has no way past it."""

    def __init__(
        self, inputs: int, width: int, stride: int, dilation: int, config: BCResNetConfig
    ) -> None:
        super().__init__()
        self.first = inputs != width
        self.enter = (
            nn.Sequential(
                nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
            )
            if self.first
            else nn.Identity()
        )
        self.over_bands = nn.Sequential(
            nn.Conv2d(width, width, (3, 1), (stride, 1), (1, 0), groups=width, bias=False),
            SubSpectralNorm(width, config.bands),
        )
        self.over_time = nn.Sequential(
            nn.Conv2d(width, width, (1, 3), 1, (0, dilation), (1, dilation), width, bias=False),
            nn.BatchNorm2d(width),
            nn.SiLU(),
            nn.Conv2d(width, width, 1, bias=False),
            nn.Dropout2d(config.dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, mel, time] to [batch, width, mel / stride, time]."""
        y = self.over_bands(self.enter(x))
        y = y + self.over_time(y.mean(2, keepdim=True))
        return torch.relu(y if self.first else y + x)


class BCResNet(nn.Module):
    """The network. Logits for a window of any length."""

    def __init__(self, config: BCResNetConfig) -> None:
        super().__init__()
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv2d(1, 2 * width, 5, (2, 1), 2, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        blocks, inputs = [], 2 * width
        for stage, (depth, factor, stride) in enumerate(
            zip(DEPTHS, WIDTHS, STRIDES, strict=True)
        ):
            for i in range(depth):
                outputs = int(factor * width)
                step = stride if i == 0 else 1
                blocks.append(BCBlock(inputs, outputs, step, 2**stage, config))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(
            nn.Conv2d(inputs, inputs, 5, 1, (0, 2), groups=inputs, bias=False),
            nn.Conv2d(inputs, 4 * width, 1, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(4 * width, config.labels)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        y = self.last(self.blocks(self.stem(x.transpose(2, 3))))
        logits: Tensor = self.classifier(y.mean(dim=(2, 3)))
        return logits
