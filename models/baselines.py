"""Small networks to compare others with: linear, DNN, 1-D and 2-D CNN, LSTM and GRU.

For log-mel windows, MFCC and clips of embeddings alike. The DNN and the GRU have the sizes
that a study of acoustic scenes tried (2 to 10 layers of 256 to 1024; two bidirectional layers);
the others those of a study of binary tasks on clips of 10 embeddings of 128 values, which gives
the kinds and not their sizes, so those are ours.

              input      parameters      MACs, 12 labels
    linear    10 x 128       15,372    0.02 M
    conv1d    10 x 128      100,364     0.7 M
    conv2d    10 x 128       19,308     4.2 M
    lstm      10 x 128      133,644     1.3 M
    dnn       98 x 40     2,539,020     2.5 M
    gru       98 x 40       430,092    41.5 M
"""

from __future__ import annotations

from typing import Literal

import msgspec
from torch import Tensor, nn

from realtime.errors import UsageError


class BaselineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a baseline.

    Args:
        labels: scores.
        kind: which; "linear" and "dnn" see a whole window at once, of `frames` frames.
        frames: in a window; the other kinds take any number.
        mels: values in a frame.
        units: width of the hidden layers, channels of a CNN.
        layers: hidden ones.
        dropout: after each.
    """

    labels: int
    kind: Literal["linear", "dnn", "conv1d", "conv2d", "lstm", "gru"] = "dnn"
    frames: int = 98
    mels: int = 40
    units: int = 256
    layers: int = 2
    dropout: float = 0.0


class Baseline(nn.Module):
    """The network. Logits for a window."""

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config = config
        inputs, recurrent = config.mels, config.kind in ("lstm", "gru")
        if config.kind in ("linear", "dnn"):
            inputs *= config.frames
        elif config.kind == "conv2d":
            inputs = 1
        layers: list[nn.Module] = []
        if config.kind not in ("linear", "lstm", "gru"):
            for _ in range(config.layers):
                layers += _layer(config, inputs)
                inputs = config.units
        self.layers = nn.Sequential(*layers)
        self.recur: nn.Module | None = None
        if recurrent:
            both = config.kind == "gru"
            kind = nn.GRU if both else nn.LSTM
            self.recur = kind(
                inputs, config.units, config.layers, batch_first=True, bidirectional=both,
                dropout=config.dropout if config.layers > 1 else 0.0,
            )  # fmt: skip
            inputs = config.units * (2 if both else 1)
        self.scores = nn.Linear(inputs, config.labels)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels].

        Raises:
            UsageError: a window of another length for a network that sees all of it at once.
        """
        c = self.config
        if c.kind in ("linear", "dnn"):
            if x.shape[2:] != (c.frames, c.mels):
                raise UsageError(
                    f"a window of {x.shape[2]} x {x.shape[3]} for a network of "
                    f"{c.frames} x {c.mels}",
                    f"set model.frames={x.shape[2]} and model.mels={x.shape[3]}",
                )
            y = self.layers(x.flatten(1))
        elif self.recur is not None:
            y, _ = self.recur(x[:, 0])
            y = y.mean(1) if c.kind == "gru" else y[:, -1]
        elif c.kind == "conv1d":
            y = self.layers(x[:, 0].transpose(1, 2)).mean(2)
        else:
            y = self.layers(x).mean(dim=(2, 3))
        logits: Tensor = self.scores(y)
        return logits


def _layer(config: BaselineConfig, inputs: int) -> list[nn.Module]:
    units, out = config.units, list[nn.Module]()
    if config.kind == "dnn":
        out = [nn.Linear(inputs, units), nn.ReLU()]
    elif config.kind == "conv1d":
        out = [
            nn.Conv1d(inputs, units, 3, padding=1, bias=False),
            nn.BatchNorm1d(units),
            nn.ReLU(),
            nn.MaxPool1d(2, ceil_mode=True),
        ]
    else:
        out = [
            nn.Conv2d(inputs, units, 3, padding=1, bias=False),
            nn.BatchNorm2d(units),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
    return [*out, nn.Dropout(config.dropout)]
