"""`Knob`: a big round control with its value in the middle and what is measured around it.

It is a dial to Qt: arrows, page keys, Home and End work, and a screen reader reads its value.
Dragging goes up and down, with Shift finely; a double click brings the default back; digits or
Enter open a field to type in.
"""

from __future__ import annotations

import math

from PyQt6.QtCore import QPoint, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QWheelEvent,
)
from PyQt6.QtWidgets import QDial, QLineEdit, QSizePolicy, QWidget

from gui.i18n import tr
from gui.quantity import Quantity
from gui.theme import Theme

FROM_DEG, SWEEP_DEG = 225, -270  # Qt's angles: counter-clockwise from three o'clock
DRAG_PX = 180  # from one end to the other
FINE = 0.2


class Knob(QDial):
    """The control.

    Args:
        quantity: what it sets.
        theme: colours.

    Signals:
        chosen: a person set it to this value.
    """

    chosen = pyqtSignal(float)

    def __init__(self, quantity: Quantity, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._live: float | None = None
        self._dragged: tuple[QPoint, float] | None = None
        self._hover = False
        self._quiet = False
        self._editor: QLineEdit | None = None
        self._kept = QPixmap()
        self._kept_for: tuple[object, ...] = ()  # what it shows
        self.default: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SizeVerCursor)
        self.valueChanged.connect(self._tell)
        self.measure(quantity)
        theme.changed.connect(self.update)

    def measure(self, quantity: Quantity) -> None:
        """Set something else from now on."""
        self.quantity = quantity
        self._quiet = True
        self.setRange(quantity.place(quantity.low), quantity.place(quantity.high))
        self.setSingleStep(1)
        self.setPageStep(max(1, quantity.steps // 10))
        self._quiet = False
        self.setAccessibleName(tr(quantity.title))
        self.setAccessibleDescription(tr(quantity.help))
        self.setToolTip(tr(quantity.help))
        self._live = None
        self._kept_for = ()
        self.update()

    def show_value(self, value: float) -> None:
        """Show what is in force, without `chosen`; not while a person turns it."""
        if self._dragged is None:
            self._quiet = True
            self.setValue(self.quantity.place(value))
            self._quiet = False

    def show_live(self, value: float | None) -> None:
        """Show what is measured, on the outer ring; None for nothing."""
        if value is not None:
            low, high = self.quantity.low, self.quantity.high
            value = round(50 * min(max((value - low) / (high - low), 0.0), 1.0)) / 50
        if value != self._live:
            self._live = value
            self.update()

    def current(self) -> float:
        """The value it shows."""
        return self.quantity.value(self.value())

    def sizeHint(self) -> QSize:
        """Big."""
        return QSize(136, 136)

    def minimumSizeHint(self) -> QSize:
        """Still readable."""
        return QSize(104, 104)

    # --- turning ------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Begin to turn."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._dragged = event.globalPosition().toPoint(), float(self.value())
            self.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Turn: up is more."""
        if event is None or self._dragged is None:
            return
        at, place = self._dragged
        now = event.globalPosition().toPoint()
        fine = FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
        place += (at.y() - now.y() + now.x() - at.x()) * fine * self.quantity.steps / DRAG_PX
        place = min(max(place, self.minimum()), self.maximum())
        self._dragged = now, place
        self.setValue(round(place))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Done."""
        self._dragged = None
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Back to the default."""
        if self.default is not None:
            self.setValue(self.quantity.place(self.default))

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """A notch is two steps, one with Shift; only if it has the focus: pages scroll."""
        if event is None or not self.hasFocus():
            if event is not None:
                event.ignore()
            return
        notches = event.angleDelta().y() / 120
        fine = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        self.setValue(self.value() + round(notches * (1 if fine else 2)))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrows turn; digits and Enter type."""
        if event is None:
            return
        text = event.text()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self._type(self.quantity.text(self.current()))
        elif text and text in "0123456789.,-−":
            self._type("")
            if self._editor is not None:
                self._editor.setText(text)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            if self.default is not None:
                self.setValue(self.quantity.place(self.default))
        else:
            super().keyPressEvent(event)

    def _type(self, text: str) -> None:
        """Open a field to type in."""
        editor = QLineEdit(text, self)
        editor.setAlignment(Qt.AlignmentFlag.AlignCenter)
        editor.setAccessibleName(self.accessibleName())
        height = 32
        editor.setGeometry(8, (self.height() - height) // 2, self.width() - 16, height)
        editor.selectAll()

        def done() -> None:
            if self._editor is not editor:
                return
            self._editor = None
            found = self.quantity.read(editor.text())
            editor.deleteLater()
            if found is not None:
                self.setValue(self.quantity.place(found))

        editor.returnPressed.connect(self.setFocus)
        editor.editingFinished.connect(done)
        self._editor = editor
        editor.show()
        editor.setFocus()

    def _tell(self, place: int) -> None:
        self.update()
        if not self._quiet:
            self.chosen.emit(self.quantity.value(place))

    # --- looks --------------------------------------------------------------------------------

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """Show that it can be turned."""
        self._hover = True
        self.update()

    def leaveEvent(self, event: object) -> None:
        """No more."""
        self._hover = False
        self.update()

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Show the focus."""
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The knob as it stands, kept; and what is measured around it."""
        on = self.isEnabled()
        state = (
            self.value(),
            on,
            self._hover,
            self.hasFocus(),
            self.size(),
            self._theme.colors,
        )
        if state != self._kept_for:
            self._kept_for, self._kept = state, self._picture()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._kept)
        if self._live is not None and on:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            ring = self._body().adjusted(-8, -8, 8, 8)
            _arc(painter, ring, 0.0, self._live, QPen(self._theme.color("score"), 3))
        painter.end()

    def _body(self) -> QRectF:
        side = min(self.width(), self.height())
        box = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        return box.adjusted(15, 15, -15, -15)

    def _picture(self) -> QPixmap:
        """Track, value, words."""
        theme, on, ratio = self._theme, self.isEnabled(), self.devicePixelRatioF()
        found = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        found.setDevicePixelRatio(ratio)
        found.fill(Qt.GlobalColor.transparent)
        painter = QPainter(found)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        part = (self.value() - self.minimum()) / max(1, self.maximum() - self.minimum())
        body = self._body()
        painter.setPen(QPen(theme.color("line"), 1))
        painter.setBrush(theme.color("raised" if self._hover and on else "surface"))
        painter.drawEllipse(body.adjusted(5, 5, -5, -5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _arc(painter, body, 0.0, 1.0, QPen(theme.color("line"), 6))
        _arc(painter, body, 0.0, part, QPen(theme.color("accent" if on else "faint"), 6))
        ring = body.adjusted(-8, -8, 8, 8)
        _arc(painter, ring, 0.0, 1.0, QPen(theme.color("line", 0.6), 3))
        self._paint_pointer(painter, body, part)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.drawEllipse(body.adjusted(9, 9, -9, -9))
        self._paint_words(painter, body.adjusted(-15, -15, 15, 15))
        painter.end()
        return found

    def _paint_words(self, painter: QPainter, box: QRectF) -> None:
        theme, on, side = self._theme, self.isEnabled(), box.width()
        painter.setPen(theme.color("text" if on else "faint"))
        painter.setFont(theme.font(side * 0.15, bold=True))
        middle = QRectF(box.left(), box.top() + side * 0.34, side, side * 0.26)
        painter.drawText(
            middle, Qt.AlignmentFlag.AlignCenter, self.quantity.text(self.current())
        )
        painter.setPen(theme.color("dim" if on else "faint"))
        painter.setFont(theme.font(max(11.0, side * 0.095)))
        under = QRectF(box.left(), box.top() + side * 0.56, side, side * 0.16)
        painter.drawText(under, Qt.AlignmentFlag.AlignCenter, tr(self.quantity.title))

    def _paint_pointer(self, painter: QPainter, body: QRectF, part: float) -> None:
        angle = math.radians(FROM_DEG + SWEEP_DEG * part)
        radius, center = body.width() / 2, body.center()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color("text" if self.isEnabled() else "faint"))
        x = center.x() + radius * math.cos(angle)
        y = center.y() - radius * math.sin(angle)
        painter.drawEllipse(QRectF(x - 5, y - 5, 10, 10))
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _arc(painter: QPainter, box: QRectF, begin: float, end: float, pen: QPen) -> None:
    if end <= begin:
        return
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    start = FROM_DEG + SWEEP_DEG * begin
    painter.drawArc(box, round(start * 16), round(SWEEP_DEG * (end - begin) * 16))
