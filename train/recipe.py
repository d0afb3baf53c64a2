"""Recipes: one TOML file describes a run completely.

Unknown keys are errors with the nearest match.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from realtime.card import Decision
from realtime.errors import UsageError
from realtime.features import FeatureSpec
from realtime.toml import read_toml
from train.manifest import Row, labels_of
from train.ranges import check_ranges
from train.tables import Augment, Data, Fit, Loss, Mix, plain

Kind = TypeVar("Kind", bound=msgspec.Struct)


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run.

    Args:
        name: of the model, and of the run's folder.
        window_s: seconds of sound the model sees at once.
        hop_s: seconds between two decisions, for the card.
        data: what is learned from.
        features: the front end; goes into the card.
        model: "network" and the fields of its configuration.
        fit: the optimisation.
        mix: what a batch is made of.
        augment: how a row is changed.
        loss: what is minimised.
        decision: how scores become events, for the card.
        thresholds: score at which a label starts, for the card; "default" for the others.
    """

    name: str
    window_s: float
    hop_s: float
    data: Data
    features: FeatureSpec
    model: dict[str, Any]
    fit: Fit
    mix: Mix = Mix()
    augment: Augment = Augment()
    loss: Loss = Loss()
    decision: Decision = Decision()
    thresholds: dict[str, float] = msgspec.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the card, with names in place of paths: a card travels."""
        out = plain(self)
        if "weights" in self.model:
            out["model"]["weights"] = Path(self.model["weights"]).name
        out["loss"]["teachers"] = ["/".join(Path(t).parts[-2:]) for t in self.loss.teachers]
        return out


def read_recipe(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read the recipe of a tagger.

    Args:
        path: TOML file.
        changes: "fit.steps=100" each, from `--set`.

    Raises:
        UsageError: not readable, no TOML, or a key that is unknown or of the wrong type.
    """
    return convert_recipe(read_tables(path, changes), Recipe, path)


def read_tables(path: Path, changes: tuple[str, ...] = ()) -> dict[str, Any]:
    """A recipe as plain tables, with the changes made; arguments as `read_recipe`.

    Raises:
        UsageError: not readable, or no TOML.
    """
    data = _based(path)
    for change in changes:
        _set(data, change)
    return data


def convert_recipe(data: dict[str, Any], kind: type[Kind], path: Path) -> Kind:
    """Tables as a recipe of some kind.

    Raises:
        UsageError: a key is unknown (with the nearest match), missing, of the wrong type or
            out of range.
    """
    try:
        recipe = msgspec.convert(data, kind)
    except msgspec.ValidationError as e:
        raise UsageError(f"{path}: {e}{_nearest(str(e), kind)}", "see docs/recipes.md") from e
    check_ranges(recipe, str(path))
    return recipe


def with_labels(recipe: Recipe, rows: Iterable[Row]) -> Recipe:
    """The recipe with all labels of the manifest's clips in `data.labels`, if it has none."""
    if recipe.data.labels:
        return recipe
    found = {x.rstrip("?") for r in rows if r.role == "clip" for x in labels_of(r)}
    data = msgspec.structs.replace(recipe.data, labels=tuple(sorted(found)))
    return msgspec.structs.replace(recipe, data=data)


def _based(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A recipe's tables over those of the recipe that its `base` names."""
    data = read_toml(path, "name a recipe: see docs/recipes.md")
    name = data.pop("base", None)
    if name is None:
        return data
    above = (*above, path.resolve())
    if not isinstance(name, str) or (path.parent / name).resolve() in above:
        raise UsageError(f"{path}: base {name!r}", "name another recipe, from here")
    return _over(_based(path.parent / name, above), data)


def _over(base: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Tables over tables, field by field; a network takes no fields of another."""
    out = dict(base)
    for key, value in data.items():
        below = out.get(key)
        if isinstance(value, dict) and isinstance(below, dict) and "network" not in value:
            out[key] = _over(below, value)
        else:
            out[key] = value
    return out


def _set(data: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise UsageError(f"--set {change}: no value", "write --set fit.steps=1000")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string
    *path, last = key.split(".")
    for name in path:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise UsageError(f"--set {change}: {name} is no table", "write table.key=value")
    data[last] = value


def _nearest(message: str, kind: type[msgspec.Struct]) -> str:
    if "unknown field" not in message:
        return ""
    name = message.split("`")[1]
    near = difflib.get_close_matches(name, _fields(kind), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _fields(kind: type[msgspec.Struct]) -> set[str]:
    """Names of all fields, those of the tables inside too."""
    names: set[str] = set()
    for field in msgspec.structs.fields(kind):
        names.add(field.name)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            names |= _fields(field.type)
    return names
