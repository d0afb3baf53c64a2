"""`TagRows`: what was heard, by name, in rows under the spectrogram."""

from __future__ import annotations

from math import inf
from typing import Final

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QFontMetrics, QPainter, QPixmap

from gui.ear import COLUMN_S, Tag
from gui.theme import Theme

ROW: Final = 22  # pixels
ROWS: Final = 2
MOST_TAGS: Final = 200
LEAST: Final = 6  # pixels of an event's bar
APART_S: Final = 4 * COLUMN_S
BESIDE: Final = 7  # pixels from where an event begins to its name


class TagRows:
    """Events, each where it was named; in the second row where the first is taken.

    Args:
        theme: the colours.
    """

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._names: dict[str, QPixmap] = {}
        self._ratio = 1.0
        self.clear()

    def __len__(self) -> int:
        return len(self._tags)

    def __contains__(self, tag: Tag) -> bool:
        return tag.number in self._tags

    def clear(self) -> None:
        """Forget all."""
        self._tags: dict[int, tuple[Tag, int]] = {}
        self._free = [-inf] * ROWS  # from this second on

    def restyle(self, ratio: float) -> None:
        """Colours may have changed, or how many device pixels there are in one pixel."""
        self._ratio = ratio
        self._names.clear()

    def begins(self) -> set[int]:
        """The columns in which events begin."""
        return {round(tag.start / COLUMN_S) for tag, _ in self._tags.values()}

    def add(self, tag: Tag) -> None:
        """Take an event that began or ended."""
        known = self._tags.get(tag.number)
        if known is not None:
            row = known[1]
        else:
            free = self._free
            row = 0 if free[0] <= tag.start else min(range(ROWS), key=free.__getitem__)
        self._tags[tag.number] = tag, row
        words = self._name(tag.label).width() / self._ratio * COLUMN_S
        end = inf if tag.stop is None else max(tag.stop, tag.start + words)
        self._free[row] = end + APART_S
        while len(self._tags) > MOST_TAGS:
            del self._tags[next(iter(self._tags))]

    def draw(self, painter: QPainter, top: int, width: int, now_s: float) -> None:
        """Draw the rows.

        Args:
            painter: of the spectrogram.
            top: pixels from its upper edge to the rows.
            width: of the spectrogram, pixels.
            now_s: the instant at its right edge.
        """
        color = self._theme.color
        line, over, on = color("accent", 0.45), color("accent", 0.28), color("accent", 0.45)
        for tag, row in self._tags.values():
            begin = round(width - (now_s - tag.start) / COLUMN_S)
            end = round(width - (now_s - (tag.stop or now_s)) / COLUMN_S)
            name = self._name(tag.label)
            if begin > width or max(end, begin + name.width()) < 0:
                continue
            y = top + row * ROW + 3
            painter.fillRect(begin, top, 1, y - top, line)
            bar = max(LEAST, end - begin)
            painter.fillRect(begin, y, bar, ROW - 5, over if tag.stop else on)
            painter.drawPixmap(begin, y, name)

    def _name(self, label: str) -> QPixmap:
        """Where an event begins, with its name; drawn once for each."""
        found, ratio = self._names.get(label), self._ratio
        if found is None:
            font = self._theme.font(12, bold=True)
            width = QFontMetrics(font).horizontalAdvance(label) + 2 * BESIDE
            found = QPixmap(round(width * ratio), round((ROW - 5) * ratio))
            found.setDevicePixelRatio(ratio)
            found.fill(Qt.GlobalColor.transparent)
            painter = QPainter(found)
            painter.setFont(font)
            painter.setPen(self._theme.color("text"))
            painter.fillRect(0, 0, 2, ROW - 5, self._theme.color("accent"))
            box = QRectF(BESIDE, 0, width, ROW - 5)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, label)
            painter.end()
            self._names[label] = found
        return found
