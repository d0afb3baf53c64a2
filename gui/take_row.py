"""`TakeRow`: a recording in the list of a side: what can be used of it, play, leave out."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
)

from gui.glyphs import glyph
from gui.i18n import tr
from gui.take import Take
from gui.theme import GRID, Theme
from gui.waveform import Waveform

BUTTON = 28  # pixels


class TakeRow(QFrame):
    """One recording.

    Args:
        take: the recording; one that is not judged yet has no peaks and no fault.
        theme: the colours.

    Signals:
        play: play it from a second on, or stop it.
        left_out: it shall not teach.
        cut: only a part of it shall: seconds, from and to.
    """

    play = pyqtSignal(object, float)
    left_out = pyqtSignal(object)
    cut = pyqtSignal(object, float, float)

    def __init__(self, take: Take, theme: Theme) -> None:
        super().__init__()
        self.take = take
        self._theme = theme
        self._playing = False
        name = take.path.stem
        self._play = QToolButton()
        self._play.setAccessibleName(tr("Play {name}", name=name))
        self._play.clicked.connect(lambda: self.play.emit(self.take, 0.0))
        self._remove = QToolButton()
        self._remove.setAccessibleName(tr("Leave out {name}", name=name))
        self._remove.setToolTip(tr("Leave it out"))
        self._remove.clicked.connect(lambda: self.left_out.emit(self.take))
        for button in (self._play, self._remove):
            button.setProperty("kind", "quiet")
            button.setFixedSize(BUTTON, BUTTON)
            button.setIconSize(QSize(14, 14))
            button.setStyleSheet("padding: 0; min-height: 0")
        self._words = QLabel()
        self._words.setProperty("kind", "caption")
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._only = QPushButton()
        self._only.setProperty("kind", "quiet")
        self._only.setAccessibleName(tr("Use only the selected part"))
        self._only.hide()
        self._only.clicked.connect(lambda: self.cut.emit(self.take, *self._part))
        self._part = (0.0, 0.0)
        self._wave = Waveform(theme, 34, parts=True)
        self._wave.selected.connect(self._select)
        self._wave.setFixedHeight(34)
        self._wave.sought.connect(lambda at: self.play.emit(self.take, at))
        column = QVBoxLayout()
        column.setSpacing(2)
        line = QHBoxLayout()
        line.addWidget(self._words, 1)
        line.addWidget(self._only)
        column.addLayout(line)
        column.addWidget(self._wave)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, GRID // 2)
        grid.setHorizontalSpacing(GRID // 2)
        grid.addWidget(self._play, 0, 0, Qt.AlignmentFlag.AlignBottom)
        grid.addLayout(column, 0, 1)
        grid.addWidget(self._remove, 0, 2, Qt.AlignmentFlag.AlignBottom)
        grid.setColumnStretch(1, 1)
        theme.changed.connect(self._dress)
        self.show_take(take)

    def show_take(self, take: Take) -> None:
        """Show what was found out about it."""
        self.take = take
        self._wave.show_sound(take.peaks, take.usable)
        self._wave.setVisible(bool(len(take.peaks)))
        self._play.setEnabled(bool(len(take.peaks)))
        text = f"{take.path.name}  ·  {self._judgement()}"
        self._words.setText(text)
        self.setToolTip(f"{text}\n{take.path}")
        self.setAccessibleName(text)
        self._wave.setAccessibleName(text)
        self._words.setProperty("kind", "warn" if take.fault else "caption")
        self._words.setWordWrap(bool(take.fault))
        self._dress()

    def show_playing(self, at: float | None) -> None:
        """Show where it plays; None is not at all."""
        self._wave.show_playhead(at)
        if (at is not None) != self._playing:
            self._playing = at is not None
            self._dress()

    def _select(self, begin: float, end: float) -> None:
        """Offer to use a part only."""
        self._part = (begin, end)
        self._only.setVisible(end > begin)
        self._only.setText(tr("Use only {a:.1f} to {b:.1f} s", a=begin, b=end))

    def _judgement(self) -> str:
        take = self.take
        if take.fault:
            return take.fault
        if not len(take.peaks):
            return tr("being read …")
        said = tr("{a:.1f} s of sound in {b:.1f} s", a=take.usable_s, b=take.seconds)
        kinds = {
            "opened": tr("it opened here and should not have"),
            "missed": tr("it missed this"),
        }
        parts = [said]
        if take.origin in kinds:
            parts.insert(0, kinds[take.origin])
        if take.clipped > 0.03:
            parts.append(tr("{n:.0f} % clipped", n=100 * take.clipped))
        return ", ".join(parts)

    def _dress(self) -> None:
        accent = self._theme.colors.accent
        self._only.setStyleSheet(
            f"padding: 0 6px; min-height: 0; font-size: 12px; font-weight: 600; color: {accent}"
        )
        self._play.setIcon(
            glyph("stop" if self._playing else "play", self._theme.color("text"))
        )
        self._remove.setIcon(glyph("close", self._theme.color("dim")))
        style = self._words.style()
        if style is not None:
            style.polish(self._words)
