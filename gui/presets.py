"""`Presets`: named settings, ours and the user's."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QInputDialog, QLineEdit, QMenu, QPushButton, QWidget

from gui.i18n import later, tr
from gui.store import Store

KEY = "presets"
NAMES = (
    *("threshold", "hysteresis", "threshold_db", "close_db", "range_db", "lookahead_ms"),
    *("attack_ms", "hold_ms", "release_ms", "key_highpass", "key_lowpass", "duck"),
)
CARD: dict[str, Any] = {"threshold": None, "hysteresis": None}  # the model's own
OURS: dict[str, dict[str, Any]] = {
    later("Balanced"): CARD
    | {"range_db": -60.0, "lookahead_ms": 0.0, "attack_ms": None, "hold_ms": None}
    | {"release_ms": None, "key_highpass": 0.0, "key_lowpass": 0.0, "duck": False},
    later("Gentle: quieter, never silent"): {
        "range_db": -18.0,
        "hold_ms": 150.0,
        "release_ms": 150.0,
    },
    later("No first syllable cut"): {"lookahead_ms": 20.0, "hold_ms": 150.0},
    later("Strict: only what is certain"): {
        "threshold": 0.8,
        "range_db": -80.0,
        "hold_ms": 0.0,
    },
}


class Presets(QPushButton):
    """A button with a menu.

    Args:
        store: where the user's are kept.

    Signals:
        chosen: the settings of a preset.
    """

    chosen = pyqtSignal(dict)

    def __init__(self, store: Store, parent: QWidget | None = None) -> None:
        super().__init__(tr("P&resets"), parent)
        self._store = store
        self.settings: dict[str, Any] = {}
        self.setAccessibleDescription(
            tr("Named settings: choose one, or keep the present ones")
        )
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill)
        self.setMenu(menu)

    def own(self) -> dict[str, dict[str, Any]]:
        """The user's, by name."""
        found = self._store.get(KEY, {})
        return {name: own for name, own in found.items() if isinstance(own, dict)}

    def keep(self, name: str) -> None:
        """Keep the settings in force under a name."""
        own = {n: self.settings[n] for n in NAMES if n in self.settings}
        self._store.put(KEY, self.own() | {name: own})

    def remove(self, name: str) -> None:
        """Forget one of the user's."""
        self._store.put(KEY, {n: own for n, own in self.own().items() if n != name})

    def _fill(self) -> None:
        menu = self.menu()
        if menu is None:
            return
        menu.clear()
        for name, settings in OURS.items():
            self._add(menu, tr(name), settings)
        own = self.own()
        if own:
            menu.addSeparator()
        for name, settings in own.items():
            self._add(menu, name.replace("&", "&&"), settings)
        menu.addSeparator()
        keep = menu.addAction(tr("Keep the present settings …"))
        if keep is not None:
            keep.triggered.connect(self._ask)
        if own:
            forget = menu.addMenu(tr("Forget"))
            for name in own:
                action = forget.addAction(name.replace("&", "&&")) if forget else None
                if action is not None:
                    action.triggered.connect(lambda _, name=name: self.remove(name))

    def _add(self, menu: QMenu, text: str, settings: dict[str, Any]) -> None:
        action = menu.addAction(text)
        if action is not None:
            known = {n: v for n, v in settings.items() if n in NAMES}
            action.triggered.connect(lambda _, known=known: self.chosen.emit(known))

    def _ask(self) -> None:
        name, ok = QInputDialog.getText(
            self, tr("Keep the present settings"), tr("Name"), QLineEdit.EchoMode.Normal, ""
        )
        if ok and name.strip():
            self.keep(name.strip())
