"""`LevelMeter`: a tall level meter with peak hold."""

from __future__ import annotations

import time

from PyQt6.QtCore import QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QProgressBar, QSizePolicy, QWidget

from gui.theme import Theme

FLOOR_DB = -72.0
HOLD_S = 1.5  # the peak stays so long,
FALL_DB_S = 24.0  # then falls
BACK_DB_S = 60.0  # the bar itself falls no faster: it can be read
TELL_S = 1.0  # to screen readers
NAME_S = 0.1  # the number changes no more often
LOUD_DB, HOT_DB = -18.0, -6.0
HEAD, FOOT = 20, 22  # pixels for the name, and for the number
BAR, PEAK = 28, 2  # pixels: width of the bar, height of the peak's line
NOTHING = "−∞"
MARKS = (-6, -12, -24, -36, -48, -60)


class LevelMeter(QProgressBar):
    """A meter; to Qt a progress bar from -72 to 0 dB, so that a screen reader can read it.

    Args:
        title: what it measures, translated.
        theme: colours.
    """

    def __init__(self, title: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title = title
        self._wanted = self._shown = self.peak = FLOOR_DB
        self._held_until = self._then = self._told = self._named = 0.0
        self._drawn = (HEAD, HEAD)  # pixels from the top: bar, peak
        self._text = NOTHING
        self._lit, self._unlit = QPixmap(), QPixmap()
        self._bar, self._foot = QRect(0, HEAD, BAR, 8), QRect()
        self.setRange(round(FLOOR_DB), 0)
        self.setValue(round(FLOOR_DB))
        self.setTextVisible(False)
        self.setOrientation(Qt.Orientation.Vertical)
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self._restyle)

    def show_level(self, db: float) -> None:
        """The newest level, dBFS."""
        self._wanted = min(max(db, FLOOR_DB), 0.0)

    def advance(self, now: float | None = None) -> None:
        """Move the bar and the peak on; draws only what changed."""
        now = time.monotonic() if now is None else now
        gone, self._then = min(now - self._then, 0.2), now
        self._shown = max(self._wanted, self._shown - BACK_DB_S * gone)
        if self._wanted >= self.peak:
            self.peak, self._held_until = self._wanted, now + HOLD_S
        elif now > self._held_until:
            self.peak = max(self._wanted, self.peak - FALL_DB_S * gone)
        top, peak = self._y(self._shown), self._y(self.peak)
        if (top, peak) != self._drawn:
            rows = (top, peak, *self._drawn)
            self._drawn = top, peak
            first = min(rows)
            self.update(0, first, BAR, max(rows) + PEAK - first)
        if now >= self._named + NAME_S and self._number() != self._text:
            self._named, self._text = now, self._number()
            self.update(self._foot)
        if now >= self._told + TELL_S:
            self._told = now
            self.setValue(round(self.peak))  # for screen readers; it paints at once: seldom

    def rest(self) -> None:
        """Nothing is measured."""
        self._wanted = self._shown = self.peak = FLOOR_DB

    def sizeHint(self) -> QSize:
        """Wide enough to see from afar."""
        return QSize(52, 260)

    def minimumSizeHint(self) -> QSize:
        """Still of use."""
        return QSize(52, 128)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Draw the ground anew."""
        self._restyle()

    def _number(self) -> str:
        return f"{self.peak:.0f}".replace("-", "−") if self.peak > FLOOR_DB else NOTHING

    def _y(self, db: float) -> int:
        """Pixels from the widget's top down to a level."""
        return HEAD + round(self._bar.height() * db / FLOOR_DB)

    def _restyle(self) -> None:
        # so Qt paints nothing under it; each time, as styles take it from a progress bar
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._bar = QRect(0, HEAD, BAR, max(self.height() - HEAD - FOOT, 8))
        self._foot = QRect(0, self.height() - FOOT, self.width(), FOOT)
        self._lit, self._unlit = self._ground(True), self._ground(False)
        self._drawn = self._y(self._shown), self._y(self.peak)
        self.update()

    def _ground(self, lit: bool) -> QPixmap:
        """The meter all on, or all off."""
        theme, bar, ratio = self._theme, self._bar, self.devicePixelRatioF()
        found = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        found.setDevicePixelRatio(ratio)
        found.fill(theme.color("back"))
        painter = QPainter(found)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colors(bar) if lit else theme.color("sunken"))
        painter.drawRoundedRect(QRectF(bar), 4, 4)
        painter.setFont(theme.font(11))
        painter.setPen(theme.color("dim"))
        for db in MARKS:
            y = self._y(db)
            if bar.height() > 150 or db % 24 == 0:
                box = QRectF(bar.right() + 5, y - 7, self.width() - bar.right() - 5, 14)
                painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, str(-db))
            if not lit:
                painter.fillRect(bar.left(), y, bar.width(), 1, theme.color("line", 0.6))
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font(12, bold=True))
        head = QRectF(0, 0, self.width(), HEAD - 2)
        painter.drawText(head, Qt.AlignmentFlag.AlignLeft, self._title)
        painter.end()
        return found

    def _colors(self, bar: QRect) -> QLinearGradient:
        theme = self._theme
        found = QLinearGradient(0, bar.bottom(), 0, bar.top())
        stops: list[tuple[float, QColor]] = [
            (FLOOR_DB, theme.color("accent", 0.75)),
            (LOUD_DB, theme.color("accent")),
            (HOT_DB - 1, theme.color("bypass")),
            (HOT_DB + 3, theme.color("mute")),
            (0.0, theme.color("mute")),
        ]
        for db, color in stops:
            found.setColorAt(1.0 - db / FLOOR_DB, color)
        return found

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Off above, on below, the peak between."""
        painter, (top, peak) = QPainter(self), self._drawn
        bottom = HEAD + self._bar.height()
        painter.drawPixmap(0, 0, self._unlit)
        if top < bottom:
            ratio = self._lit.devicePixelRatio()
            box = QRectF(0, top, BAR, bottom - top)
            source = QRectF(0, top * ratio, BAR * ratio, box.height() * ratio)
            painter.drawPixmap(box, self._lit, source)
        if peak < bottom:
            color = self._theme.color("mute" if self.peak > HOT_DB else "text")
            painter.fillRect(0, peak, BAR, PEAK, color)
        if event is None or event.rect().bottom() >= self._foot.top():
            painter.setPen(self._theme.color("text"))
            painter.setFont(self._theme.font(13, bold=True))
            foot = QRectF(-4, self.height() - FOOT + 2, 36, FOOT - 2)
            painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, self._text)
        painter.end()
