"""AST: a vision transformer over overlapping patches of a log-mel spectrogram.

Gong, Chung, Glass, "AST: Audio Spectrogram Transformer" (2021). The blocks, and the weights
to start from, are timm's DeiT and ViT (Touvron et al., 2021; Dosovitskiy et al., 2021): colours
are averaged into one channel, and the positions of the image's grid are cut where the
spectrogram is smaller and interpolated where it is larger. Weights of the original project and
of Hugging Face's transformers are read too (`models.foreign`).

    input 1024 x 128, 527 labels      parameters        MACs
    ast-tiny    192 wide,  3 heads     5,723,663      13.3 G
    ast-small   384 wide,  6 heads    22,063,631      39.5 G
    ast-base    768 wide, 12 heads    86,594,063     130.5 G    (published: 87 M)
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import timm
import torch
from torch import Tensor, nn

from models.foreign import adopt, carried, read_tensors
from realtime.errors import UsageError

Positions = Literal["bilinear", "nearest", "new"]


class TransformerTaggerConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Shape of an AST.

    Args:
        labels: scores.
        backbone: timm's name of a DeiT or ViT; it sets width, depth and heads.
        frames: frames of the windows it is made for; others are taken too.
        mels: bands of a frame.
        patch: size of a patch (frames, bands).
        stride: distance of patches (frames, bands); less than `patch` makes them overlap.
        layers: of the backbone that are kept, the first ones; 0 for all.
        positions: how positions of another grid are carried over: cut where this one is
            smaller, and interpolated where it is larger; or made anew.
        pretrained: start from timm's weights, which it downloads.
        weights: file to start from: timm's, the original AST's, transformers', or rt-train's;
            "" for none.
        freeze: train the head only.
        dropout: within the blocks.
        epsilon: of the normalisations; 0 for the original's 1e-6, and 1e-5 before the scores.
            transformers computes with 1e-12.
    """

    labels: int
    backbone: str = "deit_tiny_distilled_patch16_224"
    frames: int = 1024
    mels: int = 128
    patch: tuple[int, int] = (16, 16)
    stride: tuple[int, int] = (10, 10)
    layers: int = 0
    positions: Positions = "bilinear"
    pretrained: bool = False
    weights: str = ""
    freeze: bool = False
    dropout: float = 0.0
    epsilon: float = 0.0


class TransformerTagger(nn.Module):
    """The network. Logits for a window of any length.

    Raises:
        UsageError: the backbone is no plain DeiT or ViT, or a window holds no patch.
    """

    def __init__(self, config: TransformerTaggerConfig) -> None:
        super().__init__()
        self.config = config
        try:
            image: Any = timm.create_model(
                config.backbone,
                pretrained=config.pretrained,
                num_classes=0,
                proj_drop_rate=config.dropout,
            )
        except (RuntimeError, TypeError) as e:
            raise UsageError(
                f"model.backbone {config.backbone}: {e}", "name a DeiT or ViT of timm"
            ) from e
        if not all(hasattr(image, part) for part in ("cls_token", "pos_embed", "blocks")):
            raise UsageError(
                f"model.backbone {config.backbone} is no vision transformer",
                "name a DeiT or ViT of timm, such as deit_tiny_distilled_patch16_224",
            )
        size = image.embed_dim
        tokens = [image.cls_token, getattr(image, "dist_token", None)]
        self.tokens = nn.Parameter(torch.cat([t for t in tokens if t is not None], 1).detach())
        self.patches = nn.Conv2d(1, size, config.patch[::-1], config.stride[::-1])
        self.grid = self.grid_of(config.frames, config.mels)
        self.positions = nn.Parameter(
            torch.zeros(1, self.tokens.shape[1] + self.grid[0] * self.grid[1], size)
        )
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks: nn.Module = image.blocks[: config.layers or None]
        self.norm: nn.Module = image.norm
        self.head_norm = nn.LayerNorm(size)
        self.head = nn.Linear(size, config.labels)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        if config.epsilon:
            for part in self.modules():
                if isinstance(part, nn.LayerNorm):
                    part.eps = config.epsilon
        if config.pretrained:
            adopt(self, image.state_dict())
        if config.weights:
            adopt(self, read_tensors(config.weights), config.weights)
        if config.freeze:
            for name, value in self.named_parameters():
                value.requires_grad = name.startswith("head")

    def grid_of(self, frames: int, mels: int) -> tuple[int, int]:
        """Patches along the bands and along time.

        Raises:
            UsageError: not one fits.
        """
        c = self.config
        if frames < c.patch[0] or mels < c.patch[1]:
            raise UsageError(
                f"a window of {frames} frames of {mels} bands holds no patch of "
                f"{c.patch[0]} x {c.patch[1]}",
                "use longer windows, more bands or a smaller model.patch",
            )
        return (mels - c.patch[1]) // c.stride[1] + 1, (frames - c.patch[0]) // c.stride[0] + 1

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        count = self.tokens.shape[1]
        grid = self.grid_of(x.shape[2], x.shape[3])
        y = self.patches(x.transpose(2, 3)).flatten(2).transpose(1, 2)
        positions: Tensor = self.positions
        if grid != self.grid:
            rest = carried(positions[:, count:], self.grid, grid, "bilinear")
            positions = torch.cat([positions[:, :count], rest], 1)
        y = torch.cat([self.tokens.expand(len(y), -1, -1), y], 1) + positions
        y = self.norm(self.blocks(y))
        logits: Tensor = self.head(self.head_norm(y[:, :count].mean(1)))
        return logits
