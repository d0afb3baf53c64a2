"""`Bars`: the labels of a model with their scores: all of a few, the best of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from gui.i18n import tr
from gui.label_bar import NAME, LabelBar
from gui.theme import Theme

MOST_NAME: Final = 160  # pixels
ALL: Final = 24  # so many labels all have a bar; of more, the best do
BEST: Final = 16
STEP_S: Final = 0.05
SORT_S: Final = 1.0  # bars change their places no more often


class Bars(QWidget):
    """The bars of a model's labels: all of a few, the best of many.

    Args:
        theme: the colours.

    Signals:
        steered: as of `LabelBar`.
    """

    steered = pyqtSignal(str, float)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._labels: tuple[str, ...] = ()
        self._slow = np.zeros(0, np.float32)
        self._since_s = self._passed_s = 0.0
        self._rows: list[LabelBar] = []
        self._find = QLineEdit()
        self._find.setPlaceholderText(tr("Find a label"))
        self._find.setAccessibleName(tr("Find a label"))
        self._find.setClearButtonEnabled(True)
        self._find.hide()
        self._find.textChanged.connect(lambda _: self._sort())
        inside = QWidget()
        self._list = QVBoxLayout(inside)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self._list.addStretch(1)
        inside.setStyleSheet("background: transparent")
        area = QScrollArea()
        area.setStyleSheet("background: transparent")
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._find)
        layout.addWidget(area, 1)

    @property
    def rows(self) -> list[LabelBar]:
        """The bars that are there, from the top."""
        return list(self._rows)

    def set_labels(
        self,
        labels: Sequence[str],
        thresholds: Mapping[str, float],
        background: Sequence[str] = (),
    ) -> None:
        """Show a model's labels; the background ones stand at the end."""
        front = [x for x in labels if x not in background]
        self._labels = tuple(labels)
        self._order = [*front, *background]
        self._thresholds = dict(thresholds)
        self._background = frozenset(background)
        self._index = {label: i for i, label in enumerate(labels)}
        self._slow = np.zeros(len(labels), np.float32)
        self._find.clear()
        self._find.setVisible(len(labels) > ALL)
        count = len(labels) if len(labels) <= ALL else BEST
        while len(self._rows) > count:
            row = self._rows.pop()
            self._list.removeWidget(row)
            row.deleteLater()
        while len(self._rows) < count:
            row = LabelBar(self._theme)
            row.steered.connect(self.steered)
            self._list.insertWidget(len(self._rows), row, 100)
            self._rows.append(row)
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(x) for x in labels), default=NAME)
        for row in self._rows:
            row.widen_name(min(MOST_NAME, max(NAME, widest + 10)))
        self._sort()

    def set_thresholds(self, thresholds: Mapping[str, float]) -> None:
        """Move the marks."""
        self._thresholds = dict(thresholds)
        self._sort()

    def hear(self, scores: NDArray[np.float32], named: frozenset[str]) -> None:
        """Take the scores of a decision, float32 [labels]."""
        self._slow = np.maximum(scores, 0.97 * self._slow)
        for row in self._rows:
            if row.label:
                row.hear(float(scores[self._index[row.label]]), row.label in named)

    def advance(self, passed_s: float) -> None:
        """Move the bars."""
        self._since_s += passed_s
        self._passed_s += passed_s
        if self._passed_s < STEP_S:  # a bar need not move as often as the picture
            return
        passed_s, self._passed_s = self._passed_s, 0.0
        if len(self._labels) > ALL and self._since_s > SORT_S and not self._held():
            self._sort()
        for row in self._rows:
            row.advance(passed_s)

    def _held(self) -> bool:
        """Whether somebody is about to use a bar: then none changes its place."""
        return any(r.hasFocus() or r.underMouse() or r.isSliderDown() for r in self._rows)

    def _sort(self) -> None:
        """Give each row its label."""
        self._since_s = 0.0
        wanted = self._find.text().strip().lower()
        shown = [x for x in self._order if wanted in x.lower()] if wanted else self._order
        if len(self._labels) > ALL:
            shown = sorted(shown, key=lambda x: -float(self._slow[self._index[x]]))
        for row, label in zip(self._rows, shown, strict=False):
            quiet = label in self._background
            row.show_label(label, self._thresholds.get(label, 0.5), quiet)
            row.show()
        for row in self._rows[len(shown) :]:
            row.label = ""
            row.hide()
