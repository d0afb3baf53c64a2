"""`Waveform`: a sound over time, with what matters in it marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.i18n import tr
from gui.take import PEAKS_PER_S
from gui.theme import Theme

RADIUS: Final = 6
FULL: Final = 0.999
STEP_S: Final = 0.1  # of the cursor
LEAST_PART_S: Final = 0.05
LEAST_PEAK: Final = 0.02  # a soft recording is drawn as large as a loud one, noise is not


class Waveform(QWidget):
    """Drawn once, into a pixmap; only the playhead moves.

    Args:
        theme: the colours.
        height: pixels.

        parts: whether a part of it can be selected, with the pointer or with Shift and arrows.

    Signals:
        sought: the person pointed at a place: seconds.
        selected: a part was selected: seconds, from and to; twice the same is none.
    """

    sought = pyqtSignal(float)
    selected = pyqtSignal(float, float)

    def __init__(self, theme: Theme, height: int = 40, parts: bool = False) -> None:
        super().__init__()
        self._parts = parts
        self._from = self._to = 0.0  # what is selected; the second is the cursor
        self._pressed = False
        if parts:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.setAccessibleDescription(
                tr("Arrows move the cursor, with Shift they select a part; space plays.")
            )
        self._theme = theme
        self._peaks = np.zeros((0, 2), np.float32)
        self._marked: tuple[tuple[float, float], ...] = ()
        self._framed: tuple[tuple[float, float], ...] = ()
        self._wrong: tuple[tuple[float, float], ...] = ()
        self._clips = True
        self._scale = 1.0
        self._at: float | None = None
        self._drawn: QPixmap | None = None
        self.setMinimumSize(QSize(60, height))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self._anew)

    def show_sound(
        self,
        peaks: NDArray[np.float32],
        marked: Sequence[tuple[float, float]] = (),
        framed: Sequence[tuple[float, float]] = (),
        wrong: Sequence[tuple[float, float]] = (),
        peak: float = 0.0,
        clips: bool = True,
    ) -> None:
        """Show a sound.

        Args:
            peaks: as of `gui.take.peaks_of`.
            marked: seconds that are drawn in the accent's colour, on its ground.
            framed: seconds that have a line above them.
            wrong: seconds that are drawn in the colour of a warning.
            peak: what is drawn as high as there is room; 0 is the loudest sample.
            clips: mark what is clipped.
        """
        self._peaks, self._marked, self._framed = peaks, tuple(marked), tuple(framed)
        self._wrong, self._clips = tuple(wrong), clips
        loudest = peak or (float(np.abs(peaks).max()) if len(peaks) else 1.0)
        self._scale = 1.0 / max(LEAST_PEAK, loudest)
        self._anew()

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self._peaks) / PEAKS_PER_S

    def show_playhead(self, at: float | None) -> None:
        """Where it plays, seconds; None takes the playhead away."""
        old, self._at = self._at, at
        for place in (old, at):
            if place is not None:
                self.update(round(self._x(place)) - 3, 0, 7, self.height())

    def _x(self, seconds: float) -> float:
        return self.width() * seconds / max(self.seconds, 1e-9)

    def _anew(self) -> None:
        self._drawn = None
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Draw it in its new size."""
        super().resizeEvent(event)
        self._anew()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Point at a place, or begin to select."""
        if event is None or event.button() != Qt.MouseButton.LeftButton or not self.seconds:
            return
        if self._parts:
            self._pressed = True
            self._select(self._seconds_at(event), self._seconds_at(event))
        else:
            self.sought.emit(self._seconds_at(event))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Select."""
        if event is not None and self._pressed:
            self._select(self._from, self._seconds_at(event))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """What was no selection is a place."""
        if event is not None and self._pressed:
            self._pressed = False
            if abs(self._to - self._from) < LEAST_PART_S:
                self._select(self._to, self._to)
                self.sought.emit(self._to)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the cursor, select, play."""
        key = event.key() if event is not None and self._parts else None
        if event is None or key is None:
            return
        steps = {Qt.Key.Key_Left: -STEP_S, Qt.Key.Key_Right: STEP_S}
        ends = {Qt.Key.Key_Home: 0.0, Qt.Key.Key_End: self.seconds}
        if key in steps or key in ends:
            to = self._to + steps[key] if key in steps else ends[key]  # type: ignore[index]
            to = min(max(0.0, to), self.seconds)
            extend = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self._select(self._from if extend else to, to)
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
            self.sought.emit(min(self._from, self._to))
        elif key == Qt.Key.Key_Escape and self._from != self._to:
            self._select(self._to, self._to)
        else:
            super().keyPressEvent(event)

    def _seconds_at(self, event: QMouseEvent) -> float:
        share = min(max(0.0, event.position().x() / max(1, self.width())), 1.0)
        return share * self.seconds

    def _select(self, begin: float, end: float) -> None:
        self._from, self._to = begin, end
        self.selected.emit(min(begin, end), max(begin, end))
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Copy the pixmap, draw the playhead."""
        painter = QPainter(self)
        if self._drawn is None:
            self._drawn = self._draw()
        painter.drawPixmap(0, 0, self._drawn)
        if self._parts:
            self._draw_selection(painter)
        if self._at is not None:
            x = round(self._x(self._at))
            painter.fillRect(x - 1, 0, 2, self.height(), self._theme.color("text"))

    def _draw_selection(self, painter: QPainter) -> None:
        color = self._theme.color
        begin, end = sorted((self._x(self._from), self._x(self._to)))
        if end > begin:
            painter.fillRect(QRectF(begin, 0, end - begin, self.height()), color("score", 0.22))
        if self.hasFocus():
            x = self._x(self._to)
            painter.fillRect(QRectF(x - 1, 0, 2, self.height()), color("accent"))
            painter.setPen(color("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.drawRoundedRect(box, RADIUS, RADIUS)

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        drawn = QPixmap(self.size() * ratio)
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = self._theme.color
        ground = QPainterPath()
        ground.addRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
        painter.setClipPath(ground)
        painter.fillPath(ground, color("sunken"))
        for name, spans in (("accent", self._marked), ("warn", self._wrong)):
            painter.fillPath(self._boxes(spans), color(name, 0.14))
        for begin, end in self._framed:
            x = self._x(begin)
            painter.fillRect(QRectF(x, 0, self._x(end) - x, 3), color("score", 0.75))
        self._draw_sound(painter)
        painter.end()
        return drawn

    def _draw_sound(self, painter: QPainter) -> None:
        """The outline: grey where it is not marked, red where it is clipped."""
        width = self.width()
        if not len(self._peaks) or not width:
            return
        edges = np.linspace(0, len(self._peaks), width + 1).astype(int)
        first = np.minimum(edges[:-1], len(self._peaks) - 1)
        low = np.minimum.reduceat(self._peaks[:, 0], first)
        high = np.maximum.reduceat(self._peaks[:, 1], first)
        middle, room = self.height() / 2, self.height() / 2 - 3
        up = middle - room * np.clip(high * self._scale, 0.0, 1.0) - 0.5
        down = middle - room * np.clip(low * self._scale, -1.0, 0.0) + 0.5
        points = [QPointF(x, y) for x, y in enumerate(up.tolist())]
        points += [QPointF(x, y) for x, y in reversed(list(enumerate(down.tolist())))]
        outline = QPolygonF(points)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color("level"))
        painter.drawPolygon(outline)
        for name, spans in (("accent", self._marked), ("warn", self._wrong)):
            painter.save()
            painter.setBrush(self._theme.color(name))
            painter.setClipPath(self._boxes(spans), Qt.ClipOperation.IntersectClip)
            painter.drawPolygon(outline)
            painter.restore()
        full = np.flatnonzero(np.maximum(high, -low) >= (FULL if self._clips else np.inf))
        for x in full.tolist():
            painter.fillRect(QRectF(x, 0, 1.5, 4), self._theme.color("mute"))

    def _boxes(self, spans: Sequence[tuple[float, float]]) -> QPainterPath:
        """The place of some seconds."""
        path = QPainterPath()
        for begin, end in spans:
            x = self._x(begin)
            path.addRect(QRectF(x, 0, max(1.0, self._x(end) - x), self.height()))
        return path
