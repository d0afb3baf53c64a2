"""The fields of the settings: their types, ranges, names and texts.

Used by `realtime.settings`, which merges what different places say about them. A `Schema` says
which fields a command has; `TAG` is the one of rt-tag.
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
from realtime.features import HIGHEST_RATE
from realtime.service_fields import (
    OPTIONS,
    RANGES,
    SECRET,
    TABLES,
    ClipSettings,
    MqttSettings,
    WebhookSettings,
    WyomingSettings,
)

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
        shell: run the commands of `on` by a shell.
        decision: how scores become events.
        on: label, or "any", to the command that its starts run.
        mqtt, wyoming, webhook, clips: services.
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
    shell: bool = False
    thresholds: dict[str, float] = {}
    decision: DecideSettings = DecideSettings()
    on: dict[str, str] = {}
    mqtt: MqttSettings = MqttSettings()
    wyoming: WyomingSettings = WyomingSettings()
    webhook: WebhookSettings = WebhookSettings()
    clips: ClipSettings = ClipSettings()


WORDS = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false"
}  # fmt: skip
BY_LABEL: dict[str, type] = {"thresholds": float, "on": str}


class Schema(msgspec.Struct, frozen=True):
    """The settings that one command knows.

    Args:
        command: its name, for hints.
        file: name of the user's settings file.
        root: the struct of its fields. Those of `BY_LABEL` are tables whose keys are labels.
        tables: field of `root` that is a table, to the struct of the table's fields.
        ranges: dotted field to lowest and highest value, where that is not the general rule.
    """

    command: str
    file: str
    root: type[msgspec.Struct]
    tables: dict[str, type[msgspec.Struct]]
    ranges: dict[str, tuple[float, float]]

    @property
    def labelled(self) -> bool:
        """Whether there is a table of thresholds by label."""
        return "thresholds" in fields_of(self.root)

    @property
    def by_label(self) -> tuple[str, ...]:
        """The tables whose keys are labels."""
        return tuple(n for n in fields_of(self.root) if n in BY_LABEL)

    @property
    def plain(self) -> tuple[str, ...]:
        """The fields of `root` that are no tables."""
        names = fields_of(self.root)
        return tuple(n for n in names if n not in BY_LABEL and n not in self.tables)


TAG = Schema(
    command="rt-tag",
    file="rt-tag.toml",
    root=EngineSettings,
    tables={"decision": DecideSettings, **TABLES},
    ranges={
        **RANGES,
        "decision.hysteresis": (0.0, 1.0),
        "decision.confirm": (1, 1000),
        "decision.average": (1, 1000),
        "top": (1, math.inf),
        "rate": (0, HIGHEST_RATE),
    },
)


def variable_name(key: str) -> str:
    """The environment variable of a field."""
    return "RT_" + key.upper().replace(".", "_")


def option_name(key: str) -> str:
    """The command line option of a field."""
    if key in OPTIONS:
        return OPTIONS[key]
    if key.startswith("on."):
        return "--on"
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


def check(key: str, value: Any, origin: str, schema: Schema = TAG) -> Any:
    """A value in its field's type and range.

    Raises:
        UsageError: it does not fit.
    """
    kind = kind_of(key, origin, schema)
    if isinstance(value, str):
        value = _from_text(value, kind)
    try:
        value = msgspec.convert(value, kind)
    except msgspec.ValidationError as e:
        shown = "not shown" if key in SECRET else repr(value)
        raise UsageError(f"{origin}: {key} is {shown}", f"use {_wanted(kind, e)}") from None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = _range(key, schema)
        if not low <= value <= high:
            top = "" if high == math.inf else f" to {high:g}"
            more = " or more" if high == math.inf else ""
            raise UsageError(f"{origin}: {key} is {value:g}", f"use {low:g}{top}{more}")
    return value


def fields_of(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """Names of a struct's fields, in order."""
    return struct.__struct_fields__


def kind_of(key: str, origin: str, schema: Schema = TAG) -> Any:
    """The type of a dotted field.

    Raises:
        UsageError: there is no such field.
    """
    table, dot, name = key.partition(".")
    if not dot:
        table, name = "", key
    if table in schema.by_label:
        return BY_LABEL[table]
    struct = schema.tables.get(table, schema.root)
    known = fields_of(struct)
    if (table and table not in schema.tables) or name not in known:
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


def _wanted(kind: Any, e: msgspec.ValidationError) -> str:
    """What a field takes, in words."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for one in kinds:
        if typing.get_origin(one) is Literal:
            return " or ".join(str(word) for word in typing.get_args(one) if word != "")
        if one in WORDS:
            return WORDS[one]
        if typing.get_origin(one) in (tuple, list):
            return "a list of texts"
    return str(e)


def _from_text(value: str, kind: Any) -> Any:
    """Text of the environment or the command line in the field's own type, if it can be."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if bool in kinds and value.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return value.lower() in ("1", "true", "yes", "on")
    words = [word for one in kinds for word in typing.get_args(one)]  # of a Literal
    for number in (int, float):
        if number in kinds or any(type(word) is number for word in words):
            try:
                return number(value)
            except ValueError:
                continue
    if any(typing.get_origin(k) is tuple for k in kinds):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _range(key: str, schema: Schema) -> tuple[float, float]:
    if key.startswith("thresholds."):
        return 0.0, 1.0
    if key in schema.ranges:
        return schema.ranges[key]
    return (0.0, 3600.0) if key.endswith("_s") else (0, math.inf)
