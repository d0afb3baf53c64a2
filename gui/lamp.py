"""`LampLabel`: the gate's state as shape, colour and word; and as an icon for the tray."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPen, QPixmap
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.palette import DARK, Palette
from gui.status import Lamp, Status
from gui.theme import Theme


def draw(painter: QPainter, box: QRectF, lamp: Lamp, colors: Palette) -> None:
    """Draw a state: full disc, ring, arrow, crossed ring, dotted ring."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    names = {"open": "accent", "closed": "dim", "bypass": "bypass", "mute": "mute"}
    color = colors.color(names.get(lamp, "faint"))
    width = box.width() * 0.13
    ring = box.adjusted(width / 2, width / 2, -width / 2, -width / 2)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    if lamp in ("waiting", "starting", "none"):
        pen.setStyle(Qt.PenStyle.DotLine)
    painter.setPen(pen)
    if lamp == "open":
        painter.setBrush(color)
    painter.drawEllipse(ring)
    if lamp == "mute":
        inset = box.width() * 0.2
        cross = box.adjusted(inset, inset, -inset, -inset)
        painter.drawLine(cross.topLeft(), cross.bottomRight())
    if lamp == "bypass":
        _draw_arrow(painter, box, color, width)


def _draw_arrow(painter: QPainter, box: QRectF, color: QColor, width: float) -> None:
    """Straight through."""
    y, size = box.center().y(), box.width()
    tip = QPointF(box.left() + size * 0.72, y)
    painter.setPen(QPen(color, width, cap=Qt.PenCapStyle.RoundCap))
    painter.drawLine(QPointF(box.left() + size * 0.28, y), tip)
    painter.drawLine(tip, QPointF(tip.x() - size * 0.18, y - size * 0.18))
    painter.drawLine(tip, QPointF(tip.x() - size * 0.18, y + size * 0.18))


def icon(lamp: Lamp, colors: Palette = DARK) -> QIcon:
    """The state for a tray: on a dark disc, so that it shows on any ground."""
    found = QIcon()
    for side in (22, 32, 64):
        picture = QPixmap(side, side)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.color("back"))
        painter.drawEllipse(QRectF(0, 0, side, side))
        inset = side * 0.18
        draw(
            painter,
            QRectF(0, 0, side, side).adjusted(inset, inset, -inset, -inset),
            lamp,
            colors,
        )
        painter.end()
        found.addPixmap(picture)
    return found


class LampLabel(QWidget):
    """The state in the window's bar.

    Args:
        status: what to show.
        theme: colours.
    """

    def __init__(self, status: Status, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._status, self._theme = status, theme
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        status.changed.connect(self._follow)
        theme.changed.connect(self.update)
        self._follow()

    def sizeHint(self) -> QSize:
        """Room for the longest word."""
        return QSize(124, 36)

    def _follow(self) -> None:
        self.setAccessibleName(self._status.word())
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Shape and word."""
        painter = QPainter(self)
        side = 22
        box = QRectF(2, (self.height() - side) / 2, side, side)
        draw(painter, box, self._status.lamp, self._theme.colors)
        painter.setPen(self._theme.color("text"))
        painter.setFont(self._theme.font(16, bold=True))
        words = QRectF(side + 12, 0, self.width() - side - 12, self.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self._status.word())
        painter.end()
