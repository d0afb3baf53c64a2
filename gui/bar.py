"""`Bar` and `Banner`: the gate's state, the status line, bypass and mute on every page."""

from __future__ import annotations

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy

from gui.driver import GateDriver
from gui.i18n import tr
from gui.lamp import LampLabel
from gui.status import Status
from gui.theme import Theme

SAID_MS = 9000  # what was said gives way to the standing sentence after so long
HEIGHT = 54


class Bar(QFrame):
    """The window's foot.

    Args:
        driver: what the switches switch.
        status: what is shown.
        theme: colours.
    """

    def __init__(self, driver: GateDriver, status: Status, theme: Theme) -> None:
        super().__init__()
        self._driver, self._status = driver, status
        self._titles: dict[QPushButton, tuple[str, str]] = {}
        self.setProperty("kind", "bar")
        self.setFixedHeight(HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 12, 6)
        row.setSpacing(10)
        self.words = QLabel()
        self.words.setProperty("kind", "dim")
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(80)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.words.setAccessibleName(tr("Status"))
        self.bypass = self._switch("bypass", tr("&Bypass"), tr("Let everything through (B)"))
        self.mute = self._switch("mute", tr("M&ute"), tr("Let nothing through (M)"))
        row.addWidget(LampLabel(status, theme))
        row.addWidget(self.words, 1)
        row.addWidget(self.bypass)
        row.addWidget(self.mute)
        self.bypass.clicked.connect(driver.bypass)
        self.mute.clicked.connect(driver.mute)
        self._said = ""
        self._until = QTimer(self)
        self._until.setSingleShot(True)
        self._until.setInterval(SAID_MS)
        self._until.timeout.connect(self._hush)
        status.changed.connect(self._follow)
        self._follow()

    def say(self, text: str) -> None:
        """Say something for a while; nothing brings the standing sentence back."""
        self._said = text
        self._until.start() if text else self._until.stop()
        self._follow()

    def _hush(self) -> None:
        self.say("")

    def _switch(self, kind: str, title: str, help_text: str) -> QPushButton:
        button = QPushButton(title)
        self._titles[button] = (title, tr("{switch}: on", switch=title))
        button.setProperty("kind", kind)
        button.setCheckable(True)
        button.setToolTip(help_text)
        button.setAccessibleDescription(help_text)
        return button

    def _follow(self) -> None:
        status = self._status
        for button, on in ((self.bypass, status.bypass), (self.mute, status.mute)):
            button.setChecked(on)
            button.setText(self._titles[button][on])
            button.setEnabled(self._driver.alive)
        words = self._said or status.sentence()
        if words != self.words.text():
            self.words.setText(words)
            self.words.setToolTip(words)


class Banner(QFrame):
    """A stripe over the whole window while the gate is bypassed or muted: no one overlooks it.

    Args:
        driver: what its button switches.
        status: what is shown.
    """

    def __init__(self, driver: GateDriver, status: Status) -> None:
        super().__init__()
        self._driver, self._status = driver, status
        self.setProperty("kind", "banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 12, 4)
        self.words = QLabel()
        self.off = QPushButton(tr("Turn o&ff"))
        self.off.clicked.connect(self._turn_off)
        row.addWidget(self.words, 1, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.off)
        status.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        status = self._status
        tone = "mute" if status.mute else "bypass" if status.bypass else ""
        if self._driver.alive and tone:
            self.words.setText(
                tr("Muted: nothing goes out.")
                if status.mute
                else tr("Bypass: everything goes through, the gate does nothing.")
            )
            if self.property("tone") != tone:
                self.setProperty("tone", tone)
                for part in (self, self.words, self.off):
                    style = part.style()
                    if style is not None:
                        style.unpolish(part)
                        style.polish(part)
        self.setVisible(bool(self._driver.alive and tone))

    def _turn_off(self) -> None:
        if self._status.mute:
            self._driver.mute(False)
        else:
            self._driver.bypass(False)
