"""Very deep CNNs on raw waveforms: M3, M5, M11, M18 and M34-res.

Dai, Dai, Qu, Li, Das, "Very Deep Convolutional Neural Networks for Raw Waveforms" (2017): a
first convolution of 10 ms, 80 taps at 8 kHz, as a filter bank, then stages of three taps, with
a maximum over four values after each, and the mean over time. Variants of the paper: another
first length (8, 320), dense layers at the end, no BatchNorm. Samples should come in with a
variance near 1 (`features.std`), as in the paper: BatchNorm's running variance begins there.

    input 32,000 samples (4 s at 8 kHz), 10 labels    parameters      MACs
    m3       256                                         220,682   557.3 M   (published: 0.2 M)
    m5       128, 256, 512                               558,090   279.1 M   (0.5 M)
    m11      64 x 2, 128 x 2, 256 x 3, 512 x 2         1,784,202   226.8 M   (1.8 M)
    m18      64 x 4, 128 x 4, 256 x 4, 512 x 4         3,679,882   400.3 M   (3.7 M)
    m34-res  48 x 6, 96 x 8, 192 x 12, 384 x 6         3,972,778   455.7 M   (4 M)
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

POOL = 4


class WaveformCNNConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a waveform CNN.

    Args:
        labels: scores.
        stem: channels of the first convolution.
        stages: (channels, layers) each; of a residual network two layers make a block.
        taps: of the first convolution.
        stride: of the first convolution.
        residual: add each block's input to its output.
        dense: widths of dense layers before the scores.
        norm: BatchNorm after each convolution.
    """

    labels: int
    stem: int = 128
    stages: tuple[tuple[int, int], ...] = ((128, 1), (256, 1), (512, 1))
    taps: int = 80
    stride: int = 4
    residual: bool = False
    dense: tuple[int, ...] = ()
    norm: bool = True


class Block(nn.Module):
    """Two convolutions of three taps and a way past them."""

    def __init__(self, inputs: int, width: int, norm: bool) -> None:
        super().__init__()
        self.first = nn.Sequential(*_convolution(inputs, width, norm))
        self.second = nn.Sequential(*_convolution(width, width, norm)[:-1])
        # as ResNet's way of equal values: channels that are not there yet are zero
        self.more = width - inputs

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, time] to [batch, width, time]."""
        past = nn.functional.pad(x, (0, 0, 0, self.more)) if self.more else x
        return torch.relu(past + self.second(self.first(x)))


class WaveformCNN(nn.Module):
    """The network. Logits for samples, any number from a few hundred on."""

    def __init__(self, config: WaveformCNNConfig) -> None:
        super().__init__()
        parts: list[nn.Module] = [
            nn.Conv1d(
                1, config.stem, config.taps, config.stride, config.taps // 2,
                bias=not config.norm,
            )
        ]  # fmt: skip
        parts += [nn.BatchNorm1d(config.stem)] if config.norm else []
        parts += [nn.ReLU()]
        inputs = config.stem
        for width, layers in config.stages:
            parts.append(nn.MaxPool1d(POOL, ceil_mode=True))
            for _ in range(layers // 2 if config.residual else layers):
                if config.residual:
                    parts.append(Block(inputs, width, config.norm))
                else:
                    parts += _convolution(inputs, width, config.norm)
                inputs = width
        if len(config.stages) < 4:  # the deeper ones end without
            parts.append(nn.MaxPool1d(POOL, ceil_mode=True))
        self.layers = nn.Sequential(*parts)
        dense: list[nn.Module] = []
        for width in config.dense:
            dense += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        self.head = nn.Sequential(*dense, nn.Linear(inputs, config.labels))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, ...samples] to logits [batch, labels]."""
        y = self.layers(x.flatten(1)[:, None]).mean(2)
        logits: Tensor = self.head(y)
        return logits


def _convolution(inputs: int, width: int, norm: bool) -> list[nn.Module]:
    layer = nn.Conv1d(inputs, width, 3, padding=1, bias=not norm)
    return [layer, *([nn.BatchNorm1d(width)] if norm else []), nn.ReLU()]
