"""Image networks as taggers: timm's ResNet, DenseNet, VGG, EfficientNet and any other.

He et al., "Deep Residual Learning" (2016); Huang et al., "Densely Connected Convolutional
Networks" (2017); Simonyan, Zisserman (2015); Tan, Le, "EfficientNet" (2019) and
"EfficientNetV2" (2021). The spectrogram is an image of one colour; pretrained weights have
their colours summed, as timm does it. With `pooling`, the last picture is averaged over bands
and its instants are scored and pooled (ResNet-50 with attention, say).

    input 98 x 40, 12 labels     parameters       MACs
    resnet50                     23,526,348     0.42 G
    vgg19-bn                    139,629,260     1.59 G
    efficientnet-b1               6,527,980     0.07 G
    efficientnet-b7              63,816,540     0.64 G
    efficientnetv2-m             52,873,296     0.62 G
    efficientnetv2-xl           206,853,604     2.16 G
    input 101 x 96, 200 labels
    resnet18                     11,272,840     0.37 G    (published: 11.3 M)
    densenet121                   7,152,584     0.54 G    (published: 12.5 M)
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import timm
from torch import Tensor, nn

from models.pooling import InstanceHead
from realtime.errors import ModelError, UsageError, first_line


class BackboneConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which image network, and how its scores are made.

    Args:
        labels: scores.
        backbone: timm's name.
        pooling: "" for the network's own head, or how instants are pooled.
        pretrained: start from timm's weights, which it downloads.
        weights: file with such weights; "" for none.
        freeze: train the head only.
        dropout: before the scores.
    """

    labels: int
    backbone: str = "resnet18"
    pooling: Literal["", "max", "average", "linear", "exponential", "attention"] = ""
    pretrained: bool = False
    weights: str = ""
    freeze: bool = False
    dropout: float = 0.0


class Backbone(nn.Module):
    """The network. Logits for a window of any length.

    Raises:
        UsageError: timm has no such network.
        ModelError: the weights do not fit it.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        more: dict[str, Any] = {}
        if config.weights:
            more = {"pretrained_cfg_overlay": {"file": config.weights}}
        if config.backbone not in timm.list_models():
            near = timm.list_models(f"*{config.backbone[:8]}*")[:5]
            raise UsageError(
                f"timm has no network {config.backbone}",
                f"it has {', '.join(near)}" if near else "see timm.list_models()",
            )
        try:
            network: Any = timm.create_model(
                config.backbone,
                pretrained=config.pretrained or bool(config.weights),
                in_chans=1,
                num_classes=0 if config.pooling else config.labels,
                drop_rate=config.dropout,
                **more,
            )
        except (RuntimeError, OSError) as e:
            raise ModelError(
                f"{config.weights or config.backbone}: {first_line(e)}",
                "the weights are of another network, or cannot be had",
            ) from e
        self.network: nn.Module = network
        self.head: InstanceHead | None = None
        if config.pooling:
            self.head = InstanceHead(network.num_features, config.labels, config.pooling)
        if config.freeze:
            head = [] if config.pooling else list(network.get_classifier().parameters())
            for value in network.parameters():
                value.requires_grad = any(value is one for one in head)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        x = x.transpose(2, 3)
        if self.head is None:
            logits: Tensor = self.network(x)
            return logits
        network: Any = self.network
        y = network.forward_features(x)  # [batch, features, mel, time]
        pooled: Tensor = self.head(y.mean(2).transpose(1, 2))
        return pooled
