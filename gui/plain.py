"""Errors of the engine in the panel's words: no options, no folders."""

from __future__ import annotations

import re
from pathlib import Path

from gui.i18n import tr
from realtime.errors import CardError, DeviceNotFound, MissingExtra, RtError

SIDES = {"--open": "the wanted sound", "--closed": "everything else"}


def sentence(error: RtError, path: str | Path = "") -> str:
    """One line: what is wrong, and what to do about it.

    Args:
        error: what was raised.
        path: a file that it may name: its name is enough.
    """
    text = " ".join(str(error).split())
    if path:
        text = text.replace(str(path), Path(path).name)
    hint = _hint(error)
    return f"{text}. {hint}" if hint else f"{text}."


def _hint(error: RtError) -> str:
    """What to do in the panel: a hint of the command line is none."""
    if isinstance(error, MissingExtra):
        return error.hint
    if isinstance(error, CardError) and "carries no card" in str(error):
        return tr("Describe it in a file of the same name that ends in .card.json.")
    if isinstance(error, DeviceNotFound):
        return tr("Plug it in, or choose another one.")
    if re.search(r"(^|\s)-{1,2}[a-z]|rt-|ffmpeg", error.hint):
        return ""
    hint = error.hint[:1].upper() + error.hint[1:]
    return hint if hint.endswith(("?", ".", "")) and hint[-1:] in "?." else hint and f"{hint}."


def spoken(line: str) -> str:
    """A line that rt-gate learn gave up with, in plain words."""
    text = re.sub(r"^rt-gate: (error: )?", "", " ".join(line.split()))
    for option, words in SIDES.items():
        text = re.sub(rf"{option}( [^:]*)?: ", f"{tr(words)}: ", text)
        text = text.replace(f"as {option}", f"as {tr(words)}").replace(option, tr(words))
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
