"""`Chooser`: microphone, where sound goes, and what the gate opens for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.i18n import tr

VIRTUAL = "rt-gate"  # the virtual microphone's name
LEVEL = "level"  # in place of a model
FILE = "file"  # "choose a file"


class Chooser(QWidget):
    """Three lists.

    Signals:
        chosen: options of rt-gate that a person chose; always with all that contradict them.
    """

    chosen = pyqtSignal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        self.input = self._add(layout, tr("&Microphone"), tr("The microphone that is gated"))
        self.output = self._add(layout, tr("Sound goes &to"), tr("Where gated sound is played"))
        self.model = self._add(layout, tr("&Opens for"), tr("The sound that opens the gate"))
        self._options: dict[str, Any] = {}
        self.input.activated.connect(lambda _: self._choose_input())
        self.output.activated.connect(lambda _: self._choose_output())
        self.model.activated.connect(lambda _: self._choose_model())

    def _add(self, layout: QHBoxLayout, title: str, help_text: str) -> QComboBox:
        box = QVBoxLayout()
        box.setSpacing(2)
        label, combo = QLabel(title), QComboBox()
        label.setProperty("kind", "caption")
        label.setMinimumHeight(18)  # of letters with something on top
        label.setBuddy(combo)
        combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        combo.setMinimumContentsLength(8)
        combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        combo.setMinimumWidth(120)
        combo.setAccessibleName(title.replace("&", ""))
        combo.setAccessibleDescription(help_text)
        combo.setToolTip(help_text)
        combo.installEventFilter(self)
        box.addWidget(label)
        box.addWidget(combo)
        layout.addLayout(box, 1)
        return combo

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """A wheel over a list scrolls the page; it must not change the microphone."""
        if event is not None and event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    # --- what there is ------------------------------------------------------------------------

    def show_devices(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Fill the lists of devices."""
        self._fill(self.input, [(tr("System default"), ""), *((n, n) for n in inputs)])
        virtual = (tr("Other programs, as a microphone"), f"virtual:{VIRTUAL}")
        self._fill(
            self.output, [(tr("System default"), ""), *((n, n) for n in outputs), virtual]
        )
        self.show_options(self._options)

    def show_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Fill the list of gates: what each is called, and what rt-gate calls it."""
        by_level = (tr("Any sound, by its level"), LEVEL)
        self._fill(self.model, [*models, by_level, (tr("Choose a file …"), FILE)])
        self.model.insertSeparator(len(models))
        self.show_options(self._options)

    def show_options(self, options: dict[str, Any]) -> None:
        """Show what is in force."""
        self._options = options
        self._select(self.input, str(options.get("device", "")))
        virtual = options.get("virtual_mic", "")
        played = f"virtual:{virtual}" if virtual else str(options.get("output_device", ""))
        self._select(self.output, played)
        model = LEVEL if options.get("level") else str(options.get("model", "voice"))
        self._select(self.model, model)

    def _fill(self, combo: QComboBox, rows: Sequence[tuple[str, str]]) -> None:
        combo.clear()
        for text, data in rows:
            combo.addItem(text, data)
            combo.setItemData(combo.count() - 1, text, Qt.ItemDataRole.ToolTipRole)

    def _select(self, combo: QComboBox, data: str) -> None:
        """Choose a row; one that is not there is added: it is in force, or was."""
        at = combo.findData(data)
        if at < 0:
            name = data.removeprefix("virtual:")
            text = name.rsplit("/", 1)[-1].removesuffix(".gate") or tr("System default")
            combo.insertItem(0, text, data)
            at = 0
        combo.setCurrentIndex(at)

    # --- what is chosen -----------------------------------------------------------------------

    def _choose_input(self) -> None:
        self.chosen.emit({"device": self.input.currentData()})

    def _choose_output(self) -> None:
        data = str(self.output.currentData())
        virtual = data.removeprefix("virtual:") if data.startswith("virtual:") else ""
        named = "" if virtual else data
        self.chosen.emit({"output_device": named, "virtual_mic": virtual})

    def _choose_model(self) -> None:
        data = str(self.model.currentData())
        if data == FILE:
            data = self._ask_for_file()
            if not data:
                self.show_options(self._options)
                return
        if data == LEVEL:
            self.chosen.emit({"level": True})
        else:
            self.chosen.emit({"level": False, "model": data})

    def _ask_for_file(self) -> str:
        kinds = tr("Gates") + " (*.gate *.onnx *.tflite)"
        return QFileDialog.getOpenFileName(self, tr("Choose a gate"), "", kinds)[0]
