"""`Face`: how a knob looks, drawn once for each state that it is in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QPainter, QPen, QPixmap

from gui.palette import Palette
from gui.theme import Theme

FROM_DEG, SWEEP_DEG = 225, -270  # Qt's angles: counter-clockwise from three o'clock
MARGIN = 15  # pixels for the ring around the track
RING = 8  # pixels from the track to the ring


@dataclass(frozen=True)
class Face:
    """A state of a knob.

    Args:
        width: pixels.
        height: likewise.
        ratio: device pixels in one of those.
        part: where it stands, 0 to 1.
        value: the same in words.
        title: what it sets.
        on: it can be turned.
        near: the pointer is over it.
        focus: it has the focus.
        colors: in force.
    """

    width: int
    height: int
    ratio: float
    part: float
    value: str
    title: str
    on: bool
    near: bool
    focus: bool
    colors: Palette

    def draw(self, theme: Theme) -> QPixmap:
        """Track, value, words."""
        found = QPixmap(round(self.width * self.ratio), round(self.height * self.ratio))
        found.setDevicePixelRatio(self.ratio)
        found.fill(Qt.GlobalColor.transparent)
        painter = QPainter(found)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        body, color = self._body(), self.colors.color
        painter.setPen(QPen(color("line"), 1))
        painter.setBrush(color("raised" if self.near and self.on else "surface"))
        painter.drawEllipse(body.adjusted(5, 5, -5, -5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _arc(painter, body, 1.0, QPen(color("line"), 6))
        _arc(painter, body, self.part, QPen(color("accent" if self.on else "faint"), 6))
        _arc(painter, self._ring(), 1.0, QPen(color("line", 0.6), 3))
        self._draw_pointer(painter, body)
        if self.focus:
            painter.setPen(QPen(color("accent"), 2))
            painter.drawEllipse(body.adjusted(9, 9, -9, -9))
        self._draw_words(painter, theme)
        painter.end()
        return found

    def draw_live(self, painter: QPainter, part: float) -> None:
        """What is measured, on the ring around the track."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _arc(painter, self._ring(), part, QPen(self.colors.color("score"), 3))

    def _box(self) -> QRectF:
        side = min(self.width, self.height)
        return QRectF((self.width - side) / 2, (self.height - side) / 2, side, side)

    def _body(self) -> QRectF:
        return self._box().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)

    def _ring(self) -> QRectF:
        return self._body().adjusted(-RING, -RING, RING, RING)

    def _draw_words(self, painter: QPainter, theme: Theme) -> None:
        box, middle = self._box(), Qt.AlignmentFlag.AlignCenter
        side = box.width()
        painter.setPen(self.colors.color("text" if self.on else "faint"))
        painter.setFont(theme.font(side * 0.15, bold=True))
        at = QRectF(box.left(), box.top() + side * 0.34, side, side * 0.26)
        painter.drawText(at, middle, self.value)
        painter.setPen(self.colors.color("dim" if self.on else "faint"))
        painter.setFont(theme.font(max(11.0, side * 0.095)))
        at = QRectF(box.left(), box.top() + side * 0.56, side, side * 0.16)
        painter.drawText(at, middle, self.title)

    def _draw_pointer(self, painter: QPainter, body: QRectF) -> None:
        angle = math.radians(FROM_DEG + SWEEP_DEG * self.part)
        radius, center = body.width() / 2, body.center()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.colors.color("text" if self.on else "faint"))
        x = center.x() + radius * math.cos(angle)
        y = center.y() - radius * math.sin(angle)
        painter.drawEllipse(QRectF(x - 5, y - 5, 10, 10))
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _arc(painter: QPainter, box: QRectF, part: float, pen: QPen) -> None:
    """From the left end to a part of the whole."""
    if part > 0:
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawArc(box, FROM_DEG * 16, round(SWEEP_DEG * part * 16))
