"""`Mistakes`: "that was wrong". The last ten seconds go into the next lesson."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QSizePolicy, QWidget

from gui.corrections import Kind
from gui.i18n import tr, trn
from gui.page import Context

CLIP_S = 10.0


class Mistakes(QFrame):
    """Two buttons, and how much is kept.

    Args:
        context: shared.
    """

    kept = pyqtSignal(str)  # "opened" or "missed": the clip is there

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.setProperty("kind", "card")
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 12, 8)
        grid.setSpacing(6)
        title = QLabel(tr("That was wrong:"))
        self.opened = QPushButton(tr("It o&pened"))
        self.missed = QPushButton(tr("It m&issed"))
        self.opened.setToolTip(tr("In the last ten seconds it opened and should not have."))
        self.missed.setToolTip(tr("In the last ten seconds it should have opened and did not."))
        self.opened.setAccessibleName(tr("That was wrong: it opened"))
        self.missed.setAccessibleName(tr("That was wrong: it missed"))
        for button in (self.opened, self.missed):
            button.setAccessibleDescription(button.toolTip())
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.lesson = QPushButton()
        self.lesson.setProperty("kind", "hint")
        self.lesson.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.lesson.clicked.connect(lambda: context.open_page("teach"))
        grid.addWidget(title, 0, 0, 1, 2)
        grid.addWidget(self.opened, 1, 0)
        grid.addWidget(self.missed, 1, 1)
        grid.addWidget(self.lesson, 2, 0, 1, 2)
        self.opened.clicked.connect(lambda: self.keep("opened"))
        self.missed.clicked.connect(lambda: self.keep("missed"))
        context.corrections.changed.connect(self._count)
        self._count()

    def keep(self, kind: Kind) -> None:
        """Keep the last ten seconds."""
        context = self._context
        for button in (self.opened, self.missed):
            button.setEnabled(False)

        def done(reply: dict[str, Any]) -> None:
            self._enable()
            context.corrections.add(
                reply["path"], kind, float(reply.get("t0", 0.0)), float(reply.get("t1", 0.0))
            )
            context.say(tr("The last ten seconds are kept for the next lesson."))
            self.kept.emit(kind)

        def failed(what: str, hint: str) -> None:
            self._enable()
            context.say(tr("The last seconds could not be kept: {what}", what=what))

        context.driver.request("clip", done, failed, seconds=CLIP_S)

    def _enable(self) -> None:
        for button in (self.opened, self.missed):
            button.setEnabled(True)

    def _count(self) -> None:
        n = len(self._context.corrections.all())
        kept = trn("1 kept for the next lesson …", "{n} kept for the next lesson …", n)
        self.lesson.setText(kept if n else tr("Keeps the last 10 seconds"))
        self.lesson.setEnabled(n > 0)
