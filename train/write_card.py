"""Writing other thresholds into a model's card: of a checkpoint, an ONNX file, or as JSON."""

from __future__ import annotations

from pathlib import Path

import msgspec

from realtime.card import Card
from realtime.errors import UsageError
from realtime.library import find_model
from realtime.outputs.replace import write_whole
from realtime.runners import CARD_KEY

DECIMALS = 6


def with_thresholds(
    model: str, runtime: str | None, card: Card, thresholds: dict[str, float], out: Path
) -> None:
    """Write a model's card, or a copy of the model with its card, with these thresholds.

    Args:
        model: a shipped name or a file.
        runtime: which file of a shipped name.
        card: the model's card.
        thresholds: of every label.
        out: `.json` is the card alone; else a file of the model's kind, which may be the
            model's own.

    Raises:
        UsageError: a file of another kind, or one that no card can be written into.
        OutputError: it cannot be written.
    """
    rounded = {k: round(v, DECIMALS) for k, v in thresholds.items()}
    changed = msgspec.structs.replace(card, thresholds=rounded)
    if out.suffix == ".json":
        write_whole(out, msgspec.json.format(changed.to_json().encode(), indent=2) + b"\n")
        return
    path = Path(model) if model.endswith(".safetensors") else find_model(model, runtime or "")
    if out.suffix != path.suffix or out.suffix not in (".onnx", ".safetensors"):
        raise UsageError(
            f"-o {out}: the card of {path.name} cannot be written there",
            "name a .json file, and give it with --card",
        )
    if out.suffix == ".onnx":
        from realtime.learn.onnx_file import OnnxFile

        file = OnnxFile(path.read_bytes(), str(path))
        file.set_metadata(CARD_KEY, changed.to_json())
        write_whole(out, file.to_bytes())
        return
    from models.checkpoint import load_tensors, save_checkpoint

    tensors, header = load_tensors(path)
    extra = {k: v for k, v in header.items() if k not in (CARD_KEY, "rt.network")}
    save_checkpoint(out, tensors, msgspec.json.decode(header["rt.network"]), changed, **extra)
