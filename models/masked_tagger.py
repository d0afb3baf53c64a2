"""Audio-MAE: a transformer that learns from sound without labels, by filling in what is hidden.

Huang, Xu, Li, Baevski, Auli, Galuba, Metze, Feichtenhofer, "Masked Autoencoders that Listen"
(2022). Four fifths of the patches are hidden; an encoder sees the rest, and a decoder of
attention within shifted windows gives the hidden ones, judged by their squared error. Then the
decoder goes, and the encoder becomes a tagger: whole stripes of patches are hidden while it
learns, and the mean of all patches is scored. Positions are fixed sines, so a window may have
any length. Blocks are timm's (ViT, Swin).

    input 1024 x 128, base          parameters      MACs
    MaskedTagger, 527 labels        85,660,943    48.5 G    (published: 85,659,407)
    MaskedAutoencoder              136,231,424    35.1 G    (85 M are the encoder's)
"""

from __future__ import annotations

import msgspec
import torch
from timm.models.swin_transformer import SwinTransformerBlock
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from models.foreign import read_tensors
from models.instances import sines
from realtime.errors import ModelError, UsageError


class MaskedTaggerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of an Audio-MAE, as a tagger and while it learns without labels.

    Args:
        labels: scores; 0 for learning without labels.
        width: values in a patch's token.
        layers: of the encoder.
        heads: of its attention.
        patch: frames and bands of a patch; patches do not overlap.
        hide_time: share of the columns hidden while a tagger learns.
        hide_mel: share of the rows, the same.
        hide: share of the patches hidden while it learns without labels.
        decoder: width of the decoder.
        decoder_layers: of the decoder, every other one with its windows shifted.
        decoder_heads: of its attention.
        window: patches along time and bands that a decoder's attention sees.
        weights: file to start a tagger from, of rt-train or of the original project; "" for
            none.
        freeze: train the head only.
    """

    labels: int = 0
    width: int = 768
    layers: int = 12
    heads: int = 12
    patch: int = 16
    hide_time: float = 0.3
    hide_mel: float = 0.3
    hide: float = 0.8
    decoder: int = 512
    decoder_layers: int = 16
    decoder_heads: int = 16
    window: int = 4
    weights: str = ""
    freeze: bool = False


class Encoder(nn.Module):
    """Patches with their positions, through layers of attention."""

    def __init__(self, config: MaskedTaggerConfig) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, config.width, config.patch, config.patch)
        self.token = nn.Parameter(torch.zeros(1, 1, config.width))
        nn.init.normal_(self.token, std=0.02)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, qkv_bias=True) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-6)

    def embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """[batch, 1, time, mel] to [batch, patches, width], and the patches in time and mel."""
        if min(x.shape[2:]) < self.patches.kernel_size[0]:
            raise UsageError(
                f"a window of {x.shape[2]} x {x.shape[3]} holds no patch",
                "use longer windows or a smaller model.patch",
            )
        y = self.patches(x)
        grid = (y.shape[2], y.shape[3])
        y = y.flatten(2).transpose(1, 2)
        return y + places(grid, y.shape[2], y.device), grid

    def forward(self, y: Tensor) -> Tensor:
        """[batch, some patches, width], the class token in front of them in the result."""
        y = torch.cat([self.token.expand(len(y), -1, -1), y], 1)
        for block in self.blocks:
            y = block(y)
        out: Tensor = self.norm(y)
        return out


class MaskedTagger(nn.Module):
    """The tagger. Logits for a window of any length."""

    def __init__(self, config: MaskedTaggerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.head_norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.labels)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        if config.weights:
            adopt_encoder(self.encoder, read_tensors(config.weights), config.weights)
        if config.freeze:
            self.encoder.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        y, grid = self.encoder.embed(x)
        if self.training:
            y = self._striped(y, grid)
        logits: Tensor = self.head(self.head_norm(self.encoder(y)[:, 1:].mean(1)))
        return logits

    def _striped(self, y: Tensor, grid: tuple[int, int]) -> Tensor:
        """Without the hidden columns and rows, chosen for each example."""
        kept = [
            torch.rand(len(y), n, device=y.device).argsort(1)[:, : max(1, round(n * (1 - h)))]
            for n, h in zip(grid, (self.config.hide_time, self.config.hide_mel), strict=True)
        ]
        at = (kept[0][:, :, None] * grid[1] + kept[1][:, None, :]).flatten(1)
        return y.gather(1, at[..., None].expand(-1, -1, y.shape[2]))


class MaskedAutoencoder(nn.Module):
    """The network that learns without labels.

    Args:
        config: its shape; labels are none.
        frames: frames of the windows it learns from, whole windows of patches.
        mels: bands of a frame.

    Raises:
        UsageError: windows that are no whole number of the decoder's windows of patches.
    """

    def __init__(self, config: MaskedTaggerConfig, frames: int, mels: int) -> None:
        super().__init__()
        self.config = config
        size = config.patch * config.window
        if frames % size or mels % size:
            raise UsageError(
                f"a window of {frames} x {mels} for an Audio-MAE",
                f"give multiples of {size} frames and bands",
            )
        self.grid = (frames // config.patch, mels // config.patch)
        self.encoder = Encoder(config)
        self.enter = nn.Linear(config.width, config.decoder)
        self.hidden = nn.Parameter(torch.zeros(1, 1, config.decoder))
        nn.init.normal_(self.hidden, std=0.02)
        self.decoder = nn.ModuleList(
            SwinTransformerBlock(
                config.decoder,
                self.grid,
                config.decoder_heads,
                window_size=config.window,
                shift_size=config.window // 2 if i % 2 else 0,
            )
            for i in range(config.decoder_layers)
        )
        self.norm = nn.LayerNorm(config.decoder)
        self.guess = nn.Linear(config.decoder, config.patch**2)

    def forward(self, x: Tensor, order: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Hide, fill in, and judge.

        Args:
            x: float32 [batch, 1, frames, mels].
            order: a random order of the patches [batch, patches], of which the first are seen;
                None draws one.

        Returns:
            The mean squared error of the hidden patches; the guessed patches, float32 [batch,
            patches, patch x patch]; and which were hidden, bool [batch, patches].
        """
        tokens, _ = self.encoder.embed(x)
        batch, count, width = tokens.shape
        if order is None:
            order = torch.rand(batch, count, device=x.device).argsort(1)
        seen = max(1, round(count * (1.0 - self.config.hide)))
        first = order[:, :seen, None].expand(-1, -1, width)
        known = self.enter(self.encoder(tokens.gather(1, first))[:, 1:])
        rest = self.hidden.expand(batch, count - seen, -1)
        back = order.argsort(1)[..., None].expand(-1, -1, known.shape[2])
        y = torch.cat([known, rest], 1).gather(1, back)
        y = (y + places(self.grid, y.shape[2], y.device)).unflatten(1, self.grid)
        for block in self.decoder:
            y = block(y)
        guess = self.guess(self.norm(y.flatten(1, 2)))
        hidden = torch.ones(batch, count, dtype=torch.bool, device=x.device)
        hidden.scatter_(1, order[:, :seen], value=False)
        error = (guess - self.cut(x)).square().mean(2)
        return error[hidden].mean(), guess, hidden

    def cut(self, x: Tensor) -> Tensor:
        """Patches [batch, patches, patch x patch] of [batch, 1, frames, mels]."""
        p = self.config.patch
        return nn.functional.unfold(x, p, stride=p).transpose(1, 2)


