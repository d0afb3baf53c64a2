"""The models that come with the project: `realtime/weights`, found by name.

A name is a file's stem: `kws12` is `weights/kws12.onnx`, or `weights/kws12.tflite` when
LiteRT is asked for. The plain name is the quantised model; `NAME-float` and `NAME-tiny` are
models of their own.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from realtime.card import Card
from realtime.errors import RtError, UsageError
from realtime.fields import DEFAULT_MODEL
from realtime.places import kind_at
from realtime.runners import open_runner

WEIGHTS = Path(__file__).parent / "weights"
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}

log = logging.getLogger("rt.realtime.library")


class Shipped(msgspec.Struct, frozen=True):
    """One model of the library.

    Args:
        name: what to give to `--model`.
        files: its files by runtime.
        card: its card; None if it cannot be read here (`fault` says why).
        fault: so.
    """

    name: str
    files: dict[str, Path]
    card: Card | None = None
    fault: str = ""


def names(folder: Path = WEIGHTS) -> list[str]:
    """Names of the shipped models, sorted, the default one first."""
    found = {p.stem for p in _files(folder)}
    return sorted(found, key=lambda name: (name != DEFAULT_MODEL, name))


def find_model(model: str, runtime: str = "", folder: Path = WEIGHTS) -> Path:
    """The file of a model: a shipped name, with its suffix or without, or a path.

    A path is whatever has a folder separator or a suffix, or exists; one that exists comes
    before a shipped file of that name.

    Args:
        model: name or path.
        runtime: "onnx" or "litert" to choose between the files of a name.
        folder: the library.

    Raises:
        UsageError: no model of that name, or not for that runtime.
    """
    for kind, suffix in SUFFIXES.items():
        path = folder / f"{model}{suffix}"
        if runtime in ("", kind) and "/" not in model and path.is_file():
            return path
    own = Path(model)
    have = names(folder)
    if model in have:
        raise UsageError(f"model {model} is not shipped for runtime {runtime}", "leave it out")
    there_is = kind_at(own)
    if own.suffix in SUFFIXES.values() and not there_is and kind_at(folder / model) == "file":
        return folder / model
    if there_is or own.suffix or len(own.parts) > 1:
        return own
    near = difflib.get_close_matches(model, have, n=1)
    there = f"there is {', '.join(have)}" if have else "give the path of a model file"
    guess = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"no model is called {model}", f"{guess}{there}")


def shipped(folder: Path = WEIGHTS) -> Iterator[Shipped]:
    """Every shipped model with its card."""
    for name in names(folder):
        files = {
            kind: folder / f"{name}{suffix}"
            for kind, suffix in SUFFIXES.items()
            if (folder / f"{name}{suffix}").is_file()
        }
        card, faults = None, []
        for path in files.values():
            try:
                card = open_runner(path).card
                break
            except RtError as e:
                faults.append(e.line())
        yield Shipped(name, files, card, "" if card else "; ".join(faults))


def _files(folder: Path) -> list[Path]:
    return [p for p in folder.glob("*") if p.suffix in SUFFIXES.values()]
