"""The settings page: look, language, start, and which gate is driven."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui import autostart, i18n
from gui.i18n import tr
from gui.page import Context, Page

SCALES = (100, 125, 150, 175, 200)


class OptionsPage(Page):
    """The page.

    Args:
        context: shared.
        tray: whether there is a tray to stay in.
    """

    name = "settings"

    def __init__(self, context: Context, tray: bool = True) -> None:
        super().__init__(context)
        store = context.store
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(16)
        looks = self._card(column, tr("Looks"))
        self.theme = self._list(
            looks,
            tr("&Colours"),
            [(tr("As the system"), "system"), (tr("Light"), "light"), (tr("Dark"), "dark")],
            context.theme.choice,
        )
        self.theme.activated.connect(self._choose_theme)
        self.scale = self._list(
            looks, tr("&Size"), [(f"{n} %", n) for n in SCALES], store.get("scale", 100)
        )
        self.scale.activated.connect(lambda _: self._later("scale", self.scale.currentData()))
        names = sorted(i18n.NAMES.items(), key=lambda pair: pair[1])
        rows = [(tr("As the system"), ""), *((title, code) for code, title in names)]
        self.language = self._list(looks, tr("&Language"), rows, store.get("language", ""))
        self.language.activated.connect(
            lambda _: self._later("language", self.language.currentData())
        )
        start = self._card(column, tr("Start and end"))
        self.login = QCheckBox(tr("Start with the &desktop, in the background"))
        self.login.setChecked(autostart.is_on())
        self.login.clicked.connect(self._autostart)
        self.stay = QCheckBox(tr("&Keep gating when the window is closed"))
        self.stay.setChecked(store.get("stay", True) and tray)
        self.stay.setEnabled(tray)
        if not tray:
            self.stay.setToolTip(tr("This desktop has no tray to stay in."))
        self.stay.clicked.connect(lambda on: store.put("stay", on))
        start.addRow(self.login)
        start.addRow(self.stay)
        gate = self._card(column, tr("The gate"))
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.facts.setAccessibleName(tr("The gate"))
        gate.addRow(self.facts)
        keys = self._card(column, tr("Keys"))
        for key, what in (
            ("B", tr("Bypass")),
            ("M", tr("Mute")),
            ("↑ ↓", tr("Move the knob or the threshold that has the focus")),
            ("0–9", tr("Type a value into a knob")),
            (tr("Delete"), tr("Back to the default")),
            ("Ctrl+1 … 4", tr("Pages")),
            ("Ctrl+Q", tr("Quit")),
        ):
            label = QLabel(key)
            label.setProperty("kind", "dim")
            keys.addRow(label, QLabel(what))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        context.driver.connected.connect(self._describe)
        context.driver.lost.connect(lambda _: self._describe({}))
        self._describe({})

    def title(self) -> str:
        """Its name in the side bar."""
        return tr("Settings")

    def shown(self, on: bool) -> None:
        """Somebody may have taken the autostart file away."""
        if on:
            self.login.setChecked(autostart.is_on())

    def _card(self, column: QVBoxLayout, title: str) -> QFormLayout:
        label = QLabel(title)
        label.setProperty("kind", "title")
        frame = QFrame()
        frame.setProperty("kind", "card")
        frame.setMaximumWidth(720)
        form = QFormLayout(frame)
        form.setContentsMargins(16, 12, 16, 12)
        form.setHorizontalSpacing(24)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignVCenter)
        form.setVerticalSpacing(8)
        column.addWidget(label)
        column.addWidget(frame)
        return form

    def _list(
        self, form: QFormLayout, title: str, rows: list[tuple[str, Any]], value: Any
    ) -> QComboBox:
        combo = QComboBox()
        for text, data in rows:
            combo.addItem(text, data)
        combo.setCurrentIndex(max(0, combo.findData(value)))
        combo.setAccessibleName(title.replace("&", ""))
        combo.setFixedWidth(240)
        label = QLabel(title)
        label.setMinimumHeight(34)  # in the middle beside the list
        label.setBuddy(combo)
        form.addRow(label, combo)
        return combo

    def _choose_theme(self, _: int) -> None:
        choice = self.theme.currentData()
        self.context.store.put("theme", choice)
        self.context.theme.choose(choice)

    def _later(self, key: str, value: Any) -> None:
        self.context.store.put(key, value)
        self.context.say(tr("This counts from the next start of the panel."))

    def _autostart(self, on: bool) -> None:
        try:
            autostart.switch(on)
        except OSError as e:
            self.login.setChecked(autostart.is_on())
            self.context.say(tr("That could not be written: {why}", why=e.strerror or str(e)))

    def _describe(self, hello: dict[str, Any]) -> None:
        if not hello:
            self.facts.setText(tr("No gate answers."))
            return
        model = hello.get("model") or {}
        lines = [f"rt-gate {hello.get('version', '?')}, pid {hello.get('pid', '?')}"]
        if model:
            lines.append(
                tr("Model {name}, {licence}", name=model["name"], licence=model.get("licence"))
            )
        self.facts.setText("\n".join(lines))
