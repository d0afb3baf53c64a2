"""MobileNetV3 taggers, `mn`: many labels for few operations.

Schmid, Koutini, Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge
Distillation" (2023), after Howard et al., "Searching for MobileNetV3" (2019). Blocks are
torchvision's; widths are scaled. The published weights were taught by transformers:
`loss.teachers` does that.

    input 1000 x 128, 527 labels     parameters     MACs
    mn04                                983,599    0.11 G    (published: 0.98 M)
    mn05                              1,431,239    0.16 G    (1.43 M)
    mn10                              4,876,831    0.54 G    (4.88 M)
    mn20                             17,909,287    2.06 G    (17.9 M)
    mn40                             68,427,303    8.03 G    (68.4 M)
"""

from __future__ import annotations

from functools import partial

import msgspec
from torch import Tensor, nn
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3

# MobileNetV3-Large: channels in, expanded and out, kernel, stride, whether it squeezes and
# excites, and its activation (RE is ReLU, HS hard swish)
LARGE = (
    (16, 16, 16, 3, 1, False, "RE"),
    (16, 64, 24, 3, 2, False, "RE"),
    (24, 72, 24, 3, 1, False, "RE"),
    (24, 72, 40, 5, 2, True, "RE"),
    (40, 120, 40, 5, 1, True, "RE"),
    (40, 120, 40, 5, 1, True, "RE"),
    (40, 240, 80, 3, 2, False, "HS"),
    (80, 200, 80, 3, 1, False, "HS"),
    (80, 184, 80, 3, 1, False, "HS"),
    (80, 184, 80, 3, 1, False, "HS"),
    (80, 480, 112, 3, 1, True, "HS"),
    (112, 672, 112, 3, 1, True, "HS"),
    (112, 672, 160, 5, 2, True, "HS"),
    (160, 960, 160, 5, 1, True, "HS"),
    (160, 960, 160, 5, 1, True, "HS"),
)
LAST = 1280  # width of the dense layer before the scores


class MobileNetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of an `mn`.

    Args:
        labels: scores.
        width: factor on all channels.
        dropout: before the scores.
    """

    labels: int
    width: float = 1.0
    dropout: float = 0.2


class MobileNet(nn.Module):
    """The network. Logits for a window of any length."""

    def __init__(self, config: MobileNetConfig) -> None:
        super().__init__()
        blocks = [
            InvertedResidualConfig(i, k, e, o, se, act, step, 1, config.width)
            for i, e, o, k, step, se, act in LARGE
        ]
        self.network = MobileNetV3(
            blocks,
            InvertedResidualConfig.adjust_channels(LAST, config.width),
            config.labels,
            # the paper's momentum of 0.01 needs more steps than a short run has
            norm_layer=partial(nn.BatchNorm2d, eps=1e-3, momentum=0.1),
            dropout=config.dropout,
        )
        first = self.network.features[0][0]  # it is made for three colours
        self.network.features[0][0] = nn.Conv2d(1, first.out_channels, 3, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        logits: Tensor = self.network(x.transpose(2, 3))
        return logits
