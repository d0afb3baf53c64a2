"""What a model of unknown origin may not do: read files elsewhere, or ask for endless memory.

Used by the runners before a runtime sees the file. A model is data here, never a program: it is
not unpickled, nothing is unpacked from its archive but the one text of its card, and no library
of operators is ever loaded because a file names it. ONNX lets a model keep its weights in other
files; those must lie in the model's own folder, links followed, whatever version of the runtime
is there (newer ones refuse others by themselves).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from realtime.card import Card
from realtime.errors import CardError, RunnerError
from realtime.protobuf import BYTES, fields

MOST_WINDOW_S = 600.0
MOST_STATE = 1 << 26  # numbers in all states
MOST_LABELS = 100_000
DEEPEST = 32  # graphs within graphs

# message: field number to the message in it, as far as a file's name can be in it (onnx.proto)
PLACES: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}  # fmt: skip
KEY, VALUE = 1, 2  # of an entry


def check_onnx(path: Path) -> None:
    """Refuse an ONNX file that names files outside its own folder.

    Raises:
        RunnerError: it does, or it is no ONNX file.
    """
    home = path.resolve().parent
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        locations = list(_locations(memoryview(content), "model", 0))
    except (ValueError, OSError) as e:
        raise RunnerError(f"{path} is no ONNX model: {e}", "export it anew") from e
    for location in locations:
        _check_location(path, home, location)


def check_card(card: Card, where: str) -> None:
    """Refuse a card that asks for more than any model needs.

    Raises:
        CardError: it does.
    """
    state = sum(_product(spec.shape) for spec in card.states)
    for what, is_, most in (
        ("window_s", card.window_s, MOST_WINDOW_S),
        ("the number of labels", len(card.labels), MOST_LABELS),
        ("the size of all states", state, MOST_STATE),
    ):
        if is_ > most:
            raise CardError(f"{where}: card: {what} is {is_:g}", f"use up to {most:g}")


def _locations(data: memoryview, kind: str, depth: int) -> Iterator[str]:
    """Every file that a message names."""
    if depth > DEEPEST:
        raise ValueError("graphs within graphs without end")
    places = PLACES[kind]
    for field in fields(cast(Any, data)):  # slices of a view copy nothing
        inner = places.get(field.number)
        if inner is None or field.wire != BYTES:
            continue
        content = cast(Any, field.content)
        if inner == "entry":
            entry = {f.number: bytes(f.content) for f in fields(content)}
            if entry.get(KEY) == b"location":
                yield entry.get(VALUE, b"").decode("utf-8", "surrogateescape")
        else:
            yield from _locations(content, inner, depth + (inner == "graph"))


def _check_location(path: Path, home: Path, location: str) -> None:
    hint = "a model may name files beside it only; do you trust where it comes from?"
    try:
        target = (home / location).resolve()
        inside = not Path(location).is_absolute() and target.is_relative_to(home)
    except (OSError, ValueError, RuntimeError):  # a loop of links, a NUL
        inside = False
    if not inside:
        raise RunnerError(f"{path} names the file {location!r}, outside its own folder", hint)
    if not target.is_file():
        raise RunnerError(
            f"{path} keeps weights in {location!r}, which is not there", "copy it beside it"
        )


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= max(1, n)
    return size
