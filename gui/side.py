"""`Side`: the pages' names at the window's left edge."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF
from PyQt6.QtWidgets import QButtonGroup, QFrame, QToolButton, QVBoxLayout, QWidget

from gui.theme import Theme

WIDTH = 76
ICON = 26


class Side(QFrame):
    """The bar of pages.

    Args:
        theme: colours.

    Signals:
        asked: a page's name.
    """

    asked = pyqtSignal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("kind", "side")
        self.setFixedWidth(WIDTH)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4, 8, 4, 8)
        self._column.setSpacing(6)
        self._column.addStretch(1)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        theme.changed.connect(self._paint)

    def add(self, name: str, title: str, last: bool = False) -> None:
        """Add a page; `last` puts it at the foot."""
        button = QToolButton()
        button.setText(title)
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(ICON, ICON))
        button.setFixedSize(WIDTH - 9, 62)
        button.setAccessibleName(title)
        number = len(self.buttons) + 1
        button.setShortcut(f"Ctrl+{number}")
        button.setToolTip(f"{title}  (Ctrl+{number})")
        button.clicked.connect(lambda: self.asked.emit(name))
        self._group.addButton(button)
        at = self._column.count() if last else self._column.count() - 1
        self._column.insertWidget(at, button)
        self.buttons[name] = button
        self._paint()

    def select(self, name: str) -> None:
        """Show which page is there."""
        self.buttons[name].setChecked(True)

    def _paint(self) -> None:
        for name, button in self.buttons.items():
            found = QIcon()
            off, on = QIcon.State.Off, QIcon.State.On
            found.addPixmap(picture(name, self._theme.color("dim")), state=off)
            found.addPixmap(picture(name, self._theme.color("accent")), state=on)
            button.setIcon(found)


def picture(name: str, color: QColor) -> QPixmap:
    """A page's icon, drawn on a grid of 24."""
    side = 4 * ICON
    found = QPixmap(side, side)
    found.fill(Qt.GlobalColor.transparent)
    painter = QPainter(found)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(side / 24, side / 24)
    pen = QPen(color, 2, cap=Qt.PenCapStyle.RoundCap, join=Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    if name == "gate":  # sound that comes through
        for x, half in ((3, 1), (7, 1), (11, 7), (15, 9), (19, 5)):
            painter.drawLine(QPointF(x + 1, 12 - half), QPointF(x + 1, 12 + half))
    elif name == "tag":  # a label
        corners = ((3, 3), (12, 3), (21, 12), (12, 21), (3, 12))
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
        painter.drawEllipse(QPointF(8, 8), 1, 1)
    elif name == "teach":  # a cap
        painter.drawPolygon(
            QPolygonF([QPointF(*p) for p in ((12, 4), (22, 9), (12, 14), (2, 9))])
        )
        path = QPainterPath(QPointF(6, 11.5))
        path.lineTo(6, 16)
        path.cubicTo(9, 19.5, 15, 19.5, 18, 16)
        path.lineTo(18, 11.5)
        painter.drawPath(path)
        painter.drawLine(QPointF(22, 9), QPointF(22, 15))
    else:  # sliders
        for y, x in ((6, 15), (12, 8), (18, 17)):
            painter.drawLine(QPointF(3, y), QPointF(21, y))
            painter.setBrush(color)
            painter.drawEllipse(QRectF(x - 2.5, y - 2.5, 5, 5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.end()
    return found
