"""PANNs: CNN6, CNN10 and CNN14 over a log-mel spectrogram.

Kong, Cao, Iqbal, Wang, Wang, Plumbley, "PANNs: Large-Scale Pretrained Audio Neural Networks for
Audio Pattern Recognition" (2020). Blocks of one 5 x 5 convolution (CNN6) or two of 3 x 3, the
mean over 2 x 2 after each; then the mean over bands, the maximum plus the mean over time, one
dense layer and the scores. The spectrogram is normalised by band first.

    input 1001 x 64, 527 labels     parameters     MACs
    cnn6     64 ...  512             4,837,455   10.0 G    (as published)
    cnn10    64 ...  512             5,219,279   13.1 G    (as published)
    cnn14    64 ... 2048            80,753,615   20.3 G    (as published)
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn


class PANNConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a PANN.

    Args:
        labels: scores.
        channels: of each block.
        kernel: 5 for one convolution a block, 3 for two.
        mels: bands of a frame.
        dropout: after each block; before and after the dense layer 0.5 where this is not 0.
    """

    labels: int
    channels: tuple[int, ...] = (64, 128, 256, 512)
    kernel: int = 5
    mels: int = 64
    dropout: float = 0.2


class PANN(nn.Module):
    """The network. Logits for a window of any length."""

    def __init__(self, config: PANNConfig) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(config.mels)
        blocks: list[nn.Module] = []
        inputs = 1
        for i, width in enumerate(config.channels):
            for each in (inputs,) if config.kernel > 3 else (inputs, width):
                blocks += [
                    nn.Conv2d(each, width, config.kernel, 1, config.kernel // 2, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
            # the sixth block of CNN14 keeps what the five before have left
            if i < 5:
                blocks.append(nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False))
            blocks.append(nn.Dropout(config.dropout))
            inputs = width
        self.blocks = nn.Sequential(*blocks)
        half = 0.5 if config.dropout else 0.0
        self.head = nn.Sequential(
            nn.Dropout(half), nn.Linear(inputs, inputs), nn.ReLU(), nn.Dropout(half)
        )
        self.scores = nn.Linear(inputs, config.labels)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        y = self.norm(x.transpose(1, 3)).transpose(1, 3)
        y = self.blocks(y).mean(3)
        logits: Tensor = self.scores(self.head(y.amax(2) + y.mean(2)))
        return logits
