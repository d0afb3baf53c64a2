"""The application: display, theme, language, window."""

from __future__ import annotations

import argparse
from pathlib import Path

from PyQt6.QtCore import QLocale
from PyQt6.QtWidgets import QApplication

from gui import i18n
from gui.driver import GateDriver
from gui.store import Store, default_path
from gui.theme import Theme
from gui.window import Window


def run(args: argparse.Namespace) -> int:
    """Open the panel; the exit status."""
    app = QApplication(["rt-panel"])
    app.setApplicationName("rt-panel")
    store = Store(Path(args.config) if args.config else default_path())
    i18n.use(store.get("language", "") or QLocale.system().name())
    theme = Theme(store.get("theme", "system"))
    driver = GateDriver()
    window = Window(driver, store, theme)
    window.show()
    return app.exec()
