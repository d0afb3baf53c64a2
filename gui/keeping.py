"""Keeping a learned gate: it gets its name, inside and outside, and its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gui.i18n import tr
from gui.plain import sentence
from gui.take import Take
from realtime.control.listing import SUFFIX, Gates, data_folder
from realtime.errors import RtError
from realtime.outputs.replace import write_whole

LONGEST: Final = 40  # letters of a name that is proposed
SAY_NOTHING: Final = ("open", "wav", "sounds", "samples")  # folders


def keep_gate(made: Path, target: Path) -> str:
    """Copy a learned gate to its place, whole or not at all; takes its time.

    Args:
        made: the file that was learned.
        target: its place; the stem is its name.

    Returns:
        Why it could not be kept, in a sentence; empty if it was.
    """
    from realtime.learn.gate_file import read_gate, write_gate

    try:
        gate = read_gate(made)
        if gate.memory is None:
            raise ValueError(f"{made} remembers no lesson")
        card = msgspec.structs.replace(gate.card, name=target.stem)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, write_gate(gate, gate.head, card, gate.memory))
    except RtError as e:
        return sentence(e, target)
    except OSError as e:
        return tr("It could not be kept: {why}.", why=e.strerror or e)
    return ""


def learned_gates() -> list[tuple[str, Path]]:
    """Name and file of the gates that were kept and can be read; takes its time."""
    return [(g["name"], Path(g["model"])) for g in Gates().learned() if not g.get("fault")]


def gate_path(name: str) -> Path:
    """The file of a gate of that name."""
    return data_folder("gates") / f"{name}{SUFFIX}"


def propose_name(base: Path | None, takes: Sequence[Take]) -> str:
    """A name that says something: that of the gate before, or of the recordings' folder.

    Args:
        base: the gate that a new one goes on from.
        takes: of the wanted sound.
    """
    if base is not None:
        return base.stem
    folders = {take.path.parent for take in takes}
    if len(folders) == 1 and all(take.origin == "file" for take in takes):
        found = folders.pop().name
        if found and found not in SAY_NOTHING:
            return found[:LONGEST]
    name = tr("my sound")
    number = 2
    while gate_path(name).exists():
        name, number = f"{tr('my sound')} {number}", number + 1
    return name
