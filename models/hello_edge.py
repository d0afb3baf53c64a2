"""DS-CNN as it was published: S, M and L, for keywords on MFCC.

Zhang, Suda, Lai, Chandra, "Hello Edge: Keyword Spotting on Microcontrollers" (2017), section
4.4 and table 7: a full convolution over 10 frames and 4 coefficients, then four or five
depthwise-separable ones, a mean and a dense layer. `models.dscnn` is our own descendant of it.

    input 49 x 10, 12 labels     parameters      MACs
    dscnn-s   4 of  64               23,180     2.7 M    (published: 5.4 M operations)
    dscnn-m   4 of 172              136,580     9.8 M    (19.8 M)
    dscnn-l   5 of 276              413,736    28.3 M    (56.9 M)

Frames are 40 ms long and 20 ms apart; an operation is a multiplication or an addition.
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn


class HelloEdgeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a published DS-CNN.

    Args:
        labels: scores.
        width: channels of every layer.
        layers: depthwise-separable ones.
        stride: of the first convolution (frames, coefficients).
        second: stride of the first depthwise-separable layer, both ways.
        dropout: before the classifier.
    """

    labels: int
    width: int = 64
    layers: int = 4
    stride: tuple[int, int] = (2, 2)
    second: int = 1
    dropout: float = 0.0


class HelloEdge(nn.Module):
    """The network. Logits for a window of any length."""

    def __init__(self, config: HelloEdgeConfig) -> None:
        super().__init__()
        width = config.width
        # padding as the publication's framework has it at its own window: as little before as
        # after, and the odd one after
        self.stem = nn.Sequential(
            nn.ZeroPad2d((1, 2, 4, 5)),
            nn.Conv2d(1, width, (10, 4), config.stride, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        layers: list[nn.Module] = []
        for i in range(config.layers):
            step = config.second if i == 0 else 1
            layers += [
                nn.Conv2d(width, width, 3, step, 1, groups=width, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(width, config.labels)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, coefficients] to logits [batch, labels]."""
        y = self.layers(self.stem(x)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(self.dropout(y))
        return logits
