"""Small pictures on buttons, drawn: they have the colours of the theme, and any size."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

SIZE = 64  # pixels of the picture; a button scales it down


def glyph(name: str, color: QColor) -> QIcon:
    """A picture: "play", "stop", "record", "file", "close", "check"."""
    picture = QPixmap(SIZE, SIZE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(SIZE, SIZE)
    draw(painter, name, color)
    painter.end()
    return QIcon(picture)


def draw(painter: QPainter, name: str, color: QColor) -> None:
    """Draw a picture into the square from 0 to 1."""
    pen = QPen(color, 0.1, cap=Qt.PenCapStyle.RoundCap, join=Qt.PenJoinStyle.RoundJoin)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    path = QPainterPath()
    if name == "play":
        path.moveTo(0.28, 0.18)
        path.lineTo(0.82, 0.5)
        path.lineTo(0.28, 0.82)
        path.closeSubpath()
    elif name == "stop":
        path.addRoundedRect(QRectF(0.24, 0.24, 0.52, 0.52), 0.06, 0.06)
    elif name == "record":
        path.addEllipse(QPointF(0.5, 0.5), 0.3, 0.3)
    else:
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for stroke in STROKES[name]:
            path.moveTo(*stroke[0])
            for point in stroke[1:]:
                path.lineTo(*point)
    painter.drawPath(path)


STROKES = {
    "close": (((0.28, 0.28), (0.72, 0.72)), ((0.72, 0.28), (0.28, 0.72))),
    "check": (((0.2, 0.52), (0.42, 0.74), (0.8, 0.28)),),
    "file": (
        ((0.16, 0.78), (0.16, 0.26), (0.4, 0.26), (0.48, 0.36), (0.84, 0.36), (0.84, 0.78)),
        ((0.84, 0.78), (0.16, 0.78)),
    ),
}
