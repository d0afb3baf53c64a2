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
TELL_S = 1.0
LOUD_DB, HOT_DB = -18.0, -6.0
HEAD, FOOT = 20, 22  # pixels for the name, and for the number
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
        self._held_until = self._then = self._told = 0.0
        self._drawn: tuple[int, int, str] = (-1, -1, "")
        self._lit, self._unlit = QPixmap(), QPixmap()
        self.setRange(round(FLOOR_DB), 0)
        self.setValue(round(FLOOR_DB))
        self.setTextVisible(False)
        self.setOrientation(Qt.Orientation.Vertical)
        self.setAccessibleName(title)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
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
        state = self._y(self._shown), self._y(self.peak), self._number()
        if state[:2] != self._drawn[:2]:
            self.update(self._bar())
        if state[2] != self._drawn[2]:
            self.update()
        self._drawn = state
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
        return f"{self.peak:.0f}".replace("-", "−") if self.peak > FLOOR_DB else "−∞"

    def _bar(self) -> QRect:
        return QRect(0, HEAD, 28, max(self.height() - HEAD - FOOT, 8))

    def _y(self, db: float) -> int:
        """Pixels of the bar from its top down to a level."""
        return round(self._bar().height() * db / FLOOR_DB)

    def _restyle(self) -> None:
        self._lit, self._unlit = self._ground(True), self._ground(False)
        self._drawn = (-1, -1, "")
        self.update()

    def _ground(self, lit: bool) -> QPixmap:
        """The meter all on, or all off."""
        theme, bar, ratio = self._theme, self._bar(), self.devicePixelRatioF()
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
            y = bar.top() + self._y(db)
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
        bar, painter = self._bar(), QPainter(self)
        painter.drawPixmap(0, 0, self._unlit)
        ratio = self.devicePixelRatioF()
        top = bar.top() + self._y(self._shown)
        lower = QRect(bar.left(), top, bar.width(), bar.bottom() + 1 - top)
        if lower.height() > 0 and self._shown > FLOOR_DB:
            source = QRectF(
                lower.x() * ratio,
                lower.y() * ratio,
                lower.width() * ratio,
                lower.height() * ratio,
            )
            painter.drawPixmap(QRectF(lower), self._lit, source)
        if self.peak > FLOOR_DB:
            y = bar.top() + self._y(self.peak)
            hot = self.peak > HOT_DB
            color = self._theme.color("mute" if hot else "text")
            painter.fillRect(bar.left(), y, bar.width(), 2, color)
        if event is not None and event.rect().bottom() <= bar.bottom():
            painter.end()  # the bar alone
            return
        painter.setPen(self._theme.color("text"))
        painter.setFont(self._theme.font(13, bold=True))
        foot = QRectF(-4, self.height() - FOOT + 2, 36, FOOT - 2)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, self._number())
        painter.end()
