"""`Overlay`: what lies over the scope's picture: scales, names, flags, threshold, veil."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QFontMetrics, QPainter, QPen, QPixmap, QPolygonF

from gui.i18n import tr
from gui.strip import GAP, GRID_DB, Strip
from gui.theme import Theme
from gui.trace import SPAN_S

GUTTER = 58  # pixels on the right, where the threshold is held
FOOT = 18  # pixels under the plot, for seconds
FLAG = 7  # pixels, the width of an opening's flag
WIDE = 420  # pixels of a plot with room for names


class Overlay:
    """Paints it, with the plot's corner at the painter's origin.

    Args:
        strip: the picture under it.
        theme: colours.
    """

    def __init__(self, strip: Strip, theme: Theme) -> None:
        self._strip, self._theme = strip, theme
        self._names: tuple[QPixmap, ...] = ()
        self._flag = QPixmap()

    def lay_out(self, ratio: float) -> None:
        """Draw what is kept anew: colours or size changed.

        Args:
            ratio: device pixels in one pixel.
        """
        texts = tr("Level, and what is taken away"), tr("Score")
        self._names = tuple(self._draw_name(text, ratio) for text in texts)
        self._flag = self._draw_flag(ratio)

    def paint_scales(self, painter: QPainter, value: float) -> None:
        """Ground and figures right of the plot and under it.

        Args:
            painter: of the scope.
            value: the threshold; the level gate's tag must not cover a figure.
        """
        strip, back = self._strip, self._theme.color("back")
        painter.fillRect(strip.width, 0, GUTTER + 4, strip.height + FOOT + 4, back)
        painter.fillRect(0, strip.height, strip.width, FOOT + 4, back)
        painter.setFont(self._theme.font(11))
        painter.setPen(self._theme.color("dim"))
        for db in GRID_DB[::2] if strip.level_lane.height() < 160 else GRID_DB:
            y = strip.level_y(db)
            if strip.by_level and abs(strip.level_y(value) - y) < 18:
                continue
            box = QRectF(strip.width + 6, y - 8, GUTTER - 8, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, f"{db:.0f}".replace("-", "−"))
        self._paint_seconds(painter)

    def _paint_seconds(self, painter: QPainter) -> None:
        width, top, sides = self._strip.width, self._strip.height + 2, Qt.AlignmentFlag
        for seconds in (10, 8, 6, 4, 2):
            x = width * (1 - seconds / SPAN_S)
            first = seconds == 10
            box = QRectF(x if first else x - 30, top, 60, FOOT - 2)
            side = sides.AlignLeft if first else sides.AlignHCenter
            painter.drawText(box, side, f"−{seconds} s")
        painter.drawText(QRectF(0, top, width, FOOT - 2), sides.AlignRight, tr("now"))

    def paint_names(self, painter: QPainter) -> None:
        """What the lanes show."""
        strip = self._strip
        if strip.width > WIDE:
            painter.drawPixmap(4, 4, self._names[0])
            if not strip.by_level:
                painter.drawPixmap(4, round(strip.score_lane.top()) + 4, self._names[1])

    def paint_flags(self, painter: QPainter, marks: Iterable[float], t: float) -> None:
        """A small flag where the gate opened.

        Args:
            painter: of the scope.
            marks: seconds, the newest first.
            t: seconds at the plot's right edge.
        """
        strip = self._strip
        top = round(strip.level_lane.bottom()) - (GAP if strip.by_level else 0)
        for mark in marks:
            if mark < t - SPAN_S:
                break
            x = round(strip.x_of(mark, t))
            if x < strip.width - FLAG:
                painter.drawPixmap(x, top, self._flag)

    def paint_threshold(self, painter: QPainter, y: int, strong: bool) -> None:
        """The line at which the gate opens."""
        width, thick = self._strip.width, 2 if strong else 1
        painter.fillRect(0, y - 2, width, thick + 4, self._theme.color("back", 0.7))
        painter.fillRect(0, y, width, thick, self._theme.color("text"))

    def paint_close(self, painter: QPainter, y: int) -> None:
        """The line under which it closes."""
        painter.fillRect(0, y, self._strip.width, 1, self._theme.color("text", 0.45))

    def paint_tag(self, painter: QPainter, y: int, text: str, strong: bool) -> None:
        """The threshold's handle, with its value."""
        theme, left = self._theme, self._strip.width
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("text"), 2 if strong else 1.5))
        painter.drawLine(QPointF(left, y + 0.5), QPointF(left + 4, y + 0.5))
        top = min(max(y - 11, 0), self._strip.height + FOOT - 23)
        tag = QRectF(left + 4, top, GUTTER - 6, 22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent" if strong else "text"))
        painter.drawRoundedRect(tag, 5, 5)
        painter.setPen(theme.color("on_accent" if strong else "back"))
        painter.setFont(theme.font(12, bold=True))
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)

    def paint_veil(self, painter: QPainter, text: str) -> None:
        """A word over everything: bypassed, muted."""
        box = QRectF(0, 0, self._strip.width, self._strip.height)
        painter.fillRect(box, self._theme.color("back", 0.62))
        painter.setPen(self._theme.color("text"))
        painter.setFont(self._theme.font(18, bold=True))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(box.adjusted(16, 0, -16, 0), int(flags), text)

    def paint_focus(self, painter: QPainter) -> None:
        """A frame around the plot: plain rectangles cost nothing."""
        width, height = self._strip.width, self._strip.height
        for box in (
            (0, 0, width, 2),
            (0, height - 2, width, 2),
            (0, 0, 2, height),
            (width - 2, 0, 2, height),
        ):
            painter.fillRect(*box, self._theme.color("accent"))

    def _draw_name(self, text: str, ratio: float) -> QPixmap:
        """A lane's name on a ground of its own."""
        font = self._theme.font(11)
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

    def _draw_flag(self, ratio: float) -> QPixmap:
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
