"""The application: display, language, theme, window, tray, gate; from start to end."""

from __future__ import annotations

import argparse
import os
import signal
import socket
from pathlib import Path

from PyQt6.QtCore import QLocale, QObject, QSocketNotifier, QTimer
from PyQt6.QtWidgets import QApplication
from PyQt6.sip import voidptr

from gui import i18n
from gui.display import require_display
from gui.driver import GateDriver
from gui.gate_page import GatePage
from gui.instance import Instance, key_of
from gui.lamp import icon
from gui.minder import Minder, address_of
from gui.pairs import Pairs
from gui.status import Status
from gui.store import Store, default_path
from gui.theme import Theme
from gui.tray import Tray
from gui.window import Window


class Panel(QObject):
    """All parts of the running panel.

    Args:
        path: of the settings.
        target: the gate to drive; None starts one.
        minimised: start in the tray, or minimised where there is none.
        page: to show first; empty is the last one.
    """

    def __init__(
        self,
        path: Path,
        target: str | None = None,
        minimised: bool = False,
        page: str = "",
    ) -> None:
        super().__init__()
        self.store = Store(path)
        i18n.use(self.store.get("language", "") or QLocale.system().name())
        self.theme = Theme(self.store.get("theme", "system"))
        self.driver = GateDriver()
        self.status = Status(self.driver)
        self.window = Window(self.driver, self.status, self.store, self.theme, Tray.possible)
        self.tray = Tray(self.status)
        pairs = Pairs(self.store, target or "")
        gate = self.window.pages["gate"]
        if isinstance(gate, GatePage):
            gate.pairs = pairs
        self.minder = Minder(self.driver, self.status, pairs, target)
        self.tray.asked.connect(self.obey)
        self.window.left.connect(self.quit)
        if page:
            self.window.open_page(page)
        self.tray.show()
        if not minimised:
            self.window.show()
        elif not Tray.possible():
            self.window.showMinimized()
        self.minder.start()

    def obey(self, word: str) -> None:
        """Do what the tray, or another start of the panel, asks for."""
        if word == "show":
            self.window.bring()
        elif word == "quit":
            if self.window.may_end():
                self.quit()
        else:
            self.window.toggle(word)

    def quit(self) -> None:
        """End everything."""
        self.window.save()
        self.window.hide()
        self.tray.hide()
        self.minder.stop()
        QApplication.quit()


def run(args: argparse.Namespace) -> int:
    """Open the panel; the exit status.

    Raises:
        AudioError: there is no display.
        MissingExtra: Qt lacks a library for it.
        UsageError: a target that cannot be.
    """
    require_display(os.environ)
    path = Path(args.config) if args.config else default_path()
    if args.connect:
        address_of(args.connect)
    scale = Store(path).get("scale", 100) if path.is_file() else 100
    if scale != 100:
        os.environ.setdefault("QT_SCALE_FACTOR", f"{scale / 100:g}")
    app = QApplication(["rt-panel"])
    app.setApplicationName("rt-panel")
    app.setDesktopFileName("rt-panel")
    app.setQuitOnLastWindowClosed(False)
    app.setWindowIcon(icon("open"))
    instance = Instance(key_of(path, args.connect))
    if instance.tell("show"):
        return 0
    instance.listen()
    panel = Panel(path, args.connect, args.minimised, args.page or "")
    instance.told.connect(panel.obey)
    keep = _on_signals(panel)
    try:
        return app.exec()
    finally:
        instance.close()
        del keep


def _on_signals(panel: Panel) -> list[object]:
    """End in good order on Ctrl-C and SIGTERM; what has to be kept alive for that."""
    read, write = socket.socketpair()
    write.setblocking(False)
    signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    notifier = QSocketNotifier(voidptr(read.fileno()), QSocketNotifier.Type.Read)

    def end() -> None:
        read.recv(16)
        QTimer.singleShot(0, panel.quit)

    notifier.activated.connect(end)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return [notifier, read, write]
