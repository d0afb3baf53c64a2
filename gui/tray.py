"""`Tray`: the gate's state beside the clock, and bypass from there."""

from __future__ import annotations

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QSystemTrayIcon

from gui.i18n import tr
from gui.lamp import icon
from gui.status import Lamp, Status


class Tray(QObject):
    """The icon; a middle click switches bypass.

    Args:
        status: what it shows.

    Signals:
        asked: "show", "bypass", "mute" or "quit".
    """

    asked = pyqtSignal(str)

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status
        self._icons: dict[Lamp, object] = {}
        self._shown: Lamp | None = None
        self._menu = QMenu()
        self.actions: dict[str, QAction] = {}
        for word, text in (
            ("show", tr("Show the panel")),
            ("bypass", tr("Bypass")),
            ("mute", tr("Mute")),
            ("quit", tr("Quit")),
        ):
            action = self._menu.addAction(text)
            if action is None:
                continue
            action.setCheckable(word in ("bypass", "mute"))
            action.triggered.connect(lambda _=False, word=word: self.asked.emit(word))
            self.actions[word] = action
        self._icon = QSystemTrayIcon()
        self._icon.setContextMenu(self._menu)
        self._icon.activated.connect(self._click)
        status.changed.connect(self._follow)
        self._follow()

    @staticmethod
    def possible() -> bool:
        """Whether this desktop has a place for it."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show(self) -> None:
        """Be there."""
        self._icon.show()

    def hide(self) -> None:
        """Be gone."""
        self._icon.hide()

    def hint(self) -> str:
        """What it says under the pointer."""
        return self._icon.toolTip()

    def _click(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        kinds = QSystemTrayIcon.ActivationReason
        if reason in (kinds.Trigger, kinds.DoubleClick):
            self.asked.emit("show")
        elif reason == kinds.MiddleClick:
            self.asked.emit("bypass")

    def _follow(self) -> None:
        status = self._status
        self.actions["bypass"].setChecked(status.bypass)
        self.actions["mute"].setChecked(status.mute)
        if status.lamp != self._shown:
            self._shown = status.lamp
            self._icon.setIcon(icon(status.lamp))
            self._icon.setToolTip(f"rt-panel: {status.word()}")
