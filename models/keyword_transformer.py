"""KWT: a transformer for keywords whose patches are single frames.

Berg, O'Connor, Cruz, "Keyword Transformer: A Self-Attention Model for Keyword Spotting" (2021):
frames of 40 MFCC, one token each, a class token, learned positions, and layers that normalise
after each part.

    input 98 x 40, 12 labels     parameters       MACs
    kwt-1    64 wide, 1 head        607,436     73.7 M    (published: 607 K)
    kwt-2   128 wide, 2 heads     2,394,508    264.2 M    (2,394 K)
    kwt-3   192 wide, 3 heads     5,361,228    571.5 M    (5,361 K)
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from realtime.errors import UsageError


class KeywordTransformerConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Shape of a KWT.

    Args:
        labels: scores.
        width: of a token; the hidden layers are four times as wide.
        heads: of the attention.
        layers: how many.
        frames: longest window.
        mels: values in a frame.
        dropout: after the hidden layers.
    """

    labels: int
    width: int = 64
    heads: int = 1
    layers: int = 12
    frames: int = 98
    mels: int = 40
    dropout: float = 0.0


class Layer(nn.Module):
    """Attention and a hidden layer, each added to its input and normalised after that."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(width, 3 * width, bias=False)
        self.gather = nn.Linear(width, width)
        self.first_norm = nn.LayerNorm(width)
        self.hidden = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(4 * width, width), nn.Dropout(dropout),
        )  # fmt: skip
        self.second_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, tokens, width], the same out."""
        asked = self.ask(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(asked[0], asked[1], asked[2])
        x = self.first_norm(x + self.gather(y.transpose(1, 2).flatten(2)))
        out: Tensor = self.second_norm(x + self.hidden(x))
        return out


class KeywordTransformer(nn.Module):
    """The network. Logits for a window of up to `frames`.

    Raises:
        UsageError: more heads than the width can be divided by.
    """

    def __init__(self, config: KeywordTransformerConfig) -> None:
        super().__init__()
        if config.width % config.heads:
            raise UsageError(
                f"model.width {config.width} is no multiple of model.heads {config.heads}",
                "choose another width",
            )
        self.embed = nn.Linear(config.mels, config.width)
        self.token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.positions = nn.Parameter(torch.zeros(1, config.frames + 1, config.width))
        for value in (self.token, self.positions):
            nn.init.trunc_normal_(value, std=0.02)
        self.layers = nn.Sequential(
            *(Layer(config.width, config.heads, config.dropout) for _ in range(config.layers))
        )
        self.head = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, config.labels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels].

        Raises:
            UsageError: a window of more frames than the network has positions for.
        """
        if x.shape[2] >= self.positions.shape[1]:
            raise UsageError(
                f"a window of {x.shape[2]} frames for a KWT of {self.positions.shape[1] - 1}",
                f"set model.frames={x.shape[2]}",
            )
        y = torch.cat([self.token.expand(len(x), -1, -1), self.embed(x[:, 0])], 1)
        logits: Tensor = self.head(self.layers(y + self.positions[:, : y.shape[1]])[:, 0])
        return logits
