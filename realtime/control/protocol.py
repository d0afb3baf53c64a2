"""The lines of the control socket: one JSON object each, UTF-8. A public surface.

A client first sends {"token": ...}. Then it asks {"id": any, "do": NAME, ...} and is answered
{"id": the same, "ok": {...}} or {"id": the same, "error": what, "hint": the mend}. Lines that
nobody asked for, of meters and events, have no "id".
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from realtime.errors import RtError, UsageError

PROTOCOL: Final = 1  # raised when a line changes its meaning
HOST: Final = "127.0.0.1"
MOST_LINE: Final = 64 * 1024  # bytes, the newline included
DECIMALS: Final = 3

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


def parse(line: bytes) -> dict[str, Any]:
    """A line as an object.

    Raises:
        UsageError: it is none.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise UsageError("the line is no JSON object", "one object a line, UTF-8") from e


def encode(what: dict[str, Any]) -> bytes:
    """An object as a line."""
    return _encoder.encode(what) + b"\n"


def reply(number: Any, what: dict[str, Any]) -> bytes:
    """The answer to a request, or why there is none if it is too long for a line."""
    line = encode({"id": number, "ok": what})
    if len(line) > MOST_LINE:
        return refusal(number, UsageError("the answer is too long for a line", "ask for less"))
    return line


def refusal(number: Any, error: RtError) -> bytes:
    """The answer to a request that fails."""
    what = {"id": number, "error": " ".join(str(error).split()), "hint": error.hint}
    line = encode(what)
    return line if len(line) <= MOST_LINE else encode(what | {"id": None})


def rounded(what: dict[str, Any]) -> dict[str, Any]:
    """The same with numbers as short as they need to be."""
    return {
        key: round(value, DECIMALS)
        if isinstance(value, float) and math.isfinite(value)
        else value
        for key, value in what.items()
    }


def number(asked: dict[str, Any], name: str, default: float, low: float, high: float) -> float:
    """A number of a request.

    Raises:
        UsageError: no number, or out of range.
    """
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{name} is {value!r}", f"give a number from {low:g} to {high:g}")
    if not low <= value <= high:
        raise UsageError(f"{name} is {value:g}", f"use {low:g} to {high:g}")
    return value


def switch(asked: dict[str, Any], name: str = "on") -> bool:
    """A switch of a request.

    Raises:
        UsageError: neither true nor false.
    """
    value = asked.get(name)
    if not isinstance(value, bool):
        raise UsageError(f"{name} is {value!r}", "give true or false")
    return value
