"""`TimeBar`: how much usable sound a side has, against the least and what is good."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.i18n import tr
from gui.take import GOOD_S
from gui.theme import Theme

HEIGHT = 20
BAR = 6
WORDS = 92


class TimeBar(QWidget):
    """A bar up to a minute, with a mark at the least, and the seconds beside it.

    Args:
        theme: the colours.
        least_s: seconds that a side must have.
    """

    def __init__(self, theme: Theme, least_s: float) -> None:
        super().__init__()
        self._theme, self._least_s, self._seconds = theme, least_s, 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(tr("A minute of sound is good, {n:g} s are the least.", n=least_s))
        theme.changed.connect(self.update)
        self.show_seconds(0.0)

    def show_seconds(self, seconds: float, least_s: float | None = None) -> None:
        """Show how much there is."""
        self._seconds = seconds
        self._least_s = self._least_s if least_s is None else least_s
        self.setAccessibleName(tr("{n:.0f} s of sound", n=seconds))
        self.update()

    def sizeHint(self) -> QSize:
        """A line."""
        return QSize(160, HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Bar, mark, words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        color = self._theme.color
        track = QRectF(0, (HEIGHT - BAR) / 2, self.width() - WORDS, BAR)
        painter.setBrush(color("line"))
        painter.drawRoundedRect(track, BAR / 2, BAR / 2)
        share = min(1.0, self._seconds / GOOD_S)
        if share > 0.0:
            done = QRectF(track)
            done.setWidth(max(BAR, track.width() * share))
            enough = self._seconds >= self._least_s
            painter.setBrush(color("accent" if enough else "warn"))
            painter.drawRoundedRect(done, BAR / 2, BAR / 2)
        x = track.width() * self._least_s / GOOD_S
        if self._least_s:
            painter.fillRect(QRectF(x - 1, 4, 2, HEIGHT - 8), color("dim"))
        painter.setFont(self._theme.font(13))
        painter.setPen(color("text"))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        words = tr("{n:.0f} s of sound", n=self._seconds)
        painter.drawText(QRectF(self.width() - WORDS, 0, WORDS, HEIGHT), right, words)
