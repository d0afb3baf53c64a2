"""Running a model file: one small protocol over ONNX Runtime and LiteRT, and `open_runner`.

A model is told by its content, never by its suffix. Its card comes from, in this order: the
`card` argument, the model itself (ONNX metadata `rt.card`; for TFLite the file `rt.card.json`
in the zip archive that the format appends to the model), or beside it `MODEL.card.json`,
`<stem>.json`, `model.json`. A runtime is imported when a model of its kind is opened.
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card, parse_card, read_card
from realtime.errors import CardError, RunnerError, UsageError
from realtime.runners.untrusted import check_card

Array = NDArray[np.float32]
Runtime = Literal["onnx", "litert"]

CARD_KEY = "rt.card"  # ONNX metadata key
CARD_FILE = "rt.card.json"  # associated file in a TFLite
MOST_THREADS = 1024  # the runtimes make as many as they are told

log = logging.getLogger("rt.realtime.runners")


class Runner(Protocol):
    """A loaded model. Not thread safe; one runner, one thread."""

    card: Card
    runtime: str
    """Which runtime serves it, with its version: "onnxruntime 1.31.1"."""

    def run(self, window: Array) -> Array:
        """Score one window.

        Args:
            window: float32 [frames, width] for features (after `frontend.finish_window`),
                [samples] in -1 to 1 for a waveform. A stateful model takes one step's frames
                and remembers its states.

        Returns:
            Probabilities, float32 [labels].
        """
        ...

    def reset(self) -> None:
        """Set the states to zero."""
        ...


def open_runner(
    path: str | Path,
    card: Card | str | Path | None = None,
    runtime: str | None = None,
    threads: int = 1,
) -> Runner:
    """Open a model file and check it against its card, before any audio.

    Args:
        path: an ONNX or TFLite file; told by its content.
        card: a card, or the JSON file of one, in place of the model's own.
        runtime: "onnx" or "litert", to insist; a model of the other kind is then an error.
        threads: threads inside one run of the model; 0 leaves it to the runtime.

    Raises:
        RunnerError: no model, a corrupt one, or tensors that are not what the card says.
        CardError: no card, or a wrong one.
        MissingExtra: the runtime is not installed.
    """
    path = Path(path)
    kind = model_kind(path)
    if runtime not in (None, "", "onnx", "litert"):
        raise UsageError(f"no runtime {runtime!r}", "use onnx or litert")
    if runtime and runtime != kind:
        raise RunnerError(
            f"{path} is {'an ONNX' if kind == 'onnx' else 'a TFLite'} model, "
            f"and runtime {runtime} was asked for",
            f"use --runtime {kind}, or another file",
        )
    if not 0 <= threads <= MOST_THREADS:
        raise UsageError(
            f"{threads} threads", f"use 1 to {MOST_THREADS}, or 0 for the runtime's own choice"
        )
    given = card if card is None or isinstance(card, Card) else read_card(Path(card))
    # by name: the two modules import this one
    module = importlib.import_module(f"realtime.runners.{kind}")
    runner: Runner = module.load(path, given, threads)
    log.debug("%s: %s, %s", path, runner.card.name, runner.runtime)
    return runner


def model_kind(path: Path) -> Runtime:
    """Tell the kind of a model file by its content.

    Raises:
        RunnerError: no file, a folder, or neither ONNX nor TFLite.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as e:
        raise RunnerError(
            f"{path}: {e.strerror}", "give a model file, or see --list-models"
        ) from e
    if head[4:8] == b"TFL3":
        return "litert"
    # a protobuf whose first field is a number: ir_version, as every writer of ONNX puts it
    if head[:1] == b"\x08" and len(head) == 16:
        return "onnx"
    if not head:
        raise RunnerError(f"{path} is empty", "give an ONNX or TFLite model")
    raise RunnerError(
        f"{path} is neither an ONNX nor a TFLite model", "export it with rt-export"
    )


def find_card(path: Path, inside: str | bytes | None, given: Card | None) -> Card:
    """The card of a model: the given one, the model's own, or a file beside it.

    Args:
        path: the model file.
        inside: JSON found in the model.
        given: the user's own.

    Raises:
        CardError: none, or a wrong one.
    """
    card = given if given is not None else _own_card(path, inside)
    check_card(card, str(path))
    return card


def _own_card(path: Path, inside: str | bytes | None) -> Card:
    if inside:
        return parse_card(inside, str(path))
    for beside in (
        path.with_name(path.name + ".card.json"),
        path.with_suffix(".json"),
        path.with_name("model.json"),
    ):
        if beside.is_file():
            return read_card(beside)
    raise CardError(
        f"{path} carries no card", "describe the model in a JSON file and give it with --card"
    )
