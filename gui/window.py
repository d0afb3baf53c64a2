"""The panel's window: pages, a status line, and bypass and mute that are always there."""

from __future__ import annotations

import importlib
import importlib.util

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui.corrections import Corrections
from gui.driver import GateDriver
from gui.i18n import tr
from gui.page import Context, Page
from gui.store import Store
from gui.theme import Theme

PAGES = (
    ("gui.gate_page", "GatePage"),
    ("gui.tag_page", "TagPage"),
    ("gui.teach_page", "TeachPage"),
)
FRAME_MS = 33


class Window(QMainWindow):
    """The window."""

    def __init__(self, driver: GateDriver, store: Store, theme: Theme) -> None:
        super().__init__()
        self.setWindowTitle("rt-panel")
        self._status = QLabel()
        self.context = Context(
            driver, store, theme, Corrections(store), self._status.setText, self.open_page
        )
        self.pages: dict[str, Page] = {}
        self._stack = QStackedWidget()
        side = QVBoxLayout()
        for module, kind in PAGES:
            if importlib.util.find_spec(module) is None:
                continue
            page: Page = getattr(importlib.import_module(module), kind)(self.context)
            page.restore(store.get(f"page {page.name}", {}))
            self.pages[page.name] = page
            self._stack.addWidget(page)
            button = QPushButton(page.title())
            button.clicked.connect(lambda _=False, name=page.name: self.open_page(name))
            side.addWidget(button)
        side.addStretch()
        bypass = QPushButton(tr("Bypass"))
        bypass.setCheckable(True)
        bypass.clicked.connect(driver.bypass)
        mute = QPushButton(tr("Mute"))
        mute.setCheckable(True)
        mute.clicked.connect(driver.mute)
        bottom = QHBoxLayout()
        bottom.addWidget(self._status, 1)
        bottom.addWidget(bypass)
        bottom.addWidget(mute)
        top = QHBoxLayout()
        top.addLayout(side)
        top.addWidget(self._stack, 1)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.addLayout(top, 1)
        layout.addLayout(bottom)
        self.setCentralWidget(body)
        self._clock = QTimer(self)
        self._clock.setInterval(FRAME_MS)
        self._clock.timeout.connect(self._frame)
        self._page: Page | None = None
        if self.pages:
            self.open_page(next(iter(self.pages)))

    def open_page(self, name: str) -> None:
        """Show a page."""
        page = self.pages[name]
        if self._page is not None and self.isVisible():
            self._page.shown(False)
        self._page = page
        self._stack.setCurrentWidget(page)
        if self.isVisible():
            page.shown(True)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Begin to draw."""
        super().showEvent(event)
        if self._page is not None:
            self._page.shown(True)
        self._clock.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Draw no more."""
        super().hideEvent(event)
        self._clock.stop()
        if self._page is not None:
            self._page.shown(False)

    def _frame(self) -> None:
        if self._page is not None:
            self._page.frame()
