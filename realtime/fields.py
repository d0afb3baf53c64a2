"""The fields of the settings: their types, ranges, names and texts.

Used by `realtime.settings`, which merges what different places say about them.
"""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from realtime.errors import UsageError

DEFAULT_MODEL = "kws12"


class DecideSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How scores become events; None is what the card says. Fields as in `card.Decision`."""

    smoothing_s: float | None = None
    average: int | None = None
    hysteresis: float | None = None
    confirm: int | None = None
    min_duration_s: float | None = None
    refractory_s: float | None = None
    exclusive: bool | None = None
    background: tuple[str, ...] | None = None


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs to know.

    Args:
        model: shipped name, or path.
        card: path of a card, for a model that carries none; empty is none.
        device: name, part of one, or index of an input device; empty is the default one.
        rate: sampling rate in Hz to open a device with, or of raw PCM; 0 is the source's own.
        channels: channels likewise; 0 is the source's own.
        format: of raw PCM; empty is s16.
        runtime: "onnx", "litert", or empty for the model file's own.
        threads: threads of the model; 0 leaves it to the runtime.
        hop_s: seconds between two decisions; 0 is the card's.
        top: labels shown in the terminal.
        thresholds: label to threshold, "default" for the others.
        decision: how scores become events.
    """

    model: str = DEFAULT_MODEL
    card: str = ""
    device: str = ""
    rate: int = 0
    channels: int = 0
    format: Literal["", "s16", "s24", "s32", "f32"] = ""
    runtime: Literal["", "onnx", "litert"] = ""
    threads: int = 1
    hop_s: float = 0.0
    top: int = 5
    thresholds: dict[str, float] = {}
    decision: DecideSettings = DecideSettings()


def variable_name(key: str) -> str:
    """The environment variable of a field."""
    return "RT_" + key.upper().replace(".", "_")


def option_name(key: str) -> str:
    """The command line option of a field."""
    name = key.rsplit(".", maxsplit=1)[-1].replace("_", "-")
    return "--" + name.removesuffix("-s")


def parse_thresholds(value: Any, origin: str) -> dict[str, float]:
    """Read "0.6" or "yes=0.7,no=0.5", or both: "0.6,yes=0.7".

    Raises:
        UsageError: not of that form, or out of 0 to 1.
    """
    found: dict[str, float] = {}
    for part in str(value).split(","):
        label, _, number = part.rpartition("=")
        label = label.strip() or "default"
        try:
            found[label] = float(number)
        except ValueError:
            raise UsageError(
                f"{origin}: {part.strip() or 'nothing'} is no threshold",
                "write 0.6, or yes=0.7,no=0.5",
            ) from None
    for label, threshold in found.items():
        check(f"thresholds.{label}", threshold, origin)
    return found


def check(key: str, value: Any, origin: str) -> Any:
    """A value in its field's type and range.

    Raises:
        UsageError: it does not fit.
    """
    kind = kind_of(key, origin)
    if isinstance(value, str):
        value = _from_text(value, kind)
    try:
        value = msgspec.convert(value, kind)
    except msgspec.ValidationError as e:
        expected = str(e).replace("Expected ", "expected ").replace(" | null", "")
        raise UsageError(
            f"{origin}: {key} is {value!r}: {expected}", "see rt-tag --help"
        ) from e
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = _range(key)
        if not low <= value <= high:
            top = "" if high == math.inf else f" to {high:g}"
            more = " or more" if high == math.inf else ""
            raise UsageError(f"{origin}: {key} is {value:g}", f"use {low:g}{top}{more}")
    return value


def fields_of(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """Names of a struct's fields, in order."""
    return struct.__struct_fields__


def kind_of(key: str, origin: str) -> Any:
    """The type of a dotted field."""
    table, _, name = key.rpartition(".")
    if table == "thresholds":
        return float
    struct = DecideSettings if table == "decision" else EngineSettings
    known = fields_of(struct)
    if table not in ("", "decision") or name not in known:
        prefix = f"{table}." if table else ""
        hint = nearest(name, known)
        raise UsageError(f"{origin}: there is no setting {prefix}{name}", hint)
    return typing.get_type_hints(struct)[name]


def nearest(word: str, words: Iterable[str]) -> str:
    """A hint: the nearest of some words, or all of them."""
    known = list(words)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"


def toml_of(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(toml_of(v) for v in value) + "]"
    return msgspec.json.encode(value).decode()


def _from_text(value: str, kind: Any) -> Any:
    """Text of the environment or the command line in the field's own type, if it can be."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if bool in kinds and value.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return value.lower() in ("1", "true", "yes", "on")
    for number in (int, float):
        if number in kinds:
            try:
                return number(value)
            except ValueError:
                continue
    if any(typing.get_origin(k) is tuple for k in kinds):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _range(key: str) -> tuple[float, float]:
    if key.startswith("thresholds.") or key == "decision.hysteresis":
        return 0.0, 1.0
    if key in ("decision.confirm", "decision.average"):
        return 1, 1000
    if key.endswith("_s"):
        return 0.0, 3600.0
    return (1 if key == "top" else 0), math.inf
