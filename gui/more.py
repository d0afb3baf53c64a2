"""`More`: what is rarely set, folded away."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from gui import quantity as q
from gui.i18n import later, tr
from gui.quantity import Quantity

LEARNED = (
    q.HYSTERESIS,
    q.LOOKAHEAD,
    q.ATTACK,
    q.HOLD,
    q.RELEASE,
    q.KEY_HIGHPASS,
    q.KEY_LOWPASS,
)
BY_LEVEL = (q.CLOSE_DB, *LEARNED[1:])
ANEW = {"lookahead_ms", "key_highpass", "key_lowpass"}  # sound starts anew for these
SWITCHES = {
    "listen": (
        later("Listen to what the gate hears"),
        later("Play the filtered key in place of the sound."),
    ),
    "duck": (
        later("The other way round"),
        later("Turn the sound down while the gate is open."),
    ),
}


class Row(QWidget):
    """A quantity with a name, a slider and its value.

    Signals:
        chosen: a person set it; for one that starts sound anew only at the end of a drag.
    """

    chosen = pyqtSignal(str, float)

    def __init__(self, quantity: Quantity, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.quantity = quantity
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        label = QLabel(tr(quantity.title))
        label.setMinimumWidth(96)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(quantity.place(quantity.low), quantity.place(quantity.high))
        self.slider.setPageStep(max(1, quantity.steps // 10))
        self.slider.setTracking(quantity.name not in ANEW)
        self.slider.setAccessibleName(tr(quantity.title))
        self.slider.setAccessibleDescription(tr(quantity.help))
        self.slider.setMinimumWidth(80)
        self.setToolTip(tr(quantity.help))
        label.setBuddy(self.slider)
        self.value = QLabel()
        self.value.setMinimumWidth(64)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(label)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.value)
        self._quiet = False
        self.slider.sliderMoved.connect(self._write)
        self.slider.valueChanged.connect(self._tell)
        self._write(self.slider.value())

    def show_value(self, value: float) -> None:
        """Show what is in force; not while it is dragged."""
        if not self.slider.isSliderDown():
            self._quiet = True
            self.slider.setValue(self.quantity.place(value))
            self._quiet = False
            self._write(self.slider.value())

    def _write(self, place: int) -> None:
        self.value.setText(self.quantity.text(self.quantity.value(place)))

    def _tell(self, place: int) -> None:
        self._write(place)
        if not self._quiet:
            self.chosen.emit(self.quantity.name, self.quantity.value(place))


class More(QWidget):
    """The fold; `toggle` is its button, for a place elsewhere.

    Signals:
        chosen: settings that a person set.
        folded: it was opened (False) or closed (True).
    """

    chosen = pyqtSignal(dict)
    folded = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.toggle = QPushButton()
        self.toggle.setProperty("kind", "fold")
        self.toggle.setCheckable(True)
        self.toggle.toggled.connect(self._fold)
        self.body = QFrame()
        self.body.setProperty("kind", "card")
        grid = QGridLayout(self.body)
        grid.setContentsMargins(16, 12, 16, 12)
        grid.setHorizontalSpacing(32)
        grid.setVerticalSpacing(4)
        self.rows: dict[str, Row] = {}
        places = [*LEARNED, q.CLOSE_DB]
        for i, quantity in enumerate(places):
            row = Row(quantity)
            row.chosen.connect(lambda name, value: self.chosen.emit({name: value}))
            self.rows[quantity.name] = row
            at = 0 if quantity is q.CLOSE_DB else i
            grid.addWidget(row, at % 4, at // 4)
        self.switches: dict[str, QCheckBox] = {}
        box = QHBoxLayout()
        box.setSpacing(32)
        for name, (title, help_text) in SWITCHES.items():
            switch = QCheckBox(tr(title))
            switch.setToolTip(tr(help_text))
            switch.setAccessibleDescription(tr(help_text))
            switch.clicked.connect(lambda on, name=name: self.chosen.emit({name: on}))
            self.switches[name] = switch
            box.addWidget(switch)
        box.addStretch(1)
        grid.addLayout(box, 4, 0, 1, 2)
        layout.addWidget(self.body)
        self._fold(False)

    def unfold(self, on: bool) -> None:
        """Open or close it."""
        self.toggle.setChecked(on)

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show what is in force."""
        by_level = bool(settings.get("level"))
        self.rows["close_db"].setVisible(by_level)
        self.rows["hysteresis"].setVisible(not by_level)
        for name, row in self.rows.items():
            if isinstance(settings.get(name), (int, float)):
                row.show_value(float(settings[name]))
        for name, switch in self.switches.items():
            switch.setChecked(bool(settings.get(name)))

    def _fold(self, on: bool) -> None:
        self.toggle.setText(tr("Less") if on else tr("More"))
        self.toggle.setAccessibleDescription(tr("Settings that are rarely needed"))
        self.body.setVisible(on)
        self.folded.emit(not on)
