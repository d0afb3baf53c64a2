"""`Scope`: the last ten seconds, with the threshold as a line that can be dragged.

Above: the sound's level, bright where it passes, and a curtain for what is taken away. Between
the lanes a bar where the gate was open. Below: the model's score and the threshold.
To Qt it is a slider of the threshold: arrows move it, a screen reader reads it.
"""

from __future__ import annotations

import time

from PyQt6.QtCore import QPointF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from gui.i18n import tr
from gui.overlay import FOOT, GUTTER, Overlay
from gui.quantity import THRESHOLD, THRESHOLD_DB, Quantity
from gui.strip import Strip
from gui.theme import Theme
from gui.trace import Trace

NEAR_PX = 14  # from the line, to take hold of it
BEHIND_S = 0.05  # what is shown is that old, so that it can move evenly
STALE_S = 0.4  # without news the picture stands


class Scope(QAbstractSlider):
    """The scope.

    Args:
        trace: what it shows.
        theme: colours.

    Signals:
        chosen: a person moved the threshold here.
    """

    chosen = pyqtSignal(float)

    def __init__(self, trace: Trace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._trace = trace
        self._strip = Strip(trace, theme)
        self._overlay = Overlay(self._strip, theme)
        self._t = 0.0
        self._ahead: float | None = None  # gate's seconds minus ours
        self._seen = (-1, 0.0)  # newest bin, and when it came
        self._held = self._near = self._quiet = False
        self.quantity: Quantity = THRESHOLD
        self.close_under: float | None = None
        self.veil = ""
        self.setOrientation(Qt.Orientation.Vertical)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.valueChanged.connect(self._tell)
        theme.changed.connect(self._restyle)
        self.measure(THRESHOLD)

    def measure(self, quantity: Quantity) -> None:
        """Set a score's threshold, or a level's."""
        self.quantity = quantity
        self._quiet = True
        self.setRange(quantity.place(quantity.low), quantity.place(quantity.high))
        self.setPageStep(max(1, quantity.steps // 10))
        self._quiet = False
        self.setAccessibleName(tr("Scope: threshold"))
        self.setAccessibleDescription(
            tr("The last ten seconds of level, score and gain. Up and down move the threshold.")
        )
        self._lay_out()

    def show_value(self, value: float, close_under: float | None = None) -> None:
        """Show the threshold in force, and where the gate closes; not while it is held."""
        if not self._held:
            self._quiet = True
            self.setValue(self.quantity.place(value))
            self._quiet = False
        self.close_under = close_under

    def show_veil(self, text: str) -> None:
        """Lay a word over the picture: bypassed, muted; empty for none."""
        if text != self.veil:
            self.veil = text
            self.update()

    def advance(self) -> None:
        """Go on to what is new; draws only if there is something."""
        now = time.monotonic()
        if self._trace.newest != self._seen[0]:
            back = self._trace.newest < self._seen[0]
            self._seen = self._trace.newest, now
            ahead = self._trace.t - now
            if back or self._ahead is None or abs(ahead - self._ahead) > 0.25:
                self._ahead = ahead
                if back:
                    self._strip.repaint()
            else:
                self._ahead += 0.05 * (ahead - self._ahead)
        if self._ahead is None or now - self._seen[1] > STALE_S:
            return
        t = min(now + self._ahead - BEHIND_S, self._trace.t)
        if t > self._t or self._t - t > 0.5:
            self._t = t
            self.update(0, 0, self._strip.width, self._strip.height)

    def jump(self) -> None:
        """Show everything up to the newest, now."""
        self._t = self._trace.t
        self._strip.repaint()
        self.update()

    def sizeHint(self) -> QSize:
        """As much as there is."""
        return QSize(640, 260)

    def minimumSizeHint(self) -> QSize:
        """Still of use."""
        return QSize(240, 150)

    # --- the threshold's line -----------------------------------------------------------------

    def _y_of(self, value: float) -> float:
        strip = self._strip
        return strip.level_y(value) if strip.by_level else strip.score_y(value)

    def _value_at(self, y: float) -> float:
        strip = self._strip
        found = strip.level_at(y) if strip.by_level else strip.score_at(y)
        return min(max(found, self.quantity.low), self.quantity.high)

    def current(self) -> float:
        """The threshold it shows."""
        return self.quantity.value(self.value())

    def _is_near(self, at: QPointF) -> bool:
        return abs(at.y() - self._y_of(self.current())) <= NEAR_PX

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the line, or bring it here by its gutter."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        at = event.position()
        if self._is_near(at) or at.x() > self._strip.width:
            self._held = True
            self.setValue(self.quantity.place(self._value_at(at.y())))
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Drag the line."""
        if event is None:
            return
        if self._held:
            self.setValue(self.quantity.place(self._value_at(event.position().y())))
            return
        near = self._is_near(event.position())
        if near != self._near:
            self._near = near
            shape = Qt.CursorShape.SizeVerCursor if near else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let go."""
        self._held = False
        self.update()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """The page scrolls; the line is dragged."""
        if event is not None:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Up, down, page up, page down, Home, End; left and right are the page's."""
        if event is not None and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            event.ignore()
            return
        super().keyPressEvent(event)

    def _tell(self, place: int) -> None:
        value = self.quantity.value(place)
        self._strip.threshold = value
        self._strip.repaint()
        self.update()
        if not self._quiet:
            self.chosen.emit(value)

    # --- looks --------------------------------------------------------------------------------

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Show the focus."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """No more."""
        super().focusOutEvent(event)
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Take the new size."""
        self._lay_out()

    def _restyle(self) -> None:
        # so Qt paints nothing under it; each time, as styles take it from a slider
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._strip.repaint()
        self._overlay.lay_out(self.devicePixelRatioF())
        self.update()

    def _lay_out(self) -> None:
        # multiples of 4 are whole device pixels at 125, 150 and 175 %, too
        self._strip.lay_out(
            (self.width() - GUTTER) // 4 * 4,
            (self.height() - FOOT) // 4 * 4,
            self.devicePixelRatioF(),
            self.quantity is THRESHOLD_DB,
        )
        self._strip.threshold = self.current()
        self._restyle()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The picture, then what lies over it; what is around it not in every frame."""
        strip, over, value = self._strip, self._overlay, self.current()
        painter = QPainter(self)
        around = event is None or event.rect().right() >= strip.width
        strong = self._held or self._near or self.hasFocus()
        y = round(self._y_of(value))
        if around:
            over.paint_scales(painter, value)
        strip.show(painter, self._t)
        over.paint_names(painter)
        over.paint_flags(painter, reversed(self._trace.marks), self._t)
        if self.veil:
            over.paint_veil(painter, self.veil)
        if self.close_under is not None:
            over.paint_close(painter, round(self._y_of(self.close_under)))
        over.paint_threshold(painter, y, strong)
        if around:
            over.paint_tag(painter, y, self.quantity.text(value), strong)
        if self.hasFocus():
            over.paint_focus(painter)
        painter.end()
