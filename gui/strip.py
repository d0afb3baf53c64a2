"""`Strip`: the moving picture of the scope, painted column by column as sound comes.

The picture is an image that is written round and round and shown in two pieces: a frame costs
the few columns that are new, however wide the scope is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QColor, QImage, QPainter

from gui.theme import Theme
from gui.trace import SPAN_S, Trace

TOP_DB, BOTTOM_DB = 0.0, -72.0
GRID_DB = (-12.0, -24.0, -36.0, -48.0, -60.0)
GRID_SCORE = (0.25, 0.5, 0.75)
OPEN_DB = -3.0  # the gate is open, for the eye, when it takes no more than this away
GAP = 10  # pixels between the lanes
LEVEL_SHARE = 0.6
LINE = 1.6  # pixels

Pixels = NDArray[np.uint32]  # 0xffRRGGBB: a column, or the picture [height, columns]
Rgb = tuple[int, int, int]


class Strip:
    """The picture.

    Args:
        trace: what it shows.
        theme: colours.
    """

    def __init__(self, trace: Trace, theme: Theme) -> None:
        self._trace = trace
        self._theme = theme
        self._ratio = 1.0
        self._painted = -1  # the column after the last one that is painted
        self.width = self.height = 0
        self.level_lane = self.score_lane = QRectF()
        self.threshold = 0.5
        self.by_level = False
        self.lay_out(8, 8, 1.0, False)

    def lay_out(self, width: int, height: int, ratio: float, by_level: bool) -> None:
        """Take a size and forget the picture.

        Args:
            width: of the plot, pixels.
            height: likewise.
            ratio: device pixels in one of those.
            by_level: no lane for scores.
        """
        self.width, self.height, self._ratio = max(width, 8), max(height, 8), ratio
        self.by_level = by_level
        share = 1.0 if by_level else LEVEL_SHARE
        top = round((self.height - (0 if by_level else GAP)) * share)
        rest = 0 if by_level else self.height - top - GAP
        self.level_lane = QRectF(0, 0, self.width, top)
        self.score_lane = QRectF(0, self.height - rest, self.width, rest)
        rows, columns = round(self.height * ratio), round(self.width * ratio)
        self._pixels = np.zeros((rows, columns), np.uint32)
        buffer: Any = self._pixels.data.cast("B")  # the stubs know only bytes
        self._image = QImage(
            buffer,
            columns,
            rows,
            4 * columns,
            QImage.Format.Format_RGB32,
        )
        self.repaint()

    def repaint(self) -> None:
        """Paint everything anew at the next `show`: size, colours or threshold changed."""
        self._painted = -1
        self._make_grounds()

    def level_y(self, db: float) -> float:
        """Where a level is."""
        lane = self.level_lane
        part = (TOP_DB - db) / (TOP_DB - BOTTOM_DB)
        return lane.top() + min(max(part, 0.0), 1.0) * lane.height()

    def level_at(self, y: float) -> float:
        """The level at a height."""
        return TOP_DB - (y - self.level_lane.top()) / self.level_lane.height() * (
            TOP_DB - BOTTOM_DB
        )

    def score_at(self, y: float) -> float:
        """The score at a height."""
        return (self.score_lane.bottom() - 1 - y) / (self.score_lane.height() - 2)

    def score_y(self, score: float) -> float:
        """Where a score is."""
        lane = self.score_lane
        return lane.bottom() - 1 - min(max(score, 0.0), 1.0) * (lane.height() - 2)

    def x_of(self, seconds: float, t: float) -> float:
        """Where an instant is in the ten seconds before `t`."""
        return self.width * (1.0 + (seconds - t) / SPAN_S)

    def show(self, painter: QPainter, t: float) -> None:
        """Draw the ten seconds before `t`, with the plot's corner at the painter's origin."""
        rows, n = self._pixels.shape
        now = math.floor(t * n / SPAN_S)
        first = now - n if self._painted < 0 else max(self._painted, now - n)
        if now > first:
            self._paint(first, now)
        self._painted = now
        split = now % n
        painter.save()
        painter.scale(1 / self._ratio, 1 / self._ratio)  # pixel for pixel: a plain copy
        painter.drawImage(QPointF(0, 0), self._image, QRectF(split, 0, n - split, rows))
        if split:
            painter.drawImage(QPointF(n - split, 0), self._image, QRectF(0, 0, split, rows))
        painter.restore()

    # --- painting -----------------------------------------------------------------------------

    def _paint(self, first: int, last: int) -> None:
        """Paint columns into their places; the one before them joins the lines."""
        n, count = self._pixels.shape[1], last - first
        level, score, gain = self._trace.columns(first - 1, last, SPAN_S / n)
        block = np.empty((count, len(self._ground)), np.uint32)  # a column is a row of it
        block[:] = self._ground
        for i in range(1, count + 1):
            column, hem = block[i - 1], self._level_row(gain[i])
            self._paint_level(column, level[i], gain[i], hem)
            self._draw_line(column, self._level_row(gain[i - 1]), hem, self._gain_line)
            if not self.by_level:
                if gain[i] > OPEN_DB:
                    column[self._bar] = self._colors["open"]
                if score[i] == score[i]:  # it is known
                    name = "asks" if score[i] >= self.threshold else "asks not"
                    was, row = self._score_row(score[i - 1]), self._score_row(score[i])
                    column[round(row) : self._score_end] = self._colors[name]
                    self._draw_line(column, was, row, self._score_line)
        begin = first % n
        whole = min(count, n - begin)
        self._pixels[:, begin : begin + whole] = block[:whole].T
        self._pixels[:, : count - whole] = block[whole:].T

    def _paint_level(self, column: Pixels, level: float, gain: float, hem: float) -> None:
        """What came in, over it what went out, and the curtain of what was taken away."""
        end = self._level_end
        if hem == hem:
            column[: round(hem)] = self._curtain[: round(hem)]
        if level == level:
            column[round(self._level_row(level)) : end] = self._colors["cut"]
            out = self._level_row(level + gain)
            if out == out:
                column[round(out) : end] = self._colors["passed"]

    def _draw_line(self, column: Pixels, begin: float, end: float, color: Rgb) -> None:
        """A line from the column before to this one; its ends are mixed with the ground."""
        if end != end:
            return
        if begin != begin:
            begin = end
        half = 0.5 * LINE * self._ratio
        upper = max(min(begin, end) - half, 0.0)
        lower = min(max(begin, end) + half, len(column) - 1.0)
        first, last = int(upper), int(lower)
        column[first + 1 : last] = _packed(color)
        column[first] = _mixed(int(column[first]), color, first + 1 - upper)
        if last > first:
            column[last] = _mixed(int(column[last]), color, lower - last)

    def _level_row(self, db: float) -> float:
        """Device pixels from the top; NaN stays what it is."""
        part = min(max((TOP_DB - db) / (TOP_DB - BOTTOM_DB), 0.0), 1.0)
        return part * self._level_px

    def _score_row(self, score: float) -> float:
        part = min(max(score, 0.0), 1.0)
        return self._score_zero - part * self._score_px

    def _make_grounds(self) -> None:
        """A column of nothing, and one behind the curtain; and the colours of all else."""
        color, ratio = self._theme.color, self._ratio
        ground, veil = color("sunken"), color("gain", 0.16)
        grid = _over(color("line", 0.45), ground)
        self._ground = np.full(len(self._pixels), color("back").rgb(), np.uint32)
        self._curtain = self._ground.copy()
        for lane in (self.level_lane, self.score_lane):
            rows = slice(round(lane.top() * ratio), round(lane.bottom() * ratio))
            self._ground[rows] = ground.rgb()
            self._curtain[rows] = _over(veil, ground).rgb()
        heights = [self.level_y(db) for db in GRID_DB]
        if not self.by_level:
            heights += [self.score_y(score) for score in GRID_SCORE]
        for height in heights:
            row = min(round(height * ratio), len(self._ground) - 1)
            self._ground[row] = grid.rgb()
            self._curtain[row] = _over(veil, grid).rgb()
        self._colors = {
            "cut": color("level").rgb(),
            "passed": color("accent").rgb(),
            "asks": _over(color("accent", 0.55), ground).rgb(),
            "asks not": _over(color("level", 0.45), ground).rgb(),
            "open": color("accent").rgb(),
        }
        self._gain_line, self._score_line = _rgb(color("gain")), _rgb(color("score"))
        self._level_px = self.level_lane.height() * ratio
        self._score_px = (self.score_lane.height() - 2) * ratio
        self._score_zero = (self.score_lane.bottom() - 1) * ratio
        self._level_end = round(self.level_lane.bottom() * ratio)
        self._score_end = round(self.score_lane.bottom() * ratio)
        top = self.score_lane.top()
        self._bar = slice(round((top - GAP + 3) * ratio), round((top - 3) * ratio))


def _rgb(color: QColor) -> Rgb:
    return color.red(), color.green(), color.blue()


def _packed(color: Rgb) -> int:
    return 0xFF000000 | color[0] << 16 | color[1] << 8 | color[2]


def _mixed(under: int, color: Rgb, part: float) -> int:
    """A packed colour with some of another on it, 0 to 1."""
    red, green, blue = under >> 16 & 255, under >> 8 & 255, under & 255
    red += int((color[0] - red) * part)
    green += int((color[1] - green) * part)
    blue += int((color[2] - blue) * part)
    return 0xFF000000 | red << 16 | green << 8 | blue


def _over(color: QColor, ground: QColor) -> QColor:
    """A see-through colour on a ground."""
    part = color.alphaF()
    pairs = zip(_rgb(color), _rgb(ground), strict=True)
    mixed = [round(a * part + b * (1 - part)) for a, b in pairs]
    return QColor(*mixed)
