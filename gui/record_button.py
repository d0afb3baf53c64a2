"""`RecordButton`: records one side of a lesson, and shows what comes in meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.glyphs import glyph
from gui.i18n import tr
from gui.recording import PEAKS_PER_S as METER_PER_S
from gui.recording import Recording
from gui.take import PEAKS_PER_S, SideName, new_take_path
from gui.theme import GRID, Theme
from gui.waveform import Waveform
from realtime.sources import Source

LIVE_S: Final = 10.0  # of the sound that is being recorded are to be seen


class RecordButton(QWidget):
    """A button, another beside it, and the sound under them while it records.

    Args:
        side: which side.
        theme: the colours.
        beside: the other button.

    Signals:
        began: it records.
        done: it does not any more; the file, or None if there is none.
        complained: why it could not record, in a sentence.

    Attributes:
        device: gives the input device, and whether it must be that one, as of `Recording`.
    """

    began = pyqtSignal()
    done = pyqtSignal(object)
    complained = pyqtSignal(str)

    def __init__(self, side: SideName, theme: Theme, beside: QPushButton) -> None:
        super().__init__()
        self.device: Callable[[], tuple[str, bool]] = lambda: ("", True)
        self._side, self._theme = side, theme
        self._recording: Recording | None = None
        self._peaks: list[float] = []
        self._seconds = 0.0
        self._first = True
        self.button = QPushButton()
        self.button.clicked.connect(self.toggle)
        self._live = Waveform(theme, 40)
        self._live.setFixedHeight(40)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        buttons.addWidget(self.button, 1)
        buttons.addWidget(beside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addLayout(buttons)
        layout.addWidget(self._live)
        theme.changed.connect(self._dress)
        self._dress()

    @property
    def records(self) -> bool:
        """Whether it records now."""
        return self._recording is not None

    def stand_out(self, on: bool) -> None:
        """Whether recording is what is to be done first."""
        self._first = on
        self._dress()

    def toggle(self) -> None:
        """Record, or stop."""
        if self._recording is None:
            self.record()
        else:
            self._recording.stop()

    def record(self, source: Source | None = None) -> None:
        """Begin to record; `source` in place of the input device."""
        try:
            path = new_take_path(self._side)
        except OSError as e:
            self.complained.emit(tr("It cannot be written: {why}.", why=e.strerror))
            return
        recording = self._recording = Recording(path, *self.device(), source)
        recording.failed.connect(self._failed)
        recording.done.connect(lambda _: self._ended(recording))
        self._peaks, self._seconds = [], 0.0
        recording.start()
        self._dress()
        self.began.emit()

    def frame(self) -> None:
        """Draw what has come in."""
        recording = self._recording
        if recording is None or not recording.peaks:
            return
        while recording.peaks:
            self._peaks.append(recording.peaks.popleft())
            self._seconds += 1 / METER_PER_S
        count = round(LIVE_S * METER_PER_S)
        del self._peaks[:-count]
        shown = np.zeros(count, np.float32)
        shown[count - len(self._peaks) :] = self._peaks
        wide = np.repeat(shown, PEAKS_PER_S // METER_PER_S)
        self._live.show_sound(np.stack([-wide, wide], axis=1), peak=1.0)
        self._show_time()

    def finish(self) -> None:
        """End a recording now."""
        if self._recording is not None:
            self._recording.finish()
            self._recording = None

    def _ended(self, recording: Recording) -> None:
        self._recording = None
        self._dress()
        self.done.emit(recording.path)

    def _failed(self, why: str) -> None:
        self._recording = None
        self._dress()
        self.done.emit(None)
        self.complained.emit(why)

    def _dress(self) -> None:
        on = self.records
        self._live.setVisible(on)
        first = self._first and not on
        self.button.setProperty("kind", "primary" if first else "")
        style = self.button.style()
        if style is not None:
            style.polish(self.button)
        color = self._theme.color("on_accent" if first else "mute")
        self.button.setIcon(glyph("stop" if on else "record", color))
        self._show_time()

    def _show_time(self) -> None:
        wanted = self._side == "open"
        if self.records:
            text = tr(
                "Stop  {m}:{s:02d}", m=int(self._seconds // 60), s=int(self._seconds % 60)
            )
            name = tr("Stop recording")
        else:
            text = tr("&Record") if wanted else tr("R&ecord")
            name = tr("Record the wanted sound") if wanted else tr("Record everything else")
        if self.button.text() != text:
            self.button.setText(text)
            self.button.setAccessibleName(name)
