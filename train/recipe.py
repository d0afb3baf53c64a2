"""Recipes: one TOML file describes a run completely.

Unknown keys are errors with the nearest match.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from realtime.card import Decision
from realtime.errors import UsageError
from realtime.features import FeatureSpec
from realtime.toml import read_toml

Kind = TypeVar("Kind", bound=msgspec.Struct)


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is learned from.

    Args:
        manifest: CSV of the recordings; relative to where rt-train runs.
        root: folder that the manifest's file names are relative to.
        labels: names of the scores, in order.
        background: labels that are no event (unknown, silence).
        licence: of the weights, for the card.
        trained_on: data sets with their licences, for the card.
        cached: compute the features of labelled clips once and keep them on disk. Nothing then
            changes the sound, and talk and noises are not used; files of features need it.
        tile: with `cached`, clips that are too short are repeated, not put into silence.
    """

    manifest: str
    root: str
    labels: tuple[str, ...]
    background: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    trained_on: tuple[str, ...] = ()
    cached: bool = False
    tile: bool = False


class Mix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a batch is made of.

    Shares of the rows that are no labelled clips; the rest are clips.

    Args:
        batch: rows.
        talk: running speech, labelled `unknown`.
        silence: noises alone and near silence, labelled `silence`.
        fragment: clips cut so that most of the word is missing; target words become "no word"
            (the loss accepts unknown and silence).
        balance: exponent of the class weights, 0 = as often as they are, 1 = every label
            equally often.
    """

    batch: int = 128
    talk: float = 0.10
    silence: float = 0.12
    fragment: float = 0.05
    balance: float = 0.5


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a row is changed. Probabilities 0 to 1; levels in dB.

    Args:
        shift_s: a clip is moved by up to this, either way.
        speeds: playing speeds, chosen evenly.
        room: probability of an impulse response.
        neighbour: probability that the edge of another word or of talk falls into the window.
        noise: probability of added noise.
        snr_db: level of the clip over that noise, from and to.
        level_db: level of the loudest 25 ms after augmentation, dBFS.
        stretch: a clip is played faster or slower by up to this share, on top of `speeds`.
        hiss_db: level of an added white noise floor, dBFS; at least 10 dB under the sound.
        tilt_db: random spectral tilt and bumps, as microphones have.
        time_masks, time_mask: number and greatest width (frames) of SpecAugment's time masks.
        mel_masks, mel_mask: the same for bands.
        mixup: probability that a row is mixed with another one, features and labels.
    """

    shift_s: float = 0.2
    speeds: tuple[float, ...] = (1.0,)
    stretch: float = 0.0
    room: float = 0.0
    neighbour: float = 0.0
    noise: float = 0.0
    snr_db: tuple[float, float] = (0.0, 25.0)
    level_db: tuple[float, float] = (-40.0, -3.0)
    hiss_db: tuple[float, float] = (-95.0, -60.0)
    tilt_db: float = 0.0
    time_masks: int = 0
    time_mask: int = 0
    mel_masks: int = 0
    mel_mask: int = 0
    mixup: float = 0.0


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Cross-entropy, and optionally the teachers' probabilities.

    Args:
        smoothing: label smoothing.
        teachers: checkpoints whose mean probabilities are imitated.
        imitate: weight of the imitation, 0 to 1.
        temperature: of the imitation.
    """

    smoothing: float = 0.0
    teachers: tuple[str, ...] = ()
    imitate: float = 0.0
    temperature: float = 2.0


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The optimisation.

    Args:
        steps: batches.
        rate: peak learning rate of AdamW.
        decay: weight decay.
        warmup: share of the steps in which the rate rises; it falls along a half cosine after.
        ema: decay of the averaged weights, which are the ones kept.
        validate: steps between validations (and checkpoints).
        seed: of everything random.
        init: checkpoint to start from, "" for fresh weights.
        threads: CPU threads, 0 = all.
        workers: processes that make batches ahead (gates only); 0 makes them in between.
        device: "auto", "cpu" or "cuda".
    """

    steps: int
    rate: float = 3e-3
    decay: float = 0.01
    warmup: float = 0.05
    ema: float = 0.999
    validate: int = 500
    seed: int = 1
    init: str = ""
    threads: int = 0
    workers: int = 0
    device: str = "auto"


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
        out: dict[str, Any] = msgspec.to_builtins(self)
        for table, field in (("data", "manifest"), ("data", "root"), ("fit", "init")):
            out[table][field] = Path(out[table][field]).name
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
    data = read_toml(path, "name a recipe: see docs/recipes.md")
    for change in changes:
        _set(data, change)
    return data


def convert_recipe(data: dict[str, Any], kind: type[Kind], path: Path) -> Kind:
    """Tables as a recipe of some kind.

    Raises:
        UsageError: a key is unknown (with the nearest match), missing or of the wrong type.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as e:
        raise UsageError(f"{path}: {e}{_nearest(str(e), kind)}", "see docs/recipes.md") from e


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
