"""`Knob`: a big round control with its value in the middle and what is measured around it.

It is a dial to Qt: arrows, page keys, Home and End work, and a screen reader reads its value.
Dragging goes up and down, with Shift finely; a double click brings the default back; digits or
Enter open a field to type in.
"""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QWheelEvent,
)
from PyQt6.QtWidgets import QDial, QLineEdit, QSizePolicy, QWidget

from gui.i18n import tr
from gui.knob_face import Face
from gui.quantity import Quantity
from gui.theme import Theme

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
        self._kept_for: Face | None = None
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
        face = self._face()
        if face != self._kept_for:
            self._kept_for, self._kept = face, face.draw(self._theme)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._kept)
        if self._live is not None and face.on:
            face.draw_live(painter, self._live)
        painter.end()

    def _face(self) -> Face:
        return Face(
            self.width(),
            self.height(),
            self.devicePixelRatioF(),
            (self.value() - self.minimum()) / max(1, self.maximum() - self.minimum()),
            self.quantity.text(self.current()),
            tr(self.quantity.title),
            self.isEnabled(),
            self._hover,
            self.hasFocus(),
            self._theme.colors,
        )
