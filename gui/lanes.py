"""`Lanes`: one sound before and after gates, one lane each; one of them is heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.glyphs import glyph
from gui.i18n import tr
from gui.player import Player
from gui.take import peaks_of
from gui.theme import GRID, Theme
from gui.waveform import Waveform

Spans = tuple[tuple[float, float], ...]
NAME: Final = 152  # pixels of a lane's button
NEAR_S: Final = 0.1


class Lane(msgspec.Struct, frozen=True):
    """A sound in one of its forms.

    Attributes:
        name: on its button.
        audio: float32 [samples].
        spans: seconds that are coloured: where a gate was open.
    """

    name: str
    audio: NDArray[np.float32]
    spans: Spans


class Lanes(QWidget):
    """Lanes under each other; keys 1, 2, ... choose which is heard.

    `play_button` has its place elsewhere.

    Args:
        theme: the colours.
        player: what plays.
    """

    heard = pyqtSignal(int)

    def __init__(self, theme: Theme, player: Player) -> None:
        super().__init__()
        self._theme, self._player = theme, player
        self._lanes: list[Lane] = []
        self._rate = 1
        self._at = 0.0
        self._track = 0
        self._buttons = QButtonGroup(self)
        self._buttons.idClicked.connect(self.hear)
        self._waves: list[Waveform] = []
        self._keys: list[QShortcut] = []
        self.play_button = QPushButton()
        self.play_button.setAccessibleDescription(tr("Space plays and stops."))
        self.play_button.clicked.connect(self.toggle)
        legend = QLabel(
            tr("Line on top: should be let through. Green: is let through. Orange: wrongly.")
        )
        legend.setProperty("kind", "caption")
        legend.setWordWrap(True)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(GRID)
        self._grid.setVerticalSpacing(GRID // 2)
        self._grid.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        layout.addLayout(self._grid, 1)
        layout.addWidget(legend)
        player.at.connect(self._move)
        player.ended.connect(self._ended)
        theme.changed.connect(self._dress)
        self._dress()

    @property
    def plays(self) -> bool:
        """Whether it plays now."""
        return self._player.what is self

    @property
    def track(self) -> int:
        """Which lane is heard."""
        return self._track

    def show_lanes(self, lanes: Sequence[Lane], rate: int, wanted: Spans) -> None:
        """Show a sound's forms, all of one length.

        Args:
            lanes: the first is the sound as it was.
            rate: Hz.
            wanted: seconds in which a gate should be open.
        """
        self._clear()
        self._lanes, self._rate, self._at = list(lanes), rate, 0.0
        peak = max((float(np.abs(lane.audio).max()) for lane in lanes), default=1.0)
        for row, lane in enumerate(lanes):
            button = QPushButton(f"{row + 1}   {lane.name}")
            button.setCheckable(True)
            button.setFixedWidth(NAME)
            button.setStyleSheet("text-align: left; padding-left: 10px")
            button.setAccessibleName(tr("Hear {name}", name=lane.name))
            self._buttons.addButton(button, row)
            wave = Waveform(self._theme, 36)
            right, wrong = parted(lane.spans, wanted)
            peaks = peaks_of(lane.audio, rate)
            wave.show_sound(peaks, right, wanted, wrong, peak, clips=False)
            wave.sought.connect(lambda at, track=row: self._seek(track, at))
            wave.setToolTip(tr("Click to hear it from there"))
            self._grid.addWidget(button, row, 0, Qt.AlignmentFlag.AlignVCenter)
            self._grid.addWidget(wave, row, 1)
            self._waves.append(wave)
            key = QShortcut(QKeySequence(str(row + 1)), self)
            key.setContext(Qt.ShortcutContext.WindowShortcut)
            key.activated.connect(lambda track=row: self.hear(track, True))
            self._keys.append(key)
        self.hear(min(1, len(lanes) - 1))

    def toggle(self) -> None:
        """Play from where it is, or stop."""
        if self.plays:
            self._player.stop()
        elif self._lanes:
            if self._at > self._waves[0].seconds - 0.2:
                self._at = 0.0
            tracks = [lane.audio for lane in self._lanes]
            self._player.play(tracks, self._rate, self, self._track, self._at)
            self._move(self._at)
            self._dress()

    def hear(self, track: int, play: bool = False) -> None:
        """Hear another lane, at the same place; with `play` also if nothing plays."""
        self._track = track
        button = self._buttons.button(track)
        if button is not None:
            button.setChecked(True)
        if self.plays:
            self._player.hear(track)
        elif play:
            self.toggle()
        self.heard.emit(track)

    def _seek(self, track: int, at: float) -> None:
        self._at = at
        self.hear(track)
        if self.plays:
            self._player.seek(at)
        else:
            self.toggle()

    def _move(self, at: float) -> None:
        if self.plays:
            self._at = at
            for wave in self._waves:
                wave.show_playhead(at)

    def _ended(self) -> None:
        self._dress()

    def _clear(self) -> None:
        if self.plays:
            self._player.stop()
        for key in self._keys:
            key.deleteLater()
        for i, wave in enumerate(self._waves):
            button = self._buttons.button(i)
            for widget in (wave, button):
                if widget is not None:
                    self._grid.removeWidget(widget)
                    widget.hide()
                    widget.deleteLater()
            if button is not None:
                self._buttons.removeButton(button)
        self._waves, self._keys = [], []

    def _dress(self) -> None:
        self.play_button.setText(tr("Stop") if self.plays else tr("Play"))
        color = self._theme.color("text")
        self.play_button.setIcon(glyph("stop" if self.plays else "play", color))


def parted(spans: Spans, wanted: Spans) -> tuple[Spans, Spans]:
    """Openings that are right, and those that are not.

    Args:
        spans: seconds in which a gate was open.
        wanted: seconds in which it should be; shortly before and after it may.
    """
    right, wrong = [], []
    for begin, end in spans:
        at = begin
        for a, b in wanted:
            a, b = a - NEAR_S, b + NEAR_S
            if b <= at or a >= end:
                continue
            if a > at:
                wrong.append((at, a))
            right.append((max(at, a), min(end, b)))
            at = min(end, b)
        if at < end:
            wrong.append((at, end))
    return tuple(right), tuple(wrong)
