"""Errors of the engine in the panel's words: no options, no folders."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gui.i18n import tr
from realtime.errors import AudioError, CardError, DeviceNotFound, MissingExtra, RtError


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
    if isinstance(error, AudioError) and "cannot be opened" in str(error):
        return tr("Another program may be using it.")
    if isinstance(error, DeviceNotFound):
        return tr("Plug it in, or choose another one.")
    if re.search(r"(^|\s)-{1,2}[a-z]|rt-|ffmpeg", error.hint):
        return ""
    hint = error.hint[:1].upper() + error.hint[1:]
    return hint if hint.endswith(("?", ".", "")) and hint[-1:] in "?." else hint and f"{hint}."


def spoken(line: str) -> str:
    """What `rt-gate learn` gave up with, in words without options."""
    text = re.sub(r"^(rt-gate: )?(error: )?", "", " ".join(line.split()))
    for part, make in KNOWN:
        if part in text:
            return make()
    text = re.sub(r": [^:]*(--[a-z]|rt-)[^:]*$", "", text)  # a hint of the command line
    text = re.sub(r"/\S*/([^\s/:]+)", r"\1", text)  # a file's name is enough
    text = text.replace("--open", tr("the wanted sound"))
    text = text.replace("--closed", tr("everything else"))
    if "." not in text.split(" ")[0]:  # else it begins with a file's name
        text = text[:1].upper() + text[1:]
    return text + ("" if text.endswith(".") else ".")


KNOWN: Final[tuple[tuple[str, Callable[[], str]], ...]] = (
    (
        "sound alike",
        lambda: tr(
            "The two sides sound alike to it: it could only guess. See that neither has the "
            "other's sound in it, and record a minute of each, close to the microphone."
        ),
    ),
    (
        "the same recording is given",
        lambda: tr("A recording is on both sides: leave it out of one of them."),
    ),
    (
        "the gate learned",
        lambda: tr(
            "This gate has learned one of these recordings as the other side, and cannot take "
            "it back: make a new gate from all recordings."
        ),
    ),
    (
        "s is the least",
        lambda: tr("There is too little sound: record more of it, closer to the microphone."),
    ),
    (
        "% of the sound is clipped",
        lambda: tr("Most of it is clipped: turn the input down, and record again."),
    ),
    (
        "silent",
        lambda: tr("Nothing is to be heard: check the microphone, and record again."),
    ),
    (
        "remembers no examples",
        lambda: tr("This gate remembers no lesson: make a new gate."),
    ),
)
