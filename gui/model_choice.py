"""`ModelChoice`: which model names the sounds: a shipped one, or a file of the person's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox

from gui.i18n import tr
from realtime import library
from realtime.gate.settings import DEFAULT_GATE

FILE: Final = "\0file"
SUFFIXES: Final = (".onnx", ".tflite")
MOST_OWN: Final = 6  # files that are remembered


class ModelChoice(QComboBox):
    """Models by name.

    Attributes:
        own: files that were used before, the newest first.

    Signals:
        model_chosen: a shipped name, or a path.
        file_wanted: the person wants to choose a file.
    """

    model_chosen = pyqtSignal(str)
    file_wanted = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Model"))
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(10)
        self.own: list[str] = []
        self._model = ""
        self.activated.connect(self._choose)

    def show_model(self, model: str) -> None:
        """Show a model as the one in use."""
        self._model = model
        if model not in shipped_taggers():
            self.own = [model, *(m for m in self.own if m != model)][:MOST_OWN]
        self.clear()
        for name in shipped_taggers():
            self.addItem(name, name)
        for path in self.own:
            self.addItem(Path(path).name, path)
            self.setItemData(self.count() - 1, path, Qt.ItemDataRole.ToolTipRole)
        self.insertSeparator(self.count())
        self.addItem(tr("A model file …"), FILE)
        self.setCurrentIndex(self.findData(model))

    def _choose(self, index: int) -> None:
        data = self.itemData(index)
        self.setCurrentIndex(self.findData(self._model))  # until it has opened
        if data == FILE:
            self.file_wanted.emit()
        elif data is not None and data != self._model:
            self.model_chosen.emit(str(data))


def shipped_taggers() -> list[str]:
    """Shipped models that name sounds; gates are on the gate page."""
    return [name for name in library.names() if name != DEFAULT_GATE]
