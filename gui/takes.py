"""`Takes`: a side of a lesson: record, drop or choose recordings, see what they are worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QDragEnterEvent, QDropEvent, QResizeEvent
from PyQt6.QtWidgets import (
    QFrame,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from gui.aside import aside
from gui.asking import ask_sounds
from gui.dropping import accept_files, dropped_files
from gui.i18n import tr
from gui.record_button import RecordButton
from gui.take import (
    SideName,
    Take,
    advice,
    cut_take,
    judge_take,
    new_take_path,
)
from gui.take_list import TakeList
from gui.take_row import TakeRow
from gui.theme import GRID, Theme
from gui.time_bar import TimeBar
from realtime.errors import RtError
from realtime.learn.demands import LEAST_S
from realtime.learn.examples import list_files

MOST_FILES: Final = 200
LOW: Final = 340  # pixels


class Takes(QFrame):
    """One side.

    Args:
        side: which one.
        theme: the colours.

    Signals:
        changed: there is more, less, or more known about it.
        play: as of `TakeRow`.
        left_out: a person took a recording out.
        complained: something went wrong, in a sentence.
    """

    changed = pyqtSignal()
    play = pyqtSignal(object, float)
    left_out = pyqtSignal(object)
    complained = pyqtSignal(str)

    def __init__(self, side: SideName, theme: Theme) -> None:
        super().__init__()
        self.side = side
        self._theme = theme
        self._least_s = LEAST_S
        self._rows: list[TakeRow] = []
        self._unread: list[TakeRow] | None = None  # while it rests
        self.setProperty("kind", "card")
        self.setAcceptDrops(True)
        self._build()
        theme.changed.connect(self._dress)
        self._dress()
        self._judge_all()

    def _build(self) -> None:
        wanted = self.side == "open"
        title = QLabel(tr("The wanted sound") if wanted else tr("Everything else"))
        title.setProperty("kind", "title")
        words = QLabel(
            tr("What shall open the gate, by itself. Loud and soft, near and far.")
            if wanted
            else tr("What else this microphone hears: keys, fan, talk, an empty room.")
        )
        words.setProperty("kind", "dim")
        words.setWordWrap(True)
        self._words = words
        add = QPushButton(tr("Add &files …") if wanted else tr("A&dd files …"))
        add.setAccessibleName(
            tr("Add files of the wanted sound")
            if wanted
            else tr("Add files of everything else")
        )
        add.clicked.connect(lambda: self.add(ask_sounds(self)))
        self.recorder = RecordButton(self.side, self._theme, add)
        self.recorder.done.connect(self._recorded)
        self.recorder.complained.connect(self.complained)
        self._bar = TimeBar(self._theme, LEAST_S)
        self._advice = QLabel()
        self._advice.setWordWrap(True)
        self._empty = QLabel(tr("or drop sound files here"))
        self._empty.setObjectName("drop")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._list = TakeList()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, GRID + 4, 2 * GRID, GRID)
        layout.setSpacing(GRID)
        for widget in (title, words, self.recorder, self._bar, self._advice):
            layout.addWidget(widget)
        layout.addWidget(self._empty, 1)
        layout.addWidget(self._list, 1)

    def _dress(self) -> None:
        colors = self._theme.colors
        self._empty.setStyleSheet(
            f"border: 2px dashed {colors.line}; border-radius: 8px; color: {colors.dim}"
        )

    # --- what there is ----------------------------------------------------------------------

    @property
    def takes(self) -> list[Take]:
        """All recordings, judged or not."""
        return [row.take for row in self._rows]

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of those that can be used."""
        return tuple(t.path for t in self.takes if not t.fault)

    @property
    def judging(self) -> bool:
        """Whether some are still being read."""
        return any(not t.fault and not len(t.peaks) for t in self.takes)

    @property
    def seconds(self) -> float:
        """Seconds of usable sound."""
        return sum(t.usable_s for t in self.takes if not t.fault)

    @property
    def blocked(self) -> str:
        """Why there can be no lesson yet; empty if there can."""
        text, must = advice(self.takes, self.side, self._least_s)
        return text if must else ""

    def rest(self) -> None:
        """Read nothing until `wake`: nobody looks."""
        self._unread = []

    def wake(self) -> None:
        """Read what came meanwhile, and from now on at once."""
        unread, self._unread = self._unread or [], None
        for row in unread:
            if row in self._rows:
                self._judge(row)

    def demand(self, least_s: float) -> None:
        """Say how many seconds it must have."""
        self._least_s = least_s
        self._judge_all()

    def add(self, paths: Iterable[Path], origin: str = "file") -> None:
        """Take files and what is in folders; each is judged in a thread."""
        for path in paths:
            try:
                files = list_files(self.side, [str(path)])
            except RtError as e:
                self.complained.emit(str(e).removeprefix(f"--{self.side} "))
                continue
            new = [f for f in files if f not in {t.path for t in self.takes}]
            room = max(0, MOST_FILES - len(self._rows))
            if len(new) > room:
                self.complained.emit(tr("{n} recordings of a side are enough.", n=MOST_FILES))
            for file in new[:room]:
                self._add_row(Take(file, origin=origin))
        self._judge_all()

    def keep_only(self, files: Sequence[Path], origin: str) -> None:
        """Of recordings of one origin, keep those in a list, and add what is missing."""
        for row in list(self._rows):
            if row.take.origin == origin and row.take.path not in files:
                self._drop(row)
        self.add([p for p in files if p not in [t.path for t in self.takes]], origin)

    def clear(self) -> None:
        """Forget all; files stay."""
        for row in list(self._rows):
            self._drop(row)
        self._judge_all()

    def show_playing(self, path: Path | None, at: float | None) -> None:
        """Show which recording plays, and where."""
        for row in self._rows:
            row.show_playing(at if row.take.path == path else None)

    def _add_row(self, take: Take) -> None:
        row = TakeRow(take, self._theme)
        row.play.connect(self.play)
        row.left_out.connect(self._leave_out)
        row.cut.connect(self._cut)
        self._rows.insert(0, row)
        self._list.put(row)
        if self._unread is None:
            self._judge(row)
        else:
            self._unread.append(row)

    def _judge(self, row: TakeRow) -> None:
        """Read a recording, in a thread."""
        take = row.take

        def judged(found: Take) -> None:
            if row in self._rows:
                row.show_take(found)
                self._judge_all()

        aside(row, lambda: judge_take(take.path, take.origin), judged)

    def _leave_out(self, take: Take) -> None:
        for row in list(self._rows):
            if row.take.path == take.path:
                self._drop(row)
        self.left_out.emit(take)
        self._judge_all()

    def _cut(self, take: Take, begin: float, end: float) -> None:
        """Put a part of a recording in its place; the recording stays as it is."""
        try:
            path = new_take_path(self.side)
        except OSError as e:
            self.complained.emit(tr("It cannot be written: {why}.", why=e.strerror))
            return

        def done(why: str) -> None:
            if why:
                self.complained.emit(why)
                return
            self._leave_out(take)
            self.add([path], "recorded")

        aside(self, lambda: cut_take(take.path, path, begin, end), done)

    def _drop(self, row: TakeRow) -> None:
        self._rows.remove(row)
        self._list.drop(row)

    def _judge_all(self) -> None:
        text, must = advice(self.takes, self.side, self._least_s)
        if self.judging:
            text, must = tr("Recordings are being read …"), False
        self._bar.show_seconds(self.seconds, self._least_s)
        self._advice.setText(text)
        self._advice.setVisible(bool(text))
        kind = "warn" if must and self._rows else "dim"
        if self._advice.property("kind") != kind:
            self._advice.setProperty("kind", kind)
            style = self._advice.style()
            if style is not None:
                style.polish(self._advice)
        self._empty.setVisible(not self._rows)
        self._make_room()
        self._list.setVisible(bool(self._rows))
        self.recorder.stand_out(bool(self.blocked))
        self.changed.emit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """On a small screen the list has the room of what everybody has read by then."""
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        self._words.setVisible(not self._rows or self.height() >= LOW)

    # --- recording --------------------------------------------------------------------------

    @property
    def records(self) -> bool:
        """Whether it records now."""
        return self.recorder.records

    def stop_recording(self) -> None:
        """Stop, if it records; what was recorded is kept."""
        if self.records:
            self.recorder.toggle()

    def _recorded(self, path: Path | None) -> None:
        if path is not None:
            self.add([path], "recorded")

    # --- files ------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Files and folders may be dropped."""
        accept_files(event)

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Take them."""
        self.add(dropped_files(event))
