"""`Spectrogram`: the last seconds of sound, and what was heard in them, on one axis of time.

A column of 20 ms is one pixel wide, so nothing is scaled and the picture only moves: columns
are painted once, into an image that is a ring, and a frame copies it in two pieces. Memory is
that image and the levels it was made from, however long it runs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QWidget

from gui.colormap import STEPS, colormap
from gui.ear import BANDS, COLUMN_S, FLOOR_DB, Moment, Tag
from gui.i18n import tr
from gui.tag_rows import ROW, ROWS, TagRows
from gui.theme import Theme

COLUMNS: Final = 2560  # kept: wider than a screen
RANGE_DB: Final = 66.0  # from the loudest down to the ground
LEAST_TOP_DB: Final = -30.0  # with silence only, its noise is not made to shine
FALL_DB: Final = 0.02  # of the loudest, in a column
STEP_DB: Final = 6.0  # it moves so far before all is painted anew
AXIS: Final = 20  # pixels
SCALE: Final = 64  # pixels on the left for the names of frequencies
RADIUS: Final = 8
DOT: Final = 2  # pixels of the dotted line where an event begins
TICK_S: Final = 5
TICKS_HZ: Final = (250, 1000, 4000)
PULL: Final = 0.1  # of the distance to what was heard last, in each frame


class Spectrogram(QWidget):
    """Scrolls from right to left.

    Args:
        theme: the colours.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._levels = np.full((COLUMNS, BANDS), FLOOR_DB, np.float32)
        self._marked = np.zeros(COLUMNS, bool)  # where an event begins
        self._picture = np.zeros((1, COLUMNS), np.uint32)
        self._fixed: list[tuple[QRect, QPixmap]] = []
        self._tags = TagRows(theme)
        self._band_of = (0.0, 0.0, 0.0)
        theme.changed.connect(self._repaint_all)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(240, ROWS * ROW + AXIS + 72)
        self.setAccessibleName(tr("Spectrogram"))
        self.setAccessibleDescription(
            tr("The last seconds of sound, and under them the names of what was heard.")
        )
        self.reset()

    def reset(self, ticks: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
        """Begin anew.

        Args:
            ticks: bands of the frequencies that are named, 0 to `BANDS`.
        """
        self._levels[:] = FLOOR_DB
        self._marked[:] = False
        self._tags.clear()
        self._newest = 0  # columns from the beginning
        self._heard_s = self._now_s = 0.0
        self._loudest = self._top = LEAST_TOP_DB
        self._band_of = ticks
        self._repaint_all()

    @property
    def span_s(self) -> float:
        """Seconds that are to be seen."""
        return min(self.width(), COLUMNS - 64) * COLUMN_S

    def add(self, moment: Moment) -> None:
        """Take a decision's sound."""
        self._heard_s = max(self._heard_s, moment.t)
        count = len(moment.columns)
        if not count:
            return
        first = round(moment.begin / COLUMN_S)
        if first > self._newest + 1:  # samples were lost, or it has just begun
            gap = np.arange(max(self._newest, first - COLUMNS), first)
            self._levels[gap % COLUMNS] = FLOOR_DB
            self._marked[gap % COLUMNS] = False
            self._paint(gap % COLUMNS)
        places = np.arange(first, first + count) % COLUMNS
        self._levels[places] = moment.columns
        begins = self._tags.begins()
        self._marked[places] = [k in begins for k in range(first, first + count)]
        self._newest = first + count
        loudest = _loud(moment.columns)
        self._loudest = max(LEAST_TOP_DB, loudest, self._loudest - FALL_DB * count)
        if abs(self._loudest - self._top) > STEP_DB:
            self._top = self._loudest
            self._paint(np.arange(COLUMNS))
        else:
            self._paint(places)

    def tag(self, tag: Tag) -> None:
        """Take an event that began or ended."""
        if tag not in self._tags:
            column = round(tag.start / COLUMN_S)
            if self._newest - COLUMNS < column < self._newest:
                self._marked[column % COLUMNS] = True
                self._paint(np.array([column % COLUMNS]))
        self._tags.add(tag)

    def advance(self, passed_s: float) -> None:
        """Move on by the time that has passed, never farther than what was heard."""
        before = int(self._now_s / COLUMN_S)
        self._now_s += passed_s + PULL * (self._heard_s - passed_s - self._now_s)
        self._now_s = min(self._now_s, self._heard_s)
        if self._heard_s - self._now_s > self.span_s:  # it was hidden meanwhile
            self._now_s = self._heard_s
        if int(self._now_s / COLUMN_S) != before:
            self.update(0, 0, self.width(), self.height() - AXIS)

    # --- painting -------------------------------------------------------------------------

    def _sound_height(self) -> int:
        return max(16, self.height() - ROWS * ROW - AXIS)

    def _paint(self, places: NDArray[np.int64]) -> None:
        """Paint columns into the image."""
        rows = len(self._picture)
        level = np.clip((self._levels[places] - self._top) / RANGE_DB + 1.0, 0.0, 1.0)
        place = np.linspace(BANDS - 1, 0, rows)
        low = np.floor(place).astype(int)
        part = (place - low).astype(np.float32)
        high = np.minimum(low + 1, BANDS - 1)
        smooth = level[:, low] * (1 - part) + level[:, high] * part
        self._picture[:, places] = self._colors[(smooth * (STEPS - 1)).astype(np.uint8)].T
        for place in places[self._marked[places]]:
            for row in range(DOT):
                self._picture[row :: 2 * DOT, place] = self._theme.color("accent").rgb()

    def _repaint_all(self) -> None:
        self._colors = colormap(self._theme.dark)
        rows = max(1, round(self._sound_height() * self.devicePixelRatioF()))
        if self._picture.shape[0] != rows:
            self._picture = np.zeros((rows, COLUMNS), np.uint32)
        self._paint(np.arange(COLUMNS))
        self._fixed.clear()
        self._tags.restyle(self.devicePixelRatioF())
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Make the image as high as the widget."""
        super().resizeEvent(event)
        self._repaint_all()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Copy the ring, draw events over it, and what does not move along the edges."""
        painter = QPainter(self)
        height, color = self._sound_height(), self._theme.color
        painter.fillRect(0, height, self.width(), self.height() - height, color("sunken"))
        self._draw_sound(painter, height)
        painter.fillRect(0, height, self.width(), 1, color("line"))
        for seconds in self._ticks():
            x = round(self.width() - seconds / COLUMN_S)
            painter.fillRect(x, height, 1, ROWS * ROW, color("line", 0.6))
        self._tags.draw(painter, height, self.width(), self._now_s)
        if not self._fixed:
            self._fixed = self._cut(self._draw_fixed(height))
        for box, piece in self._fixed:
            if event is None or event.rect().intersects(box):
                painter.drawPixmap(box.topLeft(), piece)
        painter.end()

    def _draw_sound(self, painter: QPainter, height: int) -> None:
        rows, stride = self._picture.shape[0], self._picture.strides[0]
        image = QImage(self._picture.data, COLUMNS, rows, stride, QImage.Format.Format_RGB32)  # type: ignore[call-overload]  # PyQt takes any buffer
        end = int(self._now_s / COLUMN_S)
        shown = min(self.width(), COLUMNS - 64, end)
        left = self.width() - shown
        painter.fillRect(0, 0, left, height, self._theme.color("sunken"))
        place = (end - shown) % COLUMNS
        while shown > 0:
            piece = min(shown, COLUMNS - place)
            painter.drawImage(
                QRectF(left, 0, piece, height), image, QRectF(place, 0, piece, rows)
            )
            left, shown, place = left + piece, shown - piece, 0

    def _cut(self, fixed: QPixmap) -> list[tuple[QRect, QPixmap]]:
        """The edges alone, and where they are: the middle of the picture is empty."""
        width, height, ratio = self.width(), self.height(), self.devicePixelRatioF()
        boxes = (
            QRect(0, 0, SCALE, height - AXIS),
            QRect(SCALE, 0, width - SCALE - RADIUS, 2),
            QRect(width - RADIUS, 0, RADIUS, height - AXIS),
            QRect(0, height - AXIS, width, AXIS),
        )
        found = []
        for box in boxes:
            left, top = round(box.left() * ratio), round(box.top() * ratio)
            right, low = round((box.right() + 1) * ratio), round((box.bottom() + 1) * ratio)
            piece = fixed.copy(left, top, right - left, low - top)
            piece.setDevicePixelRatio(ratio)
            found.append((box, piece))
        return found

    def _ticks(self) -> range:
        """Seconds that are marked."""
        return range(TICK_S, int(self.span_s) + 1, TICK_S)

    def _draw_fixed(self, height: int) -> QPixmap:
        """What does not move: axes."""
        ratio = self.devicePixelRatioF()
        fixed = QPixmap(self.size() * ratio)
        fixed.setDevicePixelRatio(ratio)
        fixed.fill(Qt.GlobalColor.transparent)
        painter = QPainter(fixed)
        self._draw_frame(painter)
        painter.setFont(self._theme.font(11))
        metrics = painter.fontMetrics()
        for seconds in (0, *self._ticks()):
            x = round(self.width() - seconds / COLUMN_S)
            text = tr("now") if not seconds else tr("−{n} s", n=seconds)
            width = metrics.horizontalAdvance(text)
            left = min(x - width // 2, self.width() - width - 6)
            if left > 4:
                painter.setPen(self._theme.color("dim"))
                painter.drawText(left, self.height() - 6, text)
        for hz, band in zip(TICKS_HZ, self._band_of, strict=True):
            y = height * (1 - band / BANDS)
            if band and y > 12:
                text = f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz"
                width = metrics.horizontalAdvance(text)
                painter.fillRect(
                    QRectF(2, y - 8, width + 8, 16), self._theme.color("sunken", 0.6)
                )
                painter.setPen(self._theme.color("dim"))
                painter.drawText(QPointF(5, y + 4), text)
        painter.end()
        return fixed

    def _draw_frame(self, painter: QPainter) -> None:
        """Round corners, as cards have them."""
        whole, inside = QPainterPath(), QPainterPath()
        whole.addRect(QRectF(self.rect()))
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        inside.addRoundedRect(box, RADIUS, RADIUS)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(whole.subtracted(inside), self._theme.color("back"))
        painter.setPen(self._theme.color("line"))
        painter.drawPath(inside)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _loud(levels: NDArray[np.float32]) -> float:
    """The level that one in a hundred is over, dB."""
    place = round(0.99 * (levels.size - 1))
    return float(np.partition(levels, place, axis=None)[place])
