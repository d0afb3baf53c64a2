"""`Strip`: the moving picture of the scope, painted column by column as sound comes.

What has been painted stays in a pixmap that is written round and round, and is shown in two
pieces: a frame costs the few columns that are new, however wide the scope is.
"""

from __future__ import annotations

import math

import numpy as np
from PyQt6.QtCore import QLineF, QPointF, QRect, QRectF
from PyQt6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF

from gui.theme import Theme
from gui.trace import SPAN_S, Trace, Values

TOP_DB, BOTTOM_DB = 0.0, -72.0
GRID_DB = (-12.0, -24.0, -36.0, -48.0, -60.0)
GRID_SCORE = (0.25, 0.5, 0.75)
OPEN_DB = -3.0  # the gate is open, for the eye, when it takes no more than this away
GAP = 10  # pixels between the lanes
LEVEL_SHARE = 0.6


class Strip:
    """The picture.

    Args:
        trace: what it shows.
        theme: colours.
    """

    def __init__(self, trace: Trace, theme: Theme) -> None:
        self._trace = trace
        self._theme = theme
        self._pixmap = QPixmap()
        self._ratio = 1.0
        self._painted = 0  # the column after the last one that is painted
        self.width = self.height = 0
        self.level_lane = self.score_lane = QRectF()
        self.threshold = 0.5
        self.by_level = False

    def lay_out(self, width: int, height: int, ratio: float, by_level: bool) -> None:
        """Take a size, in pixels of the screen's grid, and forget the picture.

        Args:
            width: of the plot.
            height: likewise.
            ratio: device pixels in one of those.
            by_level: no lane for scores.
        """
        self.width, self.height, self._ratio = max(width, 8), max(height, 8), ratio
        self.by_level = by_level
        share = 1.0 if by_level else LEVEL_SHARE
        top = round((self.height - (0 if by_level else GAP)) * share)
        self.level_lane = QRectF(0, 0, self.width, top)
        rest = self.height - top - GAP
        self.score_lane = QRectF(0, top + GAP, self.width, 0 if by_level else rest)
        self._pixmap = QPixmap(round(self.width * ratio), round(self.height * ratio))
        self.repaint()

    def repaint(self) -> None:
        """Paint everything anew at the next `show`: size, colours or threshold changed."""
        self._pixmap.fill(self._theme.color("sunken"))
        self._painted = -1

    @property
    def columns(self) -> int:
        """Columns of the whole picture: one a device pixel."""
        return self._pixmap.width()

    def level_y(self, db: float) -> float:
        """Where a level is."""
        lane = self.level_lane
        part = (TOP_DB - db) / (TOP_DB - BOTTOM_DB)
        return lane.top() + min(max(part, 0.0), 1.0) * lane.height()

    def score_y(self, score: float) -> float:
        """Where a score is."""
        lane = self.score_lane
        return lane.bottom() - 1 - min(max(score, 0.0), 1.0) * (lane.height() - 2)

    def show(self, painter: QPainter, t: float) -> None:
        """Draw the ten seconds before `t`, with the plot's corner at the painter's origin."""
        n = self.columns
        width_s = SPAN_S / n
        now = math.floor(t / width_s)
        first = max(self._painted, now - n) if self._painted >= 0 else now - n
        if now > first:
            self._paint(first, now, width_s)
            self._painted = now
        split = now % n
        ratio, height = self._ratio, self._pixmap.height()
        old = QRect(split, 0, n - split, height)
        if n > split:
            painter.drawPixmap(QPointF(0, 0), self._pixmap, QRectF(old))
        if split:
            painter.drawPixmap(
                QPointF((n - split) / ratio, 0), self._pixmap, QRectF(0, 0, split, height)
            )

    def x_of(self, seconds: float, t: float) -> float:
        """Where an instant is in the ten seconds before `t`."""
        return self.width * (1.0 + (seconds - t) / SPAN_S)

    # --- painting -----------------------------------------------------------------------------

    def _paint(self, first: int, last: int, width_s: float) -> None:
        """Paint columns first to last into their places, with what joins them on the left."""
        before = min(2, self.columns - (last - first))
        level, score, gain = self._trace.columns(first - before, last, width_s)
        painter = QPainter(self._pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        n = self.columns
        start = first
        while start < last:  # in two pieces where the picture's end is between
            stop = min(last, (start // n + 1) * n)
            painter.save()
            painter.translate(start % n / self._ratio, 0)
            painter.setClipRect(QRectF(0, 0, (stop - start) / self._ratio, self.height))
            skip = start - first
            lead = before if start == first else min(before + skip, 2)
            pick = slice(before + skip - lead, before + stop - first)
            self._paint_piece(painter, level[pick], score[pick], gain[pick], lead)
            painter.restore()
            start = stop
        painter.end()

    def _paint_piece(
        self, painter: QPainter, level: Values, score: Values, gain: Values, lead: int
    ) -> None:
        """Columns whose first `lead` are there only to join the lines."""
        scale = 1.0 / self._ratio
        n = len(level) - lead
        theme = self._theme
        painter.fillRect(QRectF(0, 0, n * scale, self.height), theme.color("back"))
        for lane in (self.level_lane, self.score_lane):
            painter.fillRect(
                QRectF(0, lane.top(), n * scale, lane.height()), theme.color("sunken")
            )
        self._paint_grid(painter, n * scale)
        x = (np.arange(len(level)) - lead) * scale
        self._paint_level(painter, x[lead:], level[lead:], gain[lead:], scale)
        self._paint_curtain(painter, x, gain, scale)
        if not self.by_level:
            self._paint_score(painter, x, score, gain, scale, lead)

    def _paint_grid(self, painter: QPainter, width: float) -> None:
        color = self._theme.color("line", 0.45)
        for db in GRID_DB:
            painter.fillRect(QRectF(0, round(self.level_y(db)), width, 1), color)
        if not self.by_level:
            for score in GRID_SCORE:
                painter.fillRect(QRectF(0, round(self.score_y(score)), width, 1), color)

    def _paint_level(
        self, painter: QPainter, x: Values, level: Values, gain: Values, scale: float
    ) -> None:
        """What came in, and over it what went out."""
        bottom = self.level_lane.bottom()
        cut, passed = self._theme.color("level"), self._theme.color("accent")
        for left, db, lost in zip(x.tolist(), level.tolist(), gain.tolist(), strict=True):
            if db != db:  # unknown
                continue
            y = self.level_y(db)
            painter.fillRect(QRectF(left, y, scale, bottom - y), cut)
            out = self.level_y(db + lost)
            if out < bottom:
                painter.fillRect(QRectF(left, out, scale, bottom - out), passed)

    def _paint_curtain(self, painter: QPainter, x: Values, gain: Values, scale: float) -> None:
        """How much is taken away: a curtain that hangs from 0 dB down to the gain."""
        color = self._theme.color("gain", 0.16)
        edge = self._theme.color("gain")
        top = self.level_lane.top()
        points: list[QPointF] = []
        for left, db in zip(x.tolist(), gain.tolist(), strict=True):
            if db != db:
                self._draw_line(painter, points, edge)
                points = []
                continue
            y = self.level_y(db)
            if left >= 0 and y > top:
                painter.fillRect(QRectF(left, top, scale, y - top), color)
            points.append(QPointF(left + scale, max(y, top + 0.75)))
        self._draw_line(painter, points, edge)

    def _paint_score(
        self,
        painter: QPainter,
        x: Values,
        score: Values,
        gain: Values,
        scale: float,
        lead: int,
    ) -> None:
        lane = self.score_lane
        wide, shy = self._theme.color("accent", 0.55), self._theme.color("level", 0.45)
        opened = self._theme.color("accent")
        points: list[QPointF] = []
        rows = zip(x.tolist(), score.tolist(), gain.tolist(), strict=True)
        for i, (left, value, lost) in enumerate(rows):
            if i >= lead and lost > OPEN_DB:
                painter.fillRect(QRectF(left, lane.top() - GAP + 3, scale, GAP - 6), opened)
            if value != value:
                self._draw_line(painter, points, self._theme.color("score"))
                points = []
                continue
            y = self.score_y(value)
            if i >= lead:
                color = wide if value >= self.threshold else shy
                painter.fillRect(QRectF(left, y, scale, lane.bottom() - y), color)
            points.append(QPointF(left + scale, y))
        self._draw_line(painter, points, self._theme.color("score"))

    def _draw_line(self, painter: QPainter, points: list[QPointF], color: QColor) -> None:
        if len(points) < 2:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(color, 1.5))
        if len(points) == 2:
            painter.drawLine(QLineF(points[0], points[1]))
        else:
            painter.drawPolyline(QPolygonF(points))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
