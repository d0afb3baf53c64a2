"""Checkpoints: tensors (safetensors), with card and network description in the header.

Nothing is pickled and no Python path is named, so a checkpoint outlives any rename of this
code.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models import LOADED, build
from realtime.card import Card, parse_card
from realtime.errors import ModelError, OutputError, UsageError


def save_checkpoint(
    path: Path, tensors: dict[str, Tensor], network: dict[str, Any], card: Card, **extra: str
) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        path: the file, `.safetensors`.
        tensors: weights (and, for resuming, optimizer state) by name.
        network: what `models.build` needs.
        card: the model's card.
        extra: further text for the header.

    Raises:
        OutputError: the file cannot be written.
    """
    # what the weights began as is in the recipe, and its file may be gone
    plain = {k: v for k, v in network.items() if k not in LOADED}
    header = {
        "rt.card": card.to_json(),
        "rt.network": msgspec.json.encode(plain).decode(),
        **extra,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            save_file(
                {k: v.detach().cpu().contiguous() for k, v in tensors.items()},
                temporary,
                header,
            )
            Path(temporary).chmod(0o644)  # mkstemp's files are for the owner alone
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, SafetensorError) as e:
        raise OutputError(
            f"{path}: the checkpoint cannot be written: {e}", "free some space"
        ) from e


def load_tensors(path: Path, prefix: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors whose names begin with `prefix` (removed), and the header.

    Raises:
        ModelError: the file is no checkpoint.
    """
    try:
        with safe_open(str(path), framework="pt") as f:
            names = [k for k in f.keys() if k.startswith(prefix)]  # noqa: SIM118 - no mapping
            return {k.removeprefix(prefix): f.get_tensor(k) for k in names}, f.metadata() or {}
    except (OSError, SafetensorError) as e:
        raise ModelError(
            f"{path}: no checkpoint: {e}", "give a .safetensors file of rt-train"
        ) from e


def load_model(path: Path) -> tuple[nn.Module, Card]:
    """The network of a checkpoint, ready to score, and its card.

    Raises:
        ModelError: no checkpoint, no network in it, or tensors that do not fit it.
    """
    tensors, header = load_tensors(path, "model.")
    if "rt.card" not in header or "rt.network" not in header:
        raise ModelError(f"{path}: the header holds no card", "give a checkpoint of rt-train")
    card = parse_card(header["rt.card"], str(path))
    try:
        description = msgspec.json.decode(header["rt.network"], type=dict[str, Any])
        network = build(description, len(card.labels))
    except (msgspec.MsgspecError, UsageError) as e:
        raise ModelError(
            f"{path}: the header describes no network: {e}",
            "was it made by another version of rt-train?",
        ) from e
    try:
        network.load_state_dict(tensors)
    except RuntimeError as e:
        faults = " ".join(str(e).split())[:200]  # a line for each tensor, of hundreds
        raise ModelError(f"{path}: {faults}", "the checkpoint is of another network") from e
    return network.eval(), card
