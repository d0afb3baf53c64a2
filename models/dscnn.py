"""DS-CNN: depthwise-separable convolutions over a log-mel spectrogram, for keywords.

Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers" (2017) introduced the family;
this form adds residual connections and a pyramid (halving time and frequency while the
channels grow), which spends the multiplications where they buy most. ReLU and BatchNorm only:
both fold into int8 convolutions without loss.

    shape, input 98 x 40            parameters     MACs (one second)
    kws12:      stem 32, 64-128-256     297,932        34.0 M
    kws12-tiny: stem 16, 32-64-96        44,140         7.0 M
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn


class DSCNNConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a DS-CNN.

    Args:
        labels: scores.
        stem: channels of the first, full convolution (5 x 5, stride 2 x 2).
        stages: (channels, stride, blocks) each; the stride is taken by the stage's first block.
        kernel: depthwise kernel (time, frequency).
        dropout: before the classifier.
    """

    labels: int
    stem: int = 32
    stages: tuple[tuple[int, int, int], ...] = ((64, 1, 2), (128, 2, 3), (256, 2, 4))
    kernel: tuple[int, int] = (3, 3)
    dropout: float = 0.1


class DSBlock(nn.Module):
    """Depthwise, then pointwise convolution; a residual where the shape is kept."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        pad = (kernel[0] // 2, kernel[1] // 2)
        self.depthwise = nn.Conv2d(
            inputs, inputs, kernel, stride, pad, groups=inputs, bias=False
        )
        self.depth_norm = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.point_norm = nn.BatchNorm2d(outputs)
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, time, mel] to [batch, outputs, time / stride, mel / stride]."""
        y = torch.relu(self.depth_norm(self.depthwise(x)))
        y = self.point_norm(self.pointwise(y))
        return torch.relu(y + x if self.residual else y)


class DSCNN(nn.Module):
    """The network. Logits for one window of log-mel frames."""

    def __init__(self, config: DSCNNConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, config.stem, 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(config.stem)
        blocks: list[nn.Module] = []
        channels = config.stem
        for width, stride, count in config.stages:
            for i in range(count):
                blocks.append(DSBlock(channels, width, stride if i == 0 else 1, config.kernel))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(channels, config.labels)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = self.blocks(x).mean(dim=(2, 3))
        logits: Tensor = self.classifier(self.dropout(x))
        return logits
