"""`InputChoice`: which microphone, or which file, the tag page listens to."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QComboBox

from gui.aside import aside
from gui.i18n import tr
from realtime.errors import RtError

FILE: Final = "\0file"  # of the row that opens a file; no device is called so


class InputChoice(QComboBox):
    """Input devices by name, the gate's first, and a file last.

    Args:
        files: whether a file may be chosen, too.

    Signals:
        device_chosen: name of a device; empty is the gate's.
        file_wanted: the person wants to choose a file.
    """

    device_chosen = pyqtSignal(str)
    file_wanted = pyqtSignal()

    def __init__(self, files: bool = True) -> None:
        super().__init__()
        self._files = files
        self.setAccessibleName(tr("Input"))
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(12)
        self._device, self._file = "", ""
        self._looking = False
        self.activated.connect(self._choose)
        self._fill([])

    @property
    def device(self) -> str:
        """The device that is chosen; empty is the gate's."""
        return self._device

    def look(self) -> None:
        """Ask for the devices there are; their list comes when it comes."""
        if not self._looking:
            self._looking = True
            aside(self, _names, self._fill)

    def show_device(self, name: str) -> None:
        """Show a device as the one in use."""
        self._device, self._file = name, ""
        self._fill(self._known)

    def show_file(self, name: str) -> None:
        """Show a file as the input in use."""
        self._file = name
        self._fill(self._known)

    def _fill(self, names: list[str]) -> None:
        self._looking = False
        self._known = list(dict.fromkeys(names))
        self.clear()
        self.addItem(tr("The gate's microphone"), "")
        for name in self._known:
            self.addItem(name, name)
        if self._device and self._device not in self._known:
            self.addItem(self._device, self._device)
        if self._files:
            self.insertSeparator(self.count())
            self.addItem(self._file or tr("A sound file …"), FILE)
        self.setCurrentIndex(self.findData(FILE if self._file else self._device))

    def _choose(self, index: int) -> None:
        data = self.itemData(index)
        if data == FILE:
            self.setCurrentIndex(self.findData(FILE if self._file else self._device))
            self.file_wanted.emit()
        elif data is not None:
            self._device, self._file = str(data), ""
            self.device_chosen.emit(self._device)


def _names() -> list[str]:
    """The input devices there are; PortAudio may take long to say."""
    from realtime.sources.listing import list_devices

    try:
        return [d.name for d in list_devices()]
    except RtError:
        return []
