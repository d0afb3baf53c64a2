"""`GateBody`: where things are on the gate page; it scrolls where there is too little room."""

from __future__ import annotations

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from gui.knob import Knob
from gui.more import More

NARROW, FLAT = 860, 520  # pixels: under one of them it is small


class GateBody(QScrollArea):
    """Choices above, the picture between meters, knobs and words, and what is folded away.

    Args:
        chooser: of devices and model.
        presets: beside it.
        picture: a meter, the scope, a meter.
        knobs: under it.
        words: beside those.
        more: what is folded away; its button is above.
    """

    def __init__(
        self,
        chooser: QWidget,
        presets: QWidget,
        picture: tuple[QWidget, QWidget, QWidget],
        knobs: tuple[Knob, ...],
        words: tuple[QWidget, ...],
        more: More,
    ) -> None:
        super().__init__()
        self._scope, self._knobs, self._more = picture[1], knobs, more
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(chooser, 1)
        for button in (presets, more.toggle):
            head.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        middle = QHBoxLayout()
        middle.setSpacing(8)
        for part, stretch in zip(picture, (0, 1, 0), strict=True):
            middle.addWidget(part, stretch)
        low = QHBoxLayout()
        low.setSpacing(12)
        for knob in knobs:
            low.addWidget(knob)
        low.addStretch(1)
        for part in words:
            low.addWidget(part, 3)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.addLayout(head)
        self._column.addLayout(middle, 1)
        self._column.addLayout(low)
        self._column.addWidget(more)
        self.setWidgetResizable(True)
        self.setWidget(inner)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        more.folded.connect(self._reveal)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Smaller knobs and margins where there is little room."""
        small = self.height() < FLAT or self.width() < NARROW
        side = 108 if small else 144
        self._scope.setMinimumHeight(150 if small else 220)
        for knob in self._knobs:
            knob.setFixedSize(side, side)
        self._column.setSpacing(6 if small else 12)
        self._column.setContentsMargins(*((12, 6, 12, 6) if small else (16, 10, 16, 12)))
        super().resizeEvent(event)

    def _reveal(self, folded: bool) -> None:
        if not folded:
            QTimer.singleShot(0, lambda: self.ensureWidgetVisible(self._more))
