"""`EventList`: what was heard, the newest on top; each with its sound."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QPoint, QRect, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PyQt6.QtWidgets import (
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from gui.ear import Tag
from gui.glyphs import draw
from gui.i18n import tr
from gui.theme import Theme

MOST: Final = 500  # rows
CLIPS_BYTES: Final = 32 << 20  # of sound; the oldest clips go first
ROW: Final = 32  # pixels
PLAY, TIME, LABEL, SCORE, LENGTH = range(5)
RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
DRAWN: Final = 12


class Row(msgspec.Struct, frozen=True):
    """An event in the table.

    Attributes:
        tag: the event.
        clock_s: `time.time()` of its input's first sample; None shows seconds of the input.
    """

    tag: Tag
    clock_s: float | None

    @property
    def when(self) -> str:
        """When it was, as a person reads it."""
        start = self.tag.start
        if self.clock_s is None:
            return f"{int(start // 60)}:{start % 60:04.1f}"
        return time.strftime("%H:%M:%S", time.localtime(self.clock_s + start))


class Events(QAbstractTableModel):
    """Events as a table, the newest first; bounded."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self.playing: int | None = None
        self._bytes = 0

    def clear(self) -> None:
        """Forget all."""
        self.beginResetModel()
        self.rows, self._bytes = [], 0
        self.endResetModel()

    def add(self, tag: Tag, clock_s: float | None) -> None:
        """Take an event that began or ended; `clock_s` as of `Row`."""
        for i, row in enumerate(self.rows):
            if row.tag.number == tag.number:
                self.rows[i] = Row(tag, row.clock_s)
                self._bytes += tag.clip.nbytes - row.tag.clip.nbytes
                self.dataChanged.emit(self.index(i, 0), self.index(i, LENGTH))
                break
        else:
            self.beginInsertRows(QModelIndex(), 0, 0)
            self.rows.insert(0, Row(tag, clock_s))
            self._bytes += tag.clip.nbytes
            self.endInsertRows()
        self._forget()

    def _forget(self) -> None:
        """Keep the table and its clips bounded."""
        if len(self.rows) > MOST:
            self.beginRemoveRows(QModelIndex(), MOST, len(self.rows) - 1)
            self._bytes -= sum(row.tag.clip.nbytes for row in self.rows[MOST:])
            del self.rows[MOST:]
            self.endRemoveRows()
        i = len(self.rows) - 1
        while self._bytes > CLIPS_BYTES and i > 0:
            row = self.rows[i]
            self._bytes -= row.tag.clip.nbytes
            silent = msgspec.structs.replace(row.tag, clip=row.tag.clip[:0].copy())
            self.rows[i] = Row(silent, row.clock_s)
            i -= 1

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many events there are."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Play, time, label, score, length."""
        return LENGTH + 1

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Names of the columns."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("", tr("Time"), tr("Sound"), tr("Score"), tr("Length"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section in (SCORE, LENGTH):
            return RIGHT
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A cell."""
        row, column = self.rows[index.row()], index.column()
        tag = row.tag
        if role == Qt.ItemDataRole.DisplayRole:
            length = "…" if tag.stop is None else f"{tag.stop - tag.start:.1f} s"
            return ("", row.when, tag.label, f"{tag.score:.2f}", length)[column]
        if role == Qt.ItemDataRole.AccessibleTextRole and column == PLAY:
            return tr("Play {label}", label=tag.label) if len(tag.clip) else ""
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (SCORE, LENGTH):
            return RIGHT
        return None

    def write(self, path: Path) -> None:
        """Write all events as CSV, the oldest first.

        Raises:
            OSError: the file cannot be written.
        """
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["time", "start_s", "stop_s", "label", "score"])
            for row in reversed(self.rows):
                tag = row.tag
                stop = "" if tag.stop is None else f"{tag.stop:.2f}"
                table.writerow(
                    [row.when, f"{tag.start:.2f}", stop, tag.label, f"{tag.score:.3f}"]
                )


class EventList(QTableView):
    """The table.

    Args:
        theme: the colours.

    Signals:
        chosen: play, or stop, the clip of an event.
    """

    chosen = pyqtSignal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.events = Events()
        self.setModel(self.events)
        self.setAccessibleName(tr("Events"))
        self.setAccessibleDescription(tr("What was heard; Enter plays the sound."))
        self.setItemDelegateForColumn(PLAY, _PlayCell(theme, self.events, self))
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.setMinimumHeight(96)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setDefaultSectionSize(ROW)
        columns.setHighlightSections(False)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setSectionResizeMode(LABEL, QHeaderView.ResizeMode.Stretch)
        for column, width in ((PLAY, 40), (TIME, 88), (SCORE, 72), (LENGTH, 72)):
            self.setColumnWidth(column, width)
        theme.changed.connect(lambda: self._view().update())

    def show_playing(self, number: int | None) -> None:
        """Mark the event whose clip plays."""
        self.events.playing = number
        self._view().update()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter and space play."""
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
        if event is not None and event.key() in keys and self.currentIndex().isValid():
            self.chosen.emit(self.events.rows[self.currentIndex().row()].tag)
            return
        super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """A click on the picture plays."""
        super().mouseReleaseEvent(event)
        if event is None:
            return
        index = self.indexAt(event.pos())
        if index.isValid() and index.column() == PLAY:
            self.chosen.emit(self.events.rows[index.row()].tag)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """So does a double click anywhere else in a row."""
        if event is None:
            return
        index = self.indexAt(event.pos())
        if index.isValid() and index.column() != PLAY:
            self.chosen.emit(self.events.rows[index.row()].tag)

    def _view(self) -> QWidget:
        view = self.viewport()
        assert view is not None
        return view


class _PlayCell(QStyledItemDelegate):
    """A triangle, or a square while it plays."""

    def __init__(self, theme: Theme, events: Events, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._events = theme, events

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw it."""
        if painter is None:
            return
        super().paint(painter, option, index)
        tag = self._events.rows[index.row()].tag
        if not len(tag.clip):
            return
        plays = tag.number == self._events.playing
        under = bool(option.state & QStyle.StateFlag.State_MouseOver)
        color = self._theme.color("accent" if plays or under else "dim")
        box = QRect(0, 0, DRAWN, DRAWN)
        box.moveCenter(option.rect.center() + QPoint(1, 1))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(box.topLeft())
        painter.scale(DRAWN, DRAWN)
        draw(painter, "stop" if plays else "play", color)
        painter.restore()
