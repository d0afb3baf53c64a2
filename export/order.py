"""`Order`: what `rt-export` was asked for."""

from __future__ import annotations

from pathlib import Path

import msgspec

from export.kinds import Kind
from export.verify import Limits


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Args:
        checkpoint: `.safetensors` of rt-train.
        out: name of the file; the suffix says the format.
        kind: what the numbers in it are.
        data: a manifest or a folder, see `export.sounds.list_sounds`.
        root: of the manifest's files.
        clips: windows to calibrate with, and to compare on.
        tolerance: mean score difference allowed, in place of the limits of `verify`.
        rule: TOML whose decision rule replaces the checkpoint's.
        embedding: give what the last linear layer takes as a second output (ONNX taggers).
        stream: make the streaming twin, of so many frames a step; 0 for as suits the model,
            None for the network as it is.
        keep: layers that stay float: "auto", "none", or names with commas.
        sensitivity: find what int8 costs in each layer, whether it must be known or not.
        command: for the card.
    """

    checkpoint: Path
    out: Path
    kind: Kind
    data: Path | None = None
    root: Path | None = None
    clips: int = 400
    tolerance: float | None = None
    rule: Path | None = None
    embedding: bool = False
    stream: int | None = None
    keep: str = "auto"
    sensitivity: bool = False
    command: str = ""

    @property
    def onnx(self) -> bool:
        """Whether it is an ONNX file."""
        return self.out.suffix == ".onnx"

    def limits(self, usual: dict[str, Limits]) -> Limits:
        """The limits of a comparison."""
        limits = usual[self.kind]
        if self.tolerance is not None:
            limits = msgspec.structs.replace(limits, mean=self.tolerance)
        return limits
