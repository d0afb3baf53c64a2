"""`Examples`: the two sides of a lesson, and what is to become of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from gui.i18n import tr
from gui.input_choice import InputChoice
from gui.take import SideName
from gui.takes import Takes
from gui.theme import GRID, Theme

STEPS: Final = 1000


class Examples(QWidget):
    """Recordings, and the button that begins a lesson.

    Args:
        theme: the colours.

    Signals:
        learn: begin a lesson.
        stop: end it.
        base_chosen: the gate that goes on, or None.
    """

    learn = pyqtSignal()
    stop = pyqtSignal()
    base_chosen = pyqtSignal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._learning = False
        self.sides: dict[SideName, Takes] = {
            "open": Takes("open", theme),
            "closed": Takes("closed", theme),
        }
        self.inputs = InputChoice(files=False)
        self.inputs.setMinimumContentsLength(18)
        self.inputs.device_chosen.connect(self.choose_device)
        sides = QHBoxLayout()
        sides.setSpacing(GRID + 4)
        for takes in self.sides.values():
            takes.changed.connect(self._changed)
            sides.addWidget(takes, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addLayout(self._head())
        layout.addLayout(sides, 1)
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._note.setAccessibleName(tr("What the lesson needs"))
        layout.addWidget(self._note)
        layout.addLayout(self._foot())
        self.note("")
        self.show_learning(False)

    def _head(self) -> QHBoxLayout:
        words = QLabel(tr("Show it about a minute of each."))
        words.setProperty("kind", "dim")
        label = QLabel(tr("&Microphone"))
        label.setProperty("kind", "dim")
        label.setBuddy(self.inputs)
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(words, 1)
        head.addWidget(label)
        head.addWidget(self.inputs)
        return head

    def _foot(self) -> QHBoxLayout:
        self._base = QComboBox()
        self._base.setAccessibleName(tr("Which gate learns"))
        self._base.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._base.setMinimumContentsLength(18)
        self._base.activated.connect(lambda _: self.base_chosen.emit(self.base))
        self.show_gates([])
        resting = QWidget()
        row = QHBoxLayout(resting)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._base)
        row.addStretch()
        self._bar = QProgressBar()
        self._bar.setRange(0, STEPS)
        self._bar.setTextVisible(False)
        self._bar.setStyleSheet("min-height: 8px; max-height: 8px; border-radius: 4px")
        self._stage = QLabel()
        self._stage.setProperty("kind", "dim")
        learning = QWidget()
        column = QVBoxLayout(learning)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._stage)
        column.addWidget(self._bar)
        self._left = QStackedLayout()
        self._left.addWidget(resting)
        self._left.addWidget(learning)
        self.button = QPushButton()
        self.button.setMinimumWidth(18 * GRID)
        self.button.clicked.connect(
            lambda: self.stop.emit() if self._learning else self.learn.emit()
        )
        foot = QHBoxLayout()
        foot.setSpacing(2 * GRID)
        foot.addLayout(self._left, 1)
        foot.addWidget(self.button)
        return foot

    @property
    def base(self) -> Path | None:
        """The gate that goes on to learn; None is a new one."""
        found = self._base.currentData()
        return Path(found) if found else None

    @property
    def stage(self) -> str:
        """What a lesson does now."""
        return self._stage.text()

    def _changed(self) -> None:
        self.note("")
        self._dress()

    def _dress(self) -> None:
        """The button stands out when there is enough to learn from."""
        ready = not self._learning and not any(s.blocked for s in self.sides.values())
        self.button.setProperty("kind", "primary" if ready else "")
        style = self.button.style()
        if style is not None:
            style.polish(self.button)

    def choose_device(self, name: str) -> None:
        """Record from a device; empty is the gate's."""
        self.inputs.show_device(name)

    def show_gates(self, gates: Sequence[tuple[str, Path]]) -> None:
        """Offer the gates that may go on to learn: names and files."""
        before = self._base.currentData()
        self._base.clear()
        self._base.addItem(tr("Make a new gate"), "")
        for name, path in gates:
            self._base.addItem(tr("Go on with {name}", name=name), str(path))
        self._base.setCurrentIndex(max(0, self._base.findData(before)))

    def choose_base(self, path: Path | None) -> None:
        """Let a gate go on that is offered, or make a new one."""
        self._base.setCurrentIndex(max(0, self._base.findData(str(path) if path else "")))
        self.base_chosen.emit(self.base)

    def show_learning(self, on: bool) -> None:
        """Show a lesson that runs, or none."""
        self._learning = on
        self._left.setCurrentIndex(1 if on else 0)
        self._bar.setValue(0)
        self.button.setText(tr("&Stop") if on else tr("&Learn"))
        self._dress()

    def show_progress(self, share: float, stage: str) -> None:
        """Show how far a lesson is."""
        self._bar.setValue(round(STEPS * share))
        self._bar.setAccessibleName(tr("{n:.0f} % learned", n=100 * share))
        self._stage.setText(stage)

    def note(self, text: str, kind: str = "dim") -> None:
        """Say something above the button."""
        self._note.setText(text)
        self._note.setVisible(bool(text))
        if self._note.property("kind") != kind:
            self._note.setProperty("kind", kind)
            style = self._note.style()
            if style is not None:
                style.polish(self._note)
