"""What `--type` may say, which file format has it, and what to use where one has not."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from realtime.card import Card
from realtime.errors import UsageError

Kind = Literal["float", "float16", "int8", "int8-full", "dynamic"]

KINDS: tuple[Kind, ...] = get_args(Kind)
FORMATS = {".onnx": "ONNX", ".tflite": "TFLite"}
STATIC: tuple[Kind, ...] = ("int8", "int8-full")  # ranges of activations come from calibration

# type and suffix: why not, and what to use
IMPOSSIBLE: dict[tuple[Kind, str], tuple[str, str]] = {
    ("float16", ".onnx"): (
        "ONNX Runtime has no float16 arithmetic on CPUs, and casts at every operator",
        "use -o FILE.tflite, or --type int8 or dynamic",
    ),
    ("int8-full", ".onnx"): (
        "ONNX models are fed float numbers, which cost one operator",
        "use --type int8, or -o FILE.tflite",
    ),
}
# of gates: the types that a step of 10 ms with states does not bear
NOT_WITH_STATES: dict[Kind, tuple[str, str]] = {
    "int8-full": (
        "states that are rounded to 8 bits at every step drift away",
        "use --type int8, which keeps states and activations float",
    ),
}


def kind_of(out: Path, asked: Kind | None) -> Kind:
    """The type that was asked for, or the one that a file's name says: int8 after `_q`.

    Raises:
        UsageError: of no known format, or the format does not have the type.
    """
    if out.suffix not in FORMATS:
        raise UsageError(
            f"{out}: of what kind is {out.suffix or 'that'}?", "use .onnx or .tflite"
        )
    kind: Kind = asked or ("int8" if out.stem.endswith("_q") else "float")
    if (kind, out.suffix) in IMPOSSIBLE:
        why, instead = IMPOSSIBLE[kind, out.suffix]
        raise UsageError(f"--type {kind} with {out.name}: {why}", instead)
    return kind


def check_states(kind: Kind, card: Card) -> None:
    """Refuse a type that a gate's states do not bear.

    Raises:
        UsageError: so.
    """
    if card.task == "gate" and kind in NOT_WITH_STATES:
        why, instead = NOT_WITH_STATES[kind]
        raise UsageError(f"--type {kind} for the gate {card.name}: {why}", instead)
