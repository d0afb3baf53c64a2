"""`TakeList`: the recordings of a side under each other, the newest on top."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from gui.theme import GRID

LEAST: int = 72  # pixels


class TakeList(QScrollArea):
    """Scrolls up and down only."""

    def __init__(self) -> None:
        super().__init__()
        inside = QWidget()
        inside.setStyleSheet("background: transparent")
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, GRID // 2, 0)
        self._column.setSpacing(GRID // 2)
        self._column.addStretch(1)
        self.setStyleSheet("background: transparent")
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumHeight(LEAST)

    def put(self, row: QWidget) -> None:
        """Show a row on top."""
        self._column.insertWidget(0, row)

    def drop(self, row: QWidget) -> None:
        """Take a row out; it is gone then."""
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()
