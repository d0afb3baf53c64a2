"""`LabelBar`: the score of a label, with its threshold to drag.

A bar is a slider: its value is the threshold in hundredths, so keyboards and screen readers
know what to do with it. The score is drawn under the threshold.
"""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF, QWheelEvent
from PyQt6.QtWidgets import QAbstractSlider, QSizePolicy

from gui.i18n import tr
from gui.theme import GRID, Theme

ROW: Final = 27  # pixels, and
MOST_ROW: Final = 42
NAME: Final = 52  # of the label's name
NUMBER: Final = 40
HOLD_S: Final = 1.5  # a peak stays so long
FALL: Final = 1.2  # of bars, in a second
RISE: Final = 30.0


class LabelBar(QAbstractSlider):
    """One label.

    Args:
        theme: the colours.

    Signals:
        steered: the person set a threshold: label and value, 0 to 1; below 0 is the card's.
    """

    steered = pyqtSignal(str, float)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.label = ""
        self.name_width = NAME
        self._score = self._shown = self._peak = 0.0
        self._peak_s = 0.0
        self._named = False
        self._quiet = False
        self._drawn: tuple[int, ...] = ()
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setRange(1, 100)
        self.setSingleStep(1)
        self.setPageStep(5)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMaximumHeight(MOST_ROW)
        self.setAccessibleDescription(
            tr("Arrows move the threshold, Delete gives back the model's own.")
        )
        self.actionTriggered.connect(lambda _: self._steer(self.sliderPosition()))

    def sizeHint(self) -> QSize:
        """A row."""
        return QSize(220, ROW)

    def minimumSizeHint(self) -> QSize:
        """A row that still shows its name."""
        return QSize(160, ROW)

    def show_label(self, label: str, threshold: float, quiet: bool = False) -> None:
        """Stand for a label.

        Args:
            label: its name.
            threshold: in force.
            quiet: it never makes an event, and has no threshold.
        """
        if label != self.label:
            self._score = self._shown = self._peak = 0.0
        self.label, self._quiet = label, quiet
        self.setEnabled(not quiet)
        self.setAccessibleName(tr("Threshold of {label}", label=label))
        self.setToolTip(
            tr("{label}: background, never an event", label=label)
            if quiet
            else tr("{label}: drag the mark; a double click gives back the model's own",
                    label=label)
        )  # fmt: skip
        if not self.isSliderDown():
            self.blockSignals(True)
            self.setValue(round(100 * threshold))
            self.blockSignals(False)
        self.update()

    def hear(self, score: float, named: bool) -> None:
        """Take a score; `named`: whether the label is heard right now."""
        self._score = score
        if named != self._named:
            self._named = named
            self.update()

    def advance(self, passed_s: float) -> None:
        """Move the bar; it is painted if that can be seen."""
        if self._score > self._shown:
            self._shown = min(self._score, self._shown + RISE * passed_s)
        else:
            self._shown = max(self._score, self._shown - FALL * passed_s)
        self._peak_s -= passed_s
        if self._score >= self._peak or self._peak_s < 0.0:
            self._peak = max(self._score, self._peak - FALL * passed_s)
            self._peak_s = HOLD_S if self._score >= self._peak else 0.0
        width = self._track().width()
        drawn = (
            round(width * self._shown), round(width * self._peak), round(100 * self._shown),
        )  # fmt: skip
        if drawn != self._drawn:
            self._drawn = drawn
            self.update(round(self._track().left()) - 6, 0, self.width(), self.height())

    # --- steering -------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take the mark to where the pointer is."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if self._track().adjusted(-8, -8, 8, 8).contains(event.position()):
            self.setSliderDown(True)
            self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Drag it."""
        if event is not None and self.isSliderDown():
            self._drag(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let go."""
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Give back the model's own."""
        self.setSliderDown(False)
        self.steered.emit(self.label, -1.0)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Delete gives back the model's own; the rest is a slider's."""
        if event is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.steered.emit(self.label, -1.0)
            return
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Scroll the list, not the threshold."""
        if event is not None:
            event.ignore()

    def _drag(self, x: float) -> None:
        track = self._track()
        self.setSliderPosition(round(100 * (x - track.left()) / max(1.0, track.width())))

    def _steer(self, position: int) -> None:
        self.update()
        self.steered.emit(self.label, position / 100)

    # --- painting -------------------------------------------------------------------------

    def _track(self) -> QRectF:
        left = self.name_width + 2 * GRID
        width = max(10, self.width() - left - NUMBER - 2 * GRID)
        return QRectF(left, self.height() / 2 - 5, width, 10)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Name, bar, mark, number."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color, track = self._theme.color, self._track()
        painter.setPen(Qt.PenStyle.NoPen)
        if self._named:
            painter.setBrush(color("accent", 0.16))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 2, -1, -2), 6, 6)
        if event is not None and event.rect().left() < self.name_width:
            self._draw_name(painter)
        self._draw_bar(painter, track)
        painter.setFont(self._theme.font(13))
        painter.setPen(color("text" if self._named else "dim"))
        box = QRectF(track.right() + GRID, 0, NUMBER, self.height())
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(box, right, f"{self._shown:.2f}")
        if self.hasFocus():
            painter.setPen(color("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 2, -1, -2), 6, 6)

    def _draw_name(self, painter: QPainter) -> None:
        painter.setFont(self._theme.font(14, bold=self._named))
        painter.setPen(self._theme.color("faint" if self._quiet else "text"))
        name = painter.fontMetrics().elidedText(
            self.label, Qt.TextElideMode.ElideRight, self.name_width
        )
        box = QRectF(GRID, 0, self.name_width, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, name)

    def _draw_bar(self, painter: QPainter, track: QRectF) -> None:
        color = self._theme.color
        painter.setPen(color("line"))
        painter.setBrush(color("sunken"))
        painter.drawRoundedRect(track.adjusted(-0.5, -0.5, 0.5, 0.5), 5, 5)
        over = self._named or (not self._quiet and 100 * self._shown >= self.value())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("accent" if over else "level"))
        if self._shown > 0.005:
            bar = QRectF(track)
            bar.setWidth(max(4.0, track.width() * self._shown))
            painter.drawRoundedRect(bar, 5, 5)
        if self._peak > self._shown + 0.01:
            x = track.left() + track.width() * self._peak
            painter.drawRect(QRectF(x - 1, track.top(), 2, track.height()))
        if self._quiet:
            return
        x = track.left() + track.width() * self.sliderPosition() / 100
        painter.setBrush(color("text"))
        painter.drawRect(QRectF(x - 1, track.top() - 4, 2, track.height() + 8))
        top = track.top() - 4
        painter.drawPolygon(
            QPolygonF([QPointF(x - 5, top - 5), QPointF(x + 5, top - 5), QPointF(x, top + 1)])
        )
