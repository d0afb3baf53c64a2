"""Weights of other projects for an AST: timm's, the original's and transformers'.

Names are theirs, tensors are ours: what is read here is copied into a network of
`models.transformer_tagger`, whatever its window, patches and labels are, as far as it fits.
Nothing is unpickled but tensors.
Names: github.com/YuanGongND/ast (BSD-3-Clause), huggingface/transformers (Apache-2.0, the names
up to release 4 and those of release 5), timm (Apache-2.0).
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from realtime.errors import ModelError, first_line

if TYPE_CHECKING:
    from models.transformer_tagger import TransformerTagger

Tensors = dict[str, Tensor]

HUGGING = "audio_spectrogram_transformer."
# transformers' names, old and new, and timm's
LAYERS = (
    (r"(?:encoder\.layer|layers)\.(\d+)\.", r"blocks.\1."),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.output\.dense|attention\.o_proj", "attn.proj"),
    (r"attention\.(?:attention\.query|q_proj)", "attn.q"),
    (r"attention\.(?:attention\.key|k_proj)", "attn.k"),
    (r"attention\.(?:attention\.value|v_proj)", "attn.v"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"(?<=\d\.)output\.dense", "mlp.fc2"),
    (r"embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"^classifier\.layernorm", "mlp_head.0"),
    (r"^classifier\.dense", "mlp_head.1"),
    (r"^layernorm", "norm"),
)


def read_tensors(path: str) -> Tensors:
    """The tensors of a safetensors file or of a torch checkpoint.

    Raises:
        ModelError: it is neither.
    """
    try:
        if Path(path).suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, SafetensorError, pickle.UnpicklingError, EOFError) as e:
        raise ModelError(
            f"{path}: no weights: {first_line(e)}",
            "give a .safetensors file, or a torch file that holds tensors only",
        ) from e
    for inside in ("model", "state_dict"):
        if isinstance(found, dict) and isinstance(found.get(inside), dict):
            found = found[inside]
    if not isinstance(found, dict):
        raise ModelError(f"{path}: no weights but {type(found).__name__}", "give a state dict")
    return {k: v for k, v in found.items() if isinstance(v, Tensor)}


def timm_names(tensors: Tensors) -> Tensors:
    """The same tensors by timm's names; the head of an AST is `mlp_head`."""
    if any(name.startswith(HUGGING) for name in tensors):
        out: Tensors = {}
        for name, value in tensors.items():
            new = name.removeprefix(HUGGING)
            for old, instead in LAYERS:
                new = re.sub(old, instead, new)
            out[new] = value
        for name in [n for n in out if ".attn.q." in n]:
            parts = [out.pop(name.replace(".q.", f".{part}.")) for part in "qkv"]
            out[name.replace(".q.", ".qkv.")] = torch.cat(parts)
        return out
    return {re.sub(r"^(module\.)?(v\.)?", "", name): v for name, v in tensors.items()}


@torch.no_grad()
def adopt(network: TransformerTagger, tensors: Tensors, where: str = "weights") -> list[str]:
    """Copy weights of another project, or of another window, into a network.

    Args:
        network: whose weights are replaced.
        tensors: by any of the names.
        where: the file, for messages.

    Returns:
        What keeps its fresh weights: patches of another shape, the head for other labels.

    Raises:
        ModelError: the weights are of another network.
    """
    if "model.tokens" in tensors:  # our own
        found = {
            k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")
        }
    else:
        found = _ours(timm_names(tensors), where)
    fresh = []
    places = found.pop("positions", None)
    for name, value in network.state_dict().items():
        if name == "positions":
            continue
        given = found.get(name)
        if given is None or given.shape != value.shape:
            if not name.startswith(("head", "patches")):
                has = "nothing" if given is None else f"{list(given.shape)}"
                raise ModelError(
                    f"{where}: {has} for {name} of shape {list(value.shape)}",
                    "the weights are of another network: choose model.backbone to fit",
                )
            fresh.append(name)
        else:
            value.copy_(given)
    if places is not None:
        _place(network, places, "patches.colours" in found, where)
    return fresh


def _ours(tensors: Tensors, where: str) -> Tensors:
    """Our names, from timm's."""
    try:
        patches = tensors.pop("patch_embed.proj.weight")
        tokens = [tensors.pop("cls_token")]
        out = {"positions": tensors.pop("pos_embed")}
    except KeyError as e:
        raise ModelError(f"{where}: holds no {e}", "give weights of an AST or a ViT") from e
    if "dist_token" in tensors:
        tokens.append(tensors.pop("dist_token"))
    out["tokens"] = torch.cat(tokens, 1)
    if patches.shape[1] > 1:  # an image's: its colours become one
        out["patches.colours"] = torch.zeros(0)
        patches = patches.mean(1, keepdim=True)
    out["patches.weight"] = patches
    for name, value in tensors.items():
        if not name.startswith("head"):  # of images; an AST carries it along
            new = name.replace("patch_embed.proj.", "patches.")
            new = new.replace("mlp_head.0.", "head_norm.").replace("mlp_head.1.", "head.")
            out[new] = value
    return out


def _place(network: TransformerTagger, places: Tensor, image: bool, where: str) -> None:
    count, mode = network.tokens.shape[1], network.config.positions
    if image and mode == "new":
        return
    patches = places.shape[1] - count
    rows = round(patches**0.5) if image else network.grid[0]
    if patches % rows:
        raise ModelError(
            f"{where}: {patches} positions are no grid of {rows} rows",
            "give the model.mels, patch and stride that the weights were made with",
        )
    old = (rows, patches // rows)
    rest = carried(places[:, count:], old, network.grid, mode if image else "bilinear")
    network.positions.copy_(torch.cat([places[:, :count], rest], 1))


def carried(positions: Tensor, old: tuple[int, int], new: tuple[int, int], mode: str) -> Tensor:
    """Positions of one grid for another: the middle where it is smaller, else interpolated.

    Args:
        positions: float32 [1, old patches, size], rows of the grid one after the other.
        old: rows and columns.
        new: rows and columns wanted.
        mode: "bilinear" or "nearest".

    Returns:
        float32 [1, new patches, size].
    """
    y = positions.transpose(1, 2).unflatten(2, old)
    for axis in (0, 1):
        have, want = y.shape[2 + axis], new[axis]
        if want < have:
            y = y.narrow(2 + axis, (have - want) // 2, want)
    if tuple(y.shape[2:]) != new:
        corners = None if mode == "nearest" else False
        y = nn.functional.interpolate(y, size=new, mode=mode, align_corners=corners)
    out: Tensor = y.flatten(2).transpose(1, 2)
    return out
