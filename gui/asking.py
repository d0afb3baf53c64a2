"""Dialogs that ask for files: what was chosen is handed on, and nothing if nothing was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PyQt6.QtWidgets import QFileDialog, QWidget

from gui.i18n import tr
from gui.model_choice import SUFFIXES

SOUNDS: Final = "*.wav *.flac *.ogg *.mp3 *.aiff *.aif *.opus *.w64 *.au *.caf"

Then = Callable[[str], None]


def ask_model(parent: QWidget, then: Then) -> None:
    """A model that names sounds."""
    kinds = _kinds(tr("Models"), " ".join(f"*{s}" for s in SUFFIXES))
    _hand_on(QFileDialog.getOpenFileName(parent, tr("A model file"), "", kinds), then)


def ask_sound(parent: QWidget, then: Then) -> None:
    """A sound file."""
    kinds = _kinds(tr("Sounds"), SOUNDS)
    _hand_on(QFileDialog.getOpenFileName(parent, tr("A sound file"), "", kinds), then)


def ask_sounds(parent: QWidget) -> list[Path]:
    """Sound files; none if nobody chose any."""
    kinds = _kinds(tr("Sounds"), SOUNDS)
    found = QFileDialog.getOpenFileNames(parent, tr("Sound files"), "", kinds)[0]
    return [Path(path) for path in found]


def ask_table(parent: QWidget, then: Then) -> None:
    """Where events shall be written."""
    _hand_on(QFileDialog.getSaveFileName(parent, tr("Save the events"), "events.csv"), then)


def _kinds(name: str, patterns: str) -> str:
    return f"{name} ({patterns});;{tr('All files')} (*)"


def _hand_on(chosen: tuple[str, str], then: Then) -> None:
    if chosen[0]:
        then(chosen[0])
