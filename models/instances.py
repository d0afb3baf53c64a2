"""Networks that score every instant and pool: TALNet, CNN+Transformer, Transformer, Conformer.

A clip is tagged by what is said of its instants, so the same network also finds them in time
(`instants`). The front end of TALNet: Wang, Li, Metze, "A Comparison of Five Multiple Instance
Learning Pooling Functions" (2019): ten 3 x 3 convolutions, a maximum over two bands after every
second, and over two frames after the first two of those. Over it a recurrent layer (TALNet), or
layers of attention (CNN+Transformer: Li, Qu, Huang, Metze, "AudioTagging Done Right", 2022).
The Transformer (Vaswani et al., 2017) and the Conformer (Gulati et al., 2020; torchaudio's
layers) see a few frames at a time; a clip of embeddings goes through dense layers alone.

    input 400 x 64, 527 labels                     parameters     MACs
    talnet            conv, GRU 2 x 512             9,978,543    3.6 G   (published: 8 M)
    cnn-transformer   conv, 2 layers of 8 heads    11,814,575    3.8 G   (published: 12 M)
    transformer       8 layers of 8 heads          25,622,031    2.6 G
    conformer         12 blocks of 4 heads         18,476,559    1.9 G
    mil-dense         4 dense layers, of 10 x 128     701,627    7.0 M   (published: 0.7 M)

The published code of TALNet has these layers, and so has more values than the thesis says.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import torch
from torch import Tensor, nn

from models.pooling import InstanceHead
from realtime.errors import UsageError

HALVINGS = 5  # maxima over two bands in the convolutional front


class InstancesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a network of instances.

    Args:
        labels: scores.
        mels: values in a frame; with the front "conv" a multiple of 32.
        front: "conv" is TALNet's convolutions, "stack" puts frames side by side.
        embedding: of the convolutional front: values in an instant.
        stack: of the other: frames in an instant.
        body: "gru", "transformer", "conformer" or "dense".
        width: values in an instant within the body.
        layers: of the body.
        heads: of the attention.
        feedforward: width of the hidden layers.
        kernel: of the Conformer's convolutions, odd.
        pooling: from instants to the clip.
        dropout: everywhere.
    """

    labels: int
    mels: int = 64
    front: Literal["conv", "stack"] = "conv"
    embedding: int = 1024
    stack: int = 4
    body: Literal["gru", "transformer", "conformer", "dense"] = "gru"
    width: int = 1024
    layers: int = 1
    heads: int = 8
    feedforward: int = 2048
    kernel: int = 31
    pooling: Literal["max", "average", "linear", "exponential", "attention"] = "linear"
    dropout: float = 0.0


class Instances(nn.Module):
    """The network. Logits for a window of any length, and probabilities of its instants."""

    def __init__(self, config: InstancesConfig) -> None:
        super().__init__()
        self.front: nn.Module
        if config.front == "conv":
            self.front, size = ConvFront(config), config.embedding
        else:
            self.front, size = Stack(config.stack), config.mels * config.stack
        self.body = _body(config, size)
        self.head = InstanceHead(config.width, config.labels, config.pooling)

    def instants(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to probabilities [batch, instants, labels]."""
        known: Tensor = self.body(self.front(x))
        return self.head.instants(known)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        logits: Tensor = self.head(self.body(self.front(x)))
        return logits


class ConvFront(nn.Module):
    """Ten convolutions: [batch, 1, time, mel] to [batch, time / 4, embedding]."""

    def __init__(self, config: InstancesConfig) -> None:
        super().__init__()
        bands = config.mels
        if bands % 2**HALVINGS or config.embedding % bands:
            raise UsageError(
                f"model.mels {bands} with model.embedding {config.embedding}",
                "mels is a multiple of 32, and embedding a multiple of mels",
            )
        layers: list[nn.Module] = []
        inputs = 1
        for i in range(HALVINGS):
            width = 2 * config.embedding // bands
            bands //= 2
            for outputs in (width, width):
                layers += [
                    nn.Dropout(config.dropout),
                    nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                ]
                inputs = outputs
            layers.append(nn.MaxPool2d((2 if i < 2 else 1, 2), ceil_mode=True))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        y: Tensor = self.layers(x).transpose(1, 2).flatten(2)
        return y


class Stack(nn.Module):
    """Frames side by side: [batch, 1, time, mel] to [batch, time / count, mel x count].

    What is left over at the end is filled with zeros.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        y = nn.functional.pad(x[:, 0], (0, 0, 0, -x.shape[2] % self.count))
        stacked: Tensor = y.unflatten(1, (-1, self.count)).flatten(2)
        return stacked


class Recurrent(nn.Module):
    """A recurrent layer both ways: [batch, instants, inputs] to [batch, instants, width]."""

    def __init__(self, inputs: int, config: InstancesConfig) -> None:
        super().__init__()
        self.layer = nn.GRU(
            inputs, config.width // 2, config.layers, batch_first=True, bidirectional=True
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        y: Tensor = self.dropout(self.layer(self.dropout(x))[0])
        return y


class Attentive(nn.Module):
    """Layers of attention: [batch, instants, inputs] to [batch, instants, width].

    Positions are sines (Vaswani et al., 2017), so there may be any number of instants.
    """

    def __init__(self, inputs: int, config: InstancesConfig) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, config.width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width, config.heads, config.feedforward, config.dropout,
                "gelu", batch_first=True, norm_first=True,
            )
            for _ in range(config.layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        y = self.enter(x)
        y = y + sines(y.shape[1], y.shape[2], y.device)
        for layer in self.layers:
            y = layer(y)
        out: Tensor = self.norm(y)
        return out


class Convolved(nn.Module):
    """Conformer blocks: [batch, instants, inputs] to [batch, instants, width]."""

    def __init__(self, inputs: int, config: InstancesConfig) -> None:
        super().__init__()
        from torchaudio.models import Conformer

        self.enter = nn.Linear(inputs, config.width)
        self.layers = Conformer(
            config.width, config.heads, config.feedforward, config.layers, config.kernel,
            config.dropout,
        ).conformer_layers  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        y = self.enter(x)
        y = (y + sines(y.shape[1], y.shape[2], y.device)).transpose(0, 1)
        for layer in self.layers:  # theirs are [instants, batch, width]
            y = layer(y, None)
        out: Tensor = y.transpose(0, 1)
        return out


def sines(count: int, width: int, device: torch.device) -> Tensor:
    """Sinusoidal positions, float32 [count, width]."""
    at = torch.arange(count, device=device)[:, None]
    pace = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width))
    return torch.cat([torch.sin(at * pace), torch.cos(at * pace)], 1)[:, :width]


def _body(config: InstancesConfig, size: int) -> nn.Module:
    if config.body == "gru":
        return Recurrent(size, config)
    if config.body == "dense":
        layers: list[nn.Module] = []
        for _ in range(config.layers):
            layers += [nn.Linear(size, config.width), nn.ReLU(), nn.Dropout(config.dropout)]
            size = config.width
        return nn.Sequential(*layers)
    if config.width % config.heads:
        raise UsageError(
            f"model.width {config.width} is no multiple of model.heads {config.heads}",
            "choose another width",
        )
    return Attentive(size, config) if config.body == "transformer" else Convolved(size, config)
