"""`Compare`: what came of a lesson: seen, heard, in figures; and keeping it."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui.i18n import tr
from gui.keeping import gate_path
from gui.lanes import Lane, Lanes
from gui.player import Player
from gui.theme import GRID, Theme
from gui.trial import Outcome
from gui.verdict import columns, figures, verdict

FORBIDDEN: Final = '/\\:*?"<>|'


class Compare(QWidget):
    """The outcome of a lesson.

    Args:
        theme: the colours.
        player: what plays.

    Signals:
        keep: under this name.
        back: to the recordings.
        use: the gate that was kept.
    """

    keep = pyqtSignal(str)
    back = pyqtSignal()
    use = pyqtSignal()

    def __init__(self, theme: Theme, player: Player) -> None:
        super().__init__()
        self.outcome: Outcome | None = None
        self.lanes = Lanes(theme, player)
        self._head, self._text = QLabel(), QLabel()
        self._head.setProperty("kind", "title")
        self._text.setProperty("kind", "dim")
        self._text.setWordWrap(True)
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(2 * GRID)
        self._table.setVerticalSpacing(1)
        card = QFrame()
        card.setProperty("kind", "card")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        inside.setSpacing(GRID // 2)
        inside.addWidget(self._head)
        inside.addWidget(self._text)
        inside.addLayout(self._table)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(card)
        column.addWidget(self.lanes, 1)
        area = QScrollArea()
        area.setWidget(body)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addWidget(area, 1)
        layout.addLayout(self._foot())

    def _foot(self) -> QHBoxLayout:
        back = QPushButton(tr("Bac&k"))
        back.setAccessibleName(tr("Back to the recordings"))
        back.clicked.connect(self.back)
        label = QLabel(tr("&Name"))
        self.name = QLineEdit()
        self.name.setAccessibleName(tr("Name of the gate"))
        self.name.setMaxLength(40)
        self.name.setMaximumWidth(30 * GRID)
        self.name.textChanged.connect(self._check)
        self.name.returnPressed.connect(self._keep)
        label.setBuddy(self.name)
        self._said = QLabel()
        self._said.setProperty("kind", "dim")
        self.keep_button = QPushButton(tr("&Keep"))
        self.keep_button.setProperty("kind", "primary")
        self.keep_button.clicked.connect(self._keep)
        self.use_button = QPushButton(tr("&Use it now"))
        self.use_button.setProperty("kind", "primary")
        self.use_button.clicked.connect(self.use)
        foot = QHBoxLayout()
        foot.setSpacing(GRID)
        foot.addWidget(back)
        foot.addWidget(self.lanes.play_button)
        foot.addStretch()
        foot.addWidget(self._said)
        foot.addWidget(label)
        foot.addWidget(self.name)
        foot.addWidget(self.keep_button)
        foot.addWidget(self.use_button)
        self._label = label
        return foot

    def show_outcome(self, outcome: Outcome, name: str) -> None:
        """Show what came of a lesson, and propose a name."""
        self.outcome = outcome
        head, text, good = verdict(outcome.report)
        self.keep_button.setProperty("kind", "primary" if good else "")
        style = self.keep_button.style()
        if style is not None:
            style.polish(self.keep_button)
        self._head.setText(head)
        self._text.setText(text)
        self._head.setToolTip(outcome.report["advice"])
        self._fill(outcome)
        names = {
            "before": tr("Gate before"),
            "learned": tr("Your gate") if outcome.task.base is None else tr("Gate now"),
            "level": tr("Level gate"),
        }
        trials = sorted(outcome.trials, key=lambda t: list(names).index(t.gate))
        lanes = [Lane(tr("Without gate"), outcome.audio, ())]
        lanes += [Lane(names[t.gate], t.audio, t.spans) for t in trials]
        self.lanes.show_lanes(lanes, outcome.rate, outcome.wanted)
        self.lanes.hear(1 + [t.gate for t in trials].index("learned"))
        self.name.setText(name)
        self.show_kept("")
        self.name.selectAll()

    def show_kept(self, name: str) -> None:
        """It was kept under a name; "" is not yet."""
        self._said.setText(tr("Kept as {name}.", name=name) if name else "")
        for widget in (self._label, self.name, self.keep_button):
            widget.setVisible(not name)
        self.use_button.setVisible(bool(name))
        if name:
            self.use_button.setFocus()

    def _fill(self, outcome: Outcome) -> None:
        """The table of figures."""
        while (item := self._table.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for column, (who, what) in enumerate(columns(outcome.report), 1):
            for row, text in enumerate((who, what)):
                self._cell(text, row, column, "caption" if row else "")
        for row, (what, cells) in enumerate(figures(outcome.report), 2):
            self._cell(what, row, 0, "dim")
            for column, (text, better) in enumerate(cells, 1):
                self._cell(text, row, column, "better" if better else "")
        self._table.setColumnStretch(0, 1)

    def _cell(self, text: str, row: int, column: int, kind: str) -> None:
        label = QLabel(text)
        if kind == "better":
            label.setStyleSheet("font-weight: 600")
        elif kind:
            label.setProperty("kind", kind)
        side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
        self._table.addWidget(label, row, column, side)

    def _check(self) -> None:
        name = self.name.text().strip()
        there = bool(name) and gate_path(name).exists()
        self.keep_button.setText(tr("&Replace") if there else tr("&Keep"))
        self.keep_button.setEnabled(is_name(name))
        self.keep_button.setToolTip(
            tr("There is a gate of this name; it is replaced.") if there else ""
        )

    def _keep(self) -> None:
        if is_name(self.name.text().strip()):
            self.keep.emit(self.name.text().strip())


def is_name(name: str) -> bool:
    """Whether a gate can be called so, and its file."""
    return bool(name) and not name.startswith(".") and not set(name) & set(FORBIDDEN)
