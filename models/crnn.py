"""CRNN: convolutions, then a recurrent layer both ways.

The baseline of Fonseca et al., "FSD50K" (2022), section V, after Cakir et al., "Convolutional
Recurrent Neural Networks for Polyphonic Sound Event Detection" (2017): three convolutions 5 x 5
of 128 channels, maxima over bands and time, 64 units each way, the last state of each.

    input 101 x 96, 200 labels     972,616 parameters (published: 0.96 M), 462.6 M MACs
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn


class CRNNConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a CRNN.

    Args:
        labels: scores.
        mels: bands of a frame.
        channels: of every convolution.
        pools: of each convolution, (frames, bands) that its maximum is over.
        units: of the recurrent layer, each way.
        dropout: before the scores.
    """

    labels: int
    mels: int = 96
    channels: int = 128
    pools: tuple[tuple[int, int], ...] = ((2, 5), (2, 4), (2, 2))
    units: int = 64
    dropout: float = 0.0


class CRNN(nn.Module):
    """The network. Logits for a window of any length."""

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, bands = 1, config.mels
        for pool in config.pools:
            layers += [
                nn.Conv2d(inputs, config.channels, 5, padding=2, bias=False),
                nn.BatchNorm2d(config.channels),
                nn.ReLU(),
                nn.MaxPool2d(pool),
            ]
            inputs, bands = config.channels, bands // pool[1]
        self.layers = nn.Sequential(*layers)
        self.recur = nn.GRU(inputs * bands, config.units, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.scores = nn.Linear(2 * config.units, config.labels)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        _, last = self.recur(self.layers(x).transpose(1, 2).flatten(2))
        logits: Tensor = self.scores(self.dropout(last.transpose(0, 1).flatten(1)))
        return logits
