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

`merge` does this for any command's fields (a `fields.Schema`); `load_settings` and `settle` are
rt-tag's. rt-gate's are in `realtime.gate.settings`.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from realtime.card import Card, Decision
from realtime.errors import UsageError
from realtime.fields import (
    TAG,
    DecideSettings,
    EngineSettings,
    Schema,
    check,
    fields_of,
    kind_of,
    nearest,
    option_name,
    parse_thresholds,
    toml_of,
    variable_name,
)
from realtime.places import kind_at
from realtime.service_fields import SECRET, TABLES

FOLDER_NAME = "rt-tag"  # of settings, in the user's configuration folder


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
    """Merge the command line, the environment and a settings file for rt-tag; see `merge`."""
    flat, origins = merge(TAG, flags, environ, config)
    tree: dict[str, Any] = {name: {} for name in (*TAG.tables, *TAG.by_label)}
    for key, value in flat.items():
        table, dot, name = key.partition(".")
        if dot:
            tree[table][name] = value
        else:
            tree[key] = value
    for table, struct in TAG.tables.items():
        tree[table] = struct(**tree[table])
    return Settings(EngineSettings(**tree), origins)


def merge(
    schema: Schema,
    flags: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    config: str | Path | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the command line, the environment and a settings file say, the first one first.

    Args:
        schema: the command's fields.
        flags: dotted field to value, only those that were given: {"model": ..,
            "decision.confirm": ..}; with thresholds by label "threshold" has the option's text.
        environ: the environment.
        config: a settings file that must exist; None is the user's, if there is one.

    Returns:
        Dotted field to value, and to its origin; only fields that someone spoke of.

    Raises:
        UsageError: an unknown key, a wrong value, or a file that cannot be read.
    """
    flat: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def take(values: Mapping[str, Any], origin: Mapping[str, str]) -> None:
        for key, value in values.items():
            if key == "threshold" and schema.labelled:
                thresholds = parse_thresholds(value, origin[key])
                if "default" in thresholds:  # "0.6" is for all labels: earlier words are void
                    for old in [k for k in flat if k.startswith("thresholds.")]:
                        del flat[old], origins[old]
                take(
                    {f"thresholds.{k}": v for k, v in thresholds.items()},
                    {f"thresholds.{k}": origin[key] for k in thresholds},
                )
                continue
            flat[key] = check(key, value, origin[key], schema)
            origins[key] = origin[key]

    path = config or environ.get("RT_CONFIG") or user_file(environ, schema)
    if path is not None:
        said = read_file(Path(path), schema)
        take(said, dict.fromkeys(said, str(path)))
    said = from_environment(environ, schema)
    take(said, {key: variable_name(key) for key in said})
    take(flags, {key: option_name(key) for key in flags})
    return flat, origins


def read_file(path: Path, schema: Schema = TAG) -> dict[str, Any]:
    """A settings file, flattened to dotted fields.

    Raises:
        UsageError: unreadable, no TOML, or an unknown key.
    """
    try:
        tree = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", "give a settings file with --config") from e
    except UnicodeDecodeError as e:
        raise UsageError(f"{path}: is no UTF-8 text", "a settings file is TOML") from e
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{path}: {e}", "a settings file is TOML") from e
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if key in schema.tables or key in schema.by_label:
            if not isinstance(value, dict):
                raise UsageError(f"{path}: {key} is no table", f"write [{key}]")
            flat |= {f"{key}.{name}": v for name, v in value.items()}
        else:
            flat[key] = value
    for key in flat:
        kind_of(key, str(path), schema)
    return flat


def from_environment(environ: Mapping[str, str], schema: Schema = TAG) -> dict[str, str]:
    """Settings said by variables: RT_MODEL, RT_THRESHOLD, RT_DECISION_CONFIRM, ..."""
    names = list(schema.plain)
    for table, struct in schema.tables.items():
        names += [f"{table}.{name}" for name in fields_of(struct)]
    if schema.labelled:
        names.append("threshold")
    return {
        name: environ[variable_name(name)] for name in names if environ.get(variable_name(name))
    }


def user_file(environ: Mapping[str, str], schema: Schema = TAG) -> Path | None:
    """The user's settings file, if there is one."""
    if sys.platform == "win32":
        base = environ.get("APPDATA", "")
    else:
        base = environ.get("XDG_CONFIG_HOME", "")
        home = environ.get("HOME", "")
        if not base and home:
            base = str(Path(home) / ".config")
    path = Path(base) / FOLDER_NAME / schema.file
    return path if base and kind_at(path) == "file" else None


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
    own = {k: getattr(values.decision, k) for k in fields_of(DecideSettings)}
    own = {k: v for k, v in own.items() if v is not None}
    for label in own.get("background", ()):
        _label(label, card, origins["decision.background"])
    decision = msgspec.structs.replace(card.decision, **own)
    rows = [
        (name, toml_of(getattr(values, name)), origins.get(name, "default"))
        for name in TAG.plain
        if name != "hop_s"
    ]
    rows.append(
        (
            "hop_s",
            toml_of(values.hop_s or card.hop_s),
            origins.get("hop_s", f"card {card.name}"),
        )
    )
    thresholds = {}
    for label in card.labels:
        if label in decision.background:
            continue
        key = label if label in values.thresholds else "default"
        thresholds[label] = values.thresholds.get(key, card.threshold(label))
        origin = origins.get(f"thresholds.{key}", f"card {card.name}")
        rows.append((f"thresholds.{label}", toml_of(thresholds[label]), origin))
    for name in fields_of(DecideSettings):
        origin = origins.get(f"decision.{name}", f"card {card.name}")
        rows.append((f"decision.{name}", toml_of(getattr(decision, name)), origin))
    return decision, thresholds, rows + _services(settings, card)


def _services(settings: Settings, card: Card) -> list[tuple[str, str, str]]:
    """The rows of services; what is secret is not in them."""
    values, origins = settings.values, settings.origins
    rows = []
    for label, command in values.on.items():
        if label != "any":
            _label(label, card, origins[f"on.{label}"])
        rows.append((f"on.{label}", toml_of(command), origins[f"on.{label}"]))
    for label in values.mqtt.labels:
        _label(label, card, origins["mqtt.labels"])
    for table, struct in TABLES.items():
        for name in fields_of(struct):
            key, value = f"{table}.{name}", getattr(getattr(values, table), name)
            origin = origins.get(key, "default")
            if key in SECRET and value:
                value, origin = "", f"{origin}, not shown"
            rows.append((key, toml_of(value), origin))
    return rows


def _label(label: str, card: Card, origin: str) -> None:
    if label not in card.labels:
        raise UsageError(
            f"{origin}: model {card.name} has no label {label}", nearest(label, card.labels)
        )
