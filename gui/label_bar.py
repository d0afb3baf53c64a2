"""`LabelBar`: the score of a label, with its threshold to drag.

A bar is a slider: its value is the threshold in hundredths, so keyboards and screen readers
know what to do with it. The score is drawn under the threshold.
"""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QAbstractSlider, QSizePolicy

from gui.i18n import tr
from gui.theme import GRID, Theme

ROW: Final = 27  # pixels, and
MOST_ROW: Final = 42
NAME: Final = 52  # of the label's name
NUMBER: Final = 40
BAR: Final = 10
MARK: Final = 10  # width of the threshold's triangle
RIGHT: Final = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
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
        self._name_width = NAME
        self._score = self._shown = self._peak = 0.0
        self._peak_s = 0.0
        self._named = False
        self._quiet = False
        self._drawn: tuple[int, ...] = ()
        self._track = QRectF()
        self._key: tuple[object, ...] = ()
        self._still, self._mark = QPixmap(), QPixmap()
        self._bars: dict[str, QPixmap] = {}
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
        theme.changed.connect(self._lay_out)

    def widen_name(self, width: int) -> None:
        """Leave so many pixels for the name."""
        self._name_width = width
        self._lay_out()

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
        width, shown = self._track.width(), self._shown
        drawn = round(width * shown), round(width * self._peak), round(100 * shown)
        if drawn != self._drawn:
            self._drawn = drawn
            self.update()

    # --- steering -------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take the mark to where the pointer is."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if self._track.adjusted(-8, -8, 8, 8).contains(event.position()):
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
        track = self._track
        self.setSliderPosition(round(100 * (x - track.left()) / max(1.0, track.width())))

    def _steer(self, position: int) -> None:
        self.update()
        self.steered.emit(self.label, position / 100)

    # --- painting -------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Take the new size."""
        self._lay_out()

    def _lay_out(self) -> None:
        # so Qt paints nothing under it; each time, as styles take it from a slider
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        left = self._name_width + 2 * GRID
        width = max(10, self.width() - left - NUMBER - 2 * GRID)
        self._track = QRectF(left, self.height() // 2 - BAR // 2, width, BAR)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Copy what does not move; bar, peak and number over it; then the mark."""
        ratio = self.devicePixelRatioF()
        key = (
            self.size(), ratio, self.label, self._named, self._quiet, self.hasFocus(),
            self._name_width, self._theme.dark,
        )  # fmt: skip
        if key != self._key:
            self._draw_all(ratio)
            self._key = key
        painter, color, track = QPainter(self), self._theme.color, self._track
        painter.drawPixmap(0, 0, self._still)
        left, top, shown = track.left(), track.top(), self._shown
        over = self._named or (not self._quiet and 100 * shown >= self.value())
        name = "accent" if over else "level"
        if shown > 0.005:
            width = max(4.0, track.width() * shown)
            part = QRectF(0, 0, width * ratio, BAR * ratio)
            painter.drawPixmap(QRectF(left, top, width, BAR), self._bars[name], part)
        if self._peak > shown + 0.01:
            x = left + track.width() * self._peak
            painter.fillRect(QRectF(x - 1, top, 2, BAR), color(name))
        painter.setFont(self._theme.font(13))
        painter.setPen(color("text" if self._named else "dim"))
        box = QRectF(track.right() + GRID, 0, NUMBER, self.height())
        painter.drawText(box, RIGHT, f"{shown:.2f}")
        if not self._quiet:
            x = round(left + track.width() * self.sliderPosition() / 100)
            painter.drawPixmap(x - MARK // 2, round(top) - 9, self._mark)
        painter.end()

    def _draw_all(self, ratio: float) -> None:
        """Draw anew what is kept."""
        self._still = self._draw_still(ratio)
        self._bars = {name: self._draw_full(name, ratio) for name in ("accent", "level")}
        self._mark, painter = self._pixmap(MARK, BAR + 13, ratio)
        color = self._theme.color("text")
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for row in range(5):  # a triangle
            painter.fillRect(QRectF(row, row, MARK - 2 * row, 1), color)
        painter.fillRect(QRectF(MARK / 2 - 1, 5, 2, BAR + 8), color)
        painter.end()

    def _draw_still(self, ratio: float) -> QPixmap:
        """Name and ground."""
        still, painter = self._pixmap(self.width(), self.height(), ratio)
        color = self._theme.color
        painter.fillRect(self.rect(), color("surface"))  # that of the card it lies on
        box = QRectF(self.rect()).adjusted(1, 2, -1, -2)
        painter.setPen(color("accent") if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(color("accent", 0.16) if self._named else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(color("line"))
        painter.setBrush(color("sunken"))
        painter.drawRoundedRect(self._track.adjusted(-0.5, -0.5, 0.5, 0.5), BAR / 2, BAR / 2)
        painter.setFont(self._theme.font(14, bold=self._named))
        painter.setPen(color("faint" if self._quiet else "text"))
        name = painter.fontMetrics().elidedText(
            self.label, Qt.TextElideMode.ElideRight, self._name_width
        )
        where = QRectF(GRID, 0, self._name_width, self.height())
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()
        return still

    def _draw_full(self, name: str, ratio: float) -> QPixmap:
        """A bar of full length, of which a part is shown."""
        width = self._track.width()
        full, painter = self._pixmap(width, BAR, ratio)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color(name))
        painter.drawRoundedRect(QRectF(0, 0, width, BAR), BAR / 2, BAR / 2)
        painter.end()
        return full

    @staticmethod
    def _pixmap(width: float, height: float, ratio: float) -> tuple[QPixmap, QPainter]:
        pixmap = QPixmap(max(1, round(width * ratio)), max(1, round(height * ratio)))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        return pixmap, painter
