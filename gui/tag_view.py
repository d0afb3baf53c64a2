"""`TagView`: what is to be seen on the tag page, without what it does."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from gui.bars import Bars
from gui.event_list import EventList
from gui.glyphs import glyph
from gui.i18n import tr
from gui.input_choice import InputChoice
from gui.model_choice import ModelChoice
from gui.spectrogram import Spectrogram
from gui.theme import GRID, Theme


class TagView(QWidget):
    """Choices above, bars on the left, spectrogram and events on the right.

    Args:
        theme: the colours.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.models, self.inputs = ModelChoice(), InputChoice()
        self.button = QPushButton()
        self.button.setProperty("kind", "primary")
        self.button.setMinimumWidth(12 * GRID)
        self._notice = QLabel()
        self._notice.setAccessibleName(tr("What the tag page does"))
        self.bars, self.picture, self.list = Bars(theme), Spectrogram(theme), EventList(theme)
        self.on = QCheckBox(tr("Listen on &other pages, too"))
        self.on.setToolTip(tr("Otherwise it rests while this page is not to be seen."))
        self.save, self.clear = QPushButton(tr("&Save …")), QPushButton(tr("&Clear"))
        self.save.setAccessibleName(tr("Save the events as a table"))
        self.clear.setAccessibleName(tr("Clear the events"))
        layout = QVBoxLayout(self)
        layout.setSpacing(GRID)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._head())
        layout.addWidget(self._notice)
        layout.addWidget(self._middle(), 1)
        self._listens = False
        self.show_listening(False)
        self.note("")
        theme.changed.connect(lambda: self.show_listening(self._listens))

    def show_listening(self, on: bool) -> None:
        """Say on the button what it does."""
        self._listens = on
        self.button.setText(tr("S&top") if on else tr("&Listen"))
        self.button.setIcon(glyph("stop" if on else "record", self._theme.color("on_accent")))

    def note(self, text: str, kind: str = "dim") -> None:
        """Say something over the picture; kind "warn" wants attention."""
        self._notice.setText(text)
        if self._notice.property("kind") != kind:
            self._notice.setProperty("kind", kind)
            style = self._notice.style()
            if style is not None:
                style.polish(self._notice)

    @property
    def noted(self) -> str:
        """What was said last."""
        return self._notice.text()

    def _head(self) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(GRID)
        for text, choice in ((tr("&Model"), self.models), (tr("&Input"), self.inputs)):
            label = QLabel(text)
            label.setProperty("kind", "dim")
            label.setBuddy(choice)
            head.addWidget(label)
            head.addWidget(choice, 1)
        head.addWidget(self.button)
        return head

    def _middle(self) -> QSplitter:
        foot = QHBoxLayout()
        foot.setSpacing(GRID)
        foot.addWidget(self.on)
        foot.addStretch()
        for button in (self.save, self.clear):
            button.setProperty("kind", "quiet")
            foot.addWidget(button)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.picture, 3)
        column.addWidget(self.list, 2)
        column.addLayout(foot)
        card = QFrame()
        card.setProperty("kind", "card")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(GRID // 2, GRID, GRID // 2, GRID)
        inside.addWidget(self.bars)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(GRID)
        split.addWidget(card)
        split.addWidget(right)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 5)
        split.setSizes([300, 700])
        return split
