"""`Scope`: the last ten seconds, with the threshold as a line that can be dragged.

Above: the sound's level, bright where it passes, and a curtain for what is taken away. Between
the lanes a bar where the gate was open. Below: the model's score and the threshold.
To Qt it is a slider of the threshold: arrows move it, a screen reader reads it.
"""

from __future__ import annotations

import math
import time

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from gui.i18n import tr
from gui.quantity import THRESHOLD, THRESHOLD_DB, Quantity
from gui.strip import GAP, GRID_DB, Strip
from gui.theme import Theme
from gui.trace import SPAN_S, Trace

GUTTER = 58  # pixels on the right, where the threshold is held
FOOT = 18  # pixels under the plot, for seconds
FLAG = 7  # pixels, the width of an opening's flag
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
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
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
        self._strip.repaint()
        self._flag = self._make_flag()
        self._names = self._name(tr("Level, and what is taken away")), self._name(tr("Score"))
        self.update()

    def _lay_out(self) -> None:
        self._strip.lay_out(
            self.width() - GUTTER,
            self.height() - FOOT,
            self.devicePixelRatioF(),
            self.quantity is THRESHOLD_DB,
        )
        self._strip.threshold = self.current()
        self._restyle()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The picture, then what lies over it."""
        theme, strip = self._theme, self._strip
        painter = QPainter(self)
        around = event is None or event.rect().right() >= strip.width
        if around:  # not in every frame
            back = theme.color("back")
            painter.fillRect(strip.width, 0, GUTTER, self.height(), back)
            painter.fillRect(0, strip.height, strip.width, self.height() - strip.height, back)
            self._paint_scales(painter)
        strip.show(painter, self._t)
        self._paint_names(painter)
        self._paint_marks(painter)
        if self.veil:
            self._paint_veil(painter)
        self._paint_threshold(painter)
        if around:
            self._paint_tag(painter)
        if self.hasFocus():
            width, height, ring = strip.width, strip.height, theme.color("accent")
            painter.fillRect(0, 0, width, 2, ring)
            painter.fillRect(0, height - 2, width, 2, ring)
            painter.fillRect(0, 0, 2, height, ring)
            painter.fillRect(width - 2, 0, 2, height, ring)
        painter.end()

    def _paint_scales(self, painter: QPainter) -> None:
        strip = self._strip
        painter.setFont(self._theme.font(11))
        painter.setPen(self._theme.color("dim"))
        right = strip.width + 6
        middle = Qt.AlignmentFlag.AlignVCenter
        for db in GRID_DB[::2] if strip.level_lane.height() < 160 else GRID_DB:
            if strip.by_level and abs(self._y_of(self.current()) - strip.level_y(db)) < 18:
                continue
            box = QRectF(right, strip.level_y(db) - 8, GUTTER - 8, 16)
            painter.drawText(box, middle, f"{db:.0f}".replace("-", "−"))
        foot = QRectF(0, strip.height + 2, strip.width, FOOT - 2)
        for seconds in (10, 8, 6, 4, 2):
            x = strip.width * (1 - seconds / SPAN_S)
            box = QRectF(x if seconds == 10 else x - 30, foot.top(), 60, foot.height())
            side = (
                Qt.AlignmentFlag.AlignLeft if seconds == 10 else Qt.AlignmentFlag.AlignHCenter
            )
            painter.drawText(box, side, f"−{seconds} s")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, tr("now"))

    def _paint_names(self, painter: QPainter) -> None:
        """What the lanes show."""
        strip = self._strip
        if strip.width > 420:
            painter.drawPixmap(4, 4, self._names[0])
            if not strip.by_level:
                painter.drawPixmap(4, round(strip.score_lane.top()) + 4, self._names[1])

    def _name(self, text: str) -> QPixmap:
        """A lane's name on a ground of its own."""
        font, ratio = self._theme.font(11), self.devicePixelRatioF()
        width = QFontMetrics(font).horizontalAdvance(text) + 10
        found = QPixmap(round(width * ratio), round(17 * ratio))
        found.setDevicePixelRatio(ratio)
        found.fill(self._theme.color("sunken"))
        painter = QPainter(found)
        painter.setFont(font)
        painter.setPen(self._theme.color("dim"))
        painter.drawText(QRectF(0, 0, width, 17), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()
        return found

    def _paint_marks(self, painter: QPainter) -> None:
        """A small flag where the gate opened."""
        strip = self._strip
        top = round(strip.level_lane.bottom()) - (GAP if strip.by_level else 0)
        for t in reversed(self._trace.marks):
            if t < self._t - SPAN_S:
                break
            x = round(strip.x_of(t, self._t))
            if x < strip.width - FLAG:
                painter.drawPixmap(x, top, self._flag)

    def _make_flag(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        found = QPixmap(round(FLAG * ratio), round(GAP * ratio))
        found.setDevicePixelRatio(ratio)
        found.fill(Qt.GlobalColor.transparent)
        painter = QPainter(found)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color("text"))
        corners = [QPointF(0, 0), QPointF(FLAG, GAP / 2), QPointF(0, GAP)]
        painter.drawPolygon(QPolygonF(corners))
        painter.end()
        return found

    def _paint_threshold(self, painter: QPainter) -> None:
        theme, strip = self._theme, self._strip
        y = round(self._y_of(self.current()))
        thick = 2 if self._held or self._near or self.hasFocus() else 1
        if self.close_under is not None:
            under = round(self._y_of(self.close_under))
            painter.fillRect(0, under, strip.width, 1, theme.color("text", 0.45))
        painter.fillRect(0, y - 2, strip.width, thick + 4, theme.color("back", 0.7))
        painter.fillRect(0, y, strip.width, thick, theme.color("text"))

    def _paint_tag(self, painter: QPainter) -> None:
        """The threshold's handle, with its value."""
        theme, strip = self._theme, self._strip
        y = round(self._y_of(self.current())) + 0.5
        strong = self._held or self._near or self.hasFocus()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("text"), 2 if strong else 1.5))
        painter.drawLine(QPointF(strip.width, y), QPointF(strip.width + 4, y))
        top = min(max(y - 11, 0), self.height() - 23)
        tag = QRectF(strip.width + 4, top, GUTTER - 6, 22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent" if strong else "text"))
        painter.drawRoundedRect(tag, 5, 5)
        painter.setPen(theme.color("on_accent" if strong else "back"))
        painter.setFont(theme.font(12, bold=True))
        text = self.quantity.text(self.current())
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_veil(self, painter: QPainter) -> None:
        strip = self._strip
        box = QRectF(0, 0, strip.width, strip.height)
        painter.fillRect(box, self._theme.color("back", 0.62))
        painter.setPen(self._theme.color("text"))
        painter.setFont(self._theme.font(18, bold=True))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(box.adjusted(16, 0, -16, 0), int(flags), self.veil)


def seconds_shown(scope: Scope) -> float:
    """Up to when the scope shows the sound, for tests."""
    return scope._t if math.isfinite(scope._t) else 0.0
