"""Settings from four places, merged once: who says what, and where it was said.

In order of precedence: the command line, the environment (`RT_MODEL`, ...), a TOML settings
file, and, for how events are decided, the model's card. The file is the one given with
`--config`, or `rt-tag.toml` in the user's configuration folder:

    model = "kws12"
    device = "USB"

    [thresholds]
    default = 0.6
    yes = 0.7

    [decision]
    confirm = 2
    refractory_s = 1.0

A key that nobody knows is an error that names the file and the nearest key.
"""

from __future__ import annotations

import difflib
import math
import os
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from realtime.card import Card, Decision
from realtime.errors import UsageError

FILE_NAME = "rt-tag.toml"
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


class Settings(msgspec.Struct, frozen=True):
    """Merged settings, and where each came from.

    Args:
        values: the settings.
        origins: dotted field to its origin: "--model", "RT_MODEL", a file's path; a field that
            is absent has its default.
    """

    values: EngineSettings
    origins: dict[str, str]


def load_settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    config: str | Path | None = None,
) -> Settings:
    """Merge the command line, the environment and a settings file.

    Args:
        flags: dotted field to value, only those that were given: {"model": ..,
            "decision.confirm": ..}; "threshold" has the option's text.
        environ: the environment.
        config: a settings file that must exist; None is the user's, if there is one.

    Raises:
        UsageError: an unknown key, a wrong value, or a file that cannot be read.
    """
    flat: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def take(values: Mapping[str, Any], origin: Mapping[str, str]) -> None:
        for key, value in values.items():
            if key == "threshold":
                thresholds = parse_thresholds(value, origin[key])
                if "default" in thresholds:  # "0.6" is for all labels: earlier words are void
                    for old in [k for k in flat if k.startswith("thresholds.")]:
                        del flat[old], origins[old]
                take(
                    {f"thresholds.{k}": v for k, v in thresholds.items()},
                    {f"thresholds.{k}": origin[key] for k in thresholds},
                )
                continue
            flat[key] = check(key, value, origin[key])
            origins[key] = origin[key]

    path = config or environ.get("RT_CONFIG") or user_file(environ)
    if path is not None:
        said = read_file(Path(path))
        take(said, dict.fromkeys(said, str(path)))
    said = from_environment(environ)
    take(said, {key: variable_name(key) for key in said})
    take(flags, {key: option_name(key) for key in flags})
    decision = {k.split(".")[1]: v for k, v in flat.items() if k.startswith("decision.")}
    thresholds = {k.split(".", 1)[1]: v for k, v in flat.items() if k.startswith("thresholds.")}
    plain = {k: v for k, v in flat.items() if "." not in k}
    return Settings(
        EngineSettings(**plain, thresholds=thresholds, decision=DecideSettings(**decision)),
        origins,
    )


def read_file(path: Path) -> dict[str, Any]:
    """A settings file, flattened to dotted fields.

    Raises:
        UsageError: unreadable, no TOML, or an unknown key.
    """
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", "give a settings file with --config") from e
    except UnicodeDecodeError as e:
        raise UsageError(f"{path}: is no UTF-8 text", "a settings file is TOML") from e
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{path}: {e}", "a settings file is TOML") from e
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if key in ("thresholds", "decision"):
            if not isinstance(value, dict):
                raise UsageError(f"{path}: {key} is no table", f"write [{key}]")
            flat |= {f"{key}.{name}": v for name, v in value.items()}
        else:
            flat[key] = value
    for key in flat:
        _known(key, str(path))
    return flat


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings said by variables: RT_MODEL, RT_THRESHOLD, RT_DECISION_CONFIRM, ..."""
    names = [*_fields(EngineSettings), *(f"decision.{n}" for n in _fields(DecideSettings))]
    names = [n for n in names if n not in ("thresholds", "decision")]
    return {
        name: environ[variable_name(name)]
        for name in [*names, "threshold"]
        if environ.get(variable_name(name))
    }


def variable_name(key: str) -> str:
    """The environment variable of a field."""
    return "RT_" + key.upper().replace(".", "_")


def option_name(key: str) -> str:
    """The command line option of a field."""
    name = key.rsplit(".", maxsplit=1)[-1].replace("_", "-")
    return "--" + name.removesuffix("-s")


def user_file(environ: Mapping[str, str]) -> Path | None:
    """The user's settings file, if there is one."""
    if sys.platform == "win32":
        base = environ.get("APPDATA", "")
    else:
        base = environ.get("XDG_CONFIG_HOME", "")
        home = environ.get("HOME", "")
        if not base and home:
            base = str(Path(home) / ".config")
    path = Path(base) / "rt-tag" / FILE_NAME
    return path if base and path.is_file() else None


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
    kind = _known(key, origin)
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


def settle(
    settings: Settings, card: Card
) -> tuple[Decision, dict[str, float], list[tuple[str, str, str]]]:
    """The card fills in what nobody said.

    Returns:
        The decision, the thresholds of all labels, and (field, value, origin) of every setting.

    Raises:
        UsageError: a threshold or background label that the model does not have.
    """
    values, origins = settings.values, settings.origins
    for label in values.thresholds:
        if label != "default":
            _label(label, card, origins[f"thresholds.{label}"])
    own = {k: getattr(values.decision, k) for k in _fields(DecideSettings)}
    own = {k: v for k, v in own.items() if v is not None}
    for label in own.get("background", ()):
        _label(label, card, origins["decision.background"])
    decision = msgspec.structs.replace(card.decision, **own)
    rows = [
        (name, _toml(getattr(values, name)), origins.get(name, "default"))
        for name in _fields(EngineSettings)
        if name not in ("thresholds", "decision", "hop_s")
    ]
    rows.append(
        ("hop_s", _toml(values.hop_s or card.hop_s), origins.get("hop_s", f"card {card.name}"))
    )
    thresholds = {}
    for label in card.labels:
        if label in decision.background:
            continue
        key = label if label in values.thresholds else "default"
        thresholds[label] = values.thresholds.get(key, card.threshold(label))
        origin = origins.get(f"thresholds.{key}", f"card {card.name}")
        rows.append((f"thresholds.{label}", _toml(thresholds[label]), origin))
    for name in _fields(DecideSettings):
        origin = origins.get(f"decision.{name}", f"card {card.name}")
        rows.append((f"decision.{name}", _toml(getattr(decision, name)), origin))
    return decision, thresholds, rows


def nearest(word: str, words: Iterable[str]) -> str:
    """A hint: the nearest of some words, or all of them."""
    known = list(words)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"


def _label(label: str, card: Card, origin: str) -> None:
    if label not in card.labels:
        raise UsageError(
            f"{origin}: model {card.name} has no label {label}", nearest(label, card.labels)
        )


def _fields(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_fields__


def _known(key: str, origin: str) -> Any:
    """The type of a dotted field."""
    table, _, name = key.rpartition(".")
    if table == "thresholds":
        return float
    struct = DecideSettings if table == "decision" else EngineSettings
    known = _fields(struct)
    if table not in ("", "decision") or name not in known:
        prefix = f"{table}." if table else ""
        hint = nearest(name, known)
        raise UsageError(f"{origin}: there is no setting {prefix}{name}", hint)
    return typing.get_type_hints(struct)[name]


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


def _toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return msgspec.json.encode(value).decode()
