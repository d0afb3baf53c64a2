"""The panel's window: pages, a status line, and bypass and mute that are always there."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QByteArray, QEvent, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QHideEvent, QKeyEvent, QShowEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui.bar import Banner, Bar
from gui.corrections import Corrections
from gui.driver import PAST_S, GateDriver
from gui.gate_page import GatePage
from gui.i18n import tr
from gui.options_page import OptionsPage
from gui.page import Context, Page
from gui.side import Side
from gui.status import Status
from gui.store import Store
from gui.tag_page import TagPage
from gui.teach_page import TeachPage
from gui.theme import Theme

FRAME_MS = 33
FAST = 30  # meters in a second of a page that draws each of them
LATE_MS = 50  # for a frame that comes with the meters: by itself if they stay away
FRAME = 32  # pixels that a desktop takes for the title


class Window(QMainWindow):
    """The window.

    Args:
        driver: the gate.
        status: its state.
        store: settings.
        theme: colours.
        tray: whether there is a tray to stay in when it is closed; it may come late.

    Signals:
        left: it was closed for good.
    """

    left = pyqtSignal()

    def __init__(
        self,
        driver: GateDriver,
        status: Status,
        store: Store,
        theme: Theme,
        tray: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self._tray, self._store = tray, store
        self._running = False
        self._clock = QTimer(self)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.timeout.connect(self._frame)
        self.status = status
        self.setWindowTitle("rt-panel")
        self.setMinimumSize(480, 320)
        self.bar = Bar(driver, status, theme)
        self.banner = Banner(driver, status)
        self.context = Context(
            driver, store, theme, Corrections(store), self.bar.say, self.open_page
        )
        driver.failed.connect(self._complain)
        self.pages: dict[str, Page] = {}
        self._page: Page | None = None
        self._stack = QStackedWidget()
        self._side = Side(theme)
        self._side.asked.connect(self.open_page)
        for page in self._make_pages():
            page.restore(store.get(f"page {page.name}", {}))
            self.pages[page.name] = page
            self._stack.addWidget(page)
            self._side.add(page.name, page.title(), last=isinstance(page, OptionsPage))
        driver.meters.connect(self._follow)  # after the pages: they have taken them then
        self._lay_out()
        screen = self.screen()
        room = screen.availableGeometry() if screen is not None else self.geometry()
        self.resize(min(1040, room.width()), min(680, room.height() - FRAME))
        self.restoreGeometry(QByteArray.fromHex(store.get("geometry", "").encode()))
        self.open_page(store.get("page", "gate"))
        if store.complaint:
            self.bar.say(
                tr(
                    "The settings could not be read; they are kept as {path}.",
                    path=store.complaint,
                )
            )

    def open_page(self, name: str) -> None:
        """Show a page; one that there is not is the first."""
        page = self.pages.get(name) or next(iter(self.pages.values()))
        if page is not self._page:
            was, self._page = self._page, page
            if was is not None and self.running:
                was.shown(False)
            self._stack.setCurrentWidget(page)
            self._side.select(page.name)
            self._store.put("page", page.name)
            if self.running:
                self._begin()

    def toggle(self, switch: str) -> None:
        """Bypass or mute, from a key or the tray."""
        driver = self.context.driver
        if switch == "bypass":
            driver.bypass(not self.status.bypass)
        else:
            driver.mute(not self.status.mute)

    def bring(self) -> None:
        """Come to the front."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def save(self) -> None:
        """Keep what the next start restores."""
        for page in self.pages.values():
            self._store.put(f"page {page.name}", page.save())
        self._store.put("geometry", bytes(self.saveGeometry().toHex().data()).decode())
        self._store.flush()

    def may_end(self) -> bool:
        """Ask, if something would be lost; then end it."""
        busy = [text for page in self.pages.values() if (text := page.busy())]
        if busy and not self._ask(busy):
            return False
        for page in self.pages.values():
            page.finish()
        return True

    # --- being seen or not --------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it draws: it is to be seen."""
        return self._running

    def showEvent(self, event: QShowEvent | None) -> None:
        """Begin to draw."""
        super().showEvent(event)
        self._attend()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Draw no more."""
        super().hideEvent(event)
        self._attend()

    def changeEvent(self, event: QEvent | None) -> None:
        """Likewise when it is minimised."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.WindowStateChange:
            self._attend()

    def _attend(self) -> None:
        seen = self.isVisible() and not self.isMinimized()
        if seen == self._running:
            return
        self._running = seen
        if seen:
            self._begin()
        else:
            self._clock.stop()
            self.context.driver.watch(0)
            if self._page is not None:
                self._page.shown(False)

    def _begin(self) -> None:
        if self._page is not None:
            self._clock.setInterval(LATE_MS if self._page.rate >= FAST else FRAME_MS)
            if type(self._page).frame is not Page.frame:
                self._clock.start()
            else:
                self._clock.stop()
            self.context.driver.watch(self._page.rate, PAST_S)
            self._page.shown(True)

    def _follow(self, _: object) -> None:
        """Draw what just came: one waking for both."""
        if self._clock.isActive() and self._clock.interval() == LATE_MS:
            self._clock.start()
            self._frame()

    def _frame(self) -> None:
        if self._page is not None:
            self._page.frame()

    # --- keys and ends ------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """B or space: bypass; M: mute; what the focus did not take comes here."""
        if event is None:
            return
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if plain and event.key() in (Qt.Key.Key_B, Qt.Key.Key_Space):
            self.toggle("bypass")
        elif plain and event.key() == Qt.Key.Key_M:
            self.toggle("mute")
        elif (
            event.key() == Qt.Key.Key_Q
            and event.modifiers() == Qt.KeyboardModifier.ControlModifier
        ):
            if self.may_end():
                self.left.emit()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Stay in the tray, or end."""
        if event is None:
            return
        if self._tray() and self._store.get("stay", True):
            self.save()
            event.accept()
            return
        if self.may_end():
            event.accept()
            self.left.emit()
        else:
            event.ignore()

    def _ask(self, busy: list[str]) -> bool:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setText(tr("End all the same?"))
        box.setInformativeText("\n".join(busy))
        end = box.addButton(tr("End"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(tr("Go on"), QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return box.clickedButton() is end

    def _complain(self, what: str, hint: str) -> None:
        self.bar.say(": ".join(part for part in (what, hint) if part))

    # --- layout -------------------------------------------------------------------------------

    def _make_pages(self) -> list[Page]:
        context = self.context
        return [
            GatePage(context),
            TagPage(context),
            TeachPage(context),
            OptionsPage(context, self._tray()),
        ]

    def _lay_out(self) -> None:
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._side)
        middle.addWidget(self._stack, 1)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addLayout(middle, 1)
        column.addWidget(self.bar)
        self.setCentralWidget(body)