def places(grid: tuple[int, int], width: int, device: torch.device) -> Tensor:
    """Sinusoidal positions of a grid, float32 [patches, width]: half tells bands, half time."""
    mel = sines(grid[1], width // 2, device)[None].expand(grid[0], -1, -1)
    time = sines(grid[0], width - width // 2, device)[:, None].expand(-1, grid[1], -1)
    return torch.cat([mel, time], 2).flatten(0, 1)


@torch.no_grad()
def adopt_encoder(encoder: Encoder, tensors: dict[str, Tensor], where: str) -> None:
    """Copy an encoder's weights from a `MaskedAutoencoder` or from the original project's.

    The latter has its positions in the file; they are sines of the same form and are not read.

    Raises:
        ModelError: the weights are of another network.
    """
    found = {k.removeprefix("model."): v for k, v in tensors.items()}
    if "encoder.token" in found:  # ours; the decoder's names are alike
        found = {k[8:]: v for k, v in found.items() if k.startswith("encoder.")}
    found = {
        {"cls_token": "token"}.get(k, k.replace("patch_embed.proj.", "patches.")): v
        for k, v in found.items()
    }
    if "fc_norm.weight" in found and "norm.weight" not in found:  # one of its taggers
        found["norm.weight"], found["norm.bias"] = (
            found["fc_norm.weight"],
            found["fc_norm.bias"],
        )
    for name, value in encoder.state_dict().items():
        given = found.get(name)
        if given is None or given.shape != value.shape:
            raise ModelError(
                f"{where}: no fitting {name} of shape {list(value.shape)}",
                "the weights are of another network: set model.width, layers and patch to fit",
            )
        value.copy_(given)
