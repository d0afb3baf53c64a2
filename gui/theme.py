"""The panel's look: dark, light, or as the system says."""

from __future__ import annotations

from typing import Literal

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PyQt6.QtWidgets import QApplication

from gui.palette import DARK, LIGHT, Palette
from gui.style import sheet

Choice = Literal["system", "dark", "light"]
GRID = 8  # pixels: every distance is a multiple, or a half of it


class Theme(QObject):
    """The colours in force.

    Widgets that paint themselves take `theme.colors` each time they paint, and draw what they
    keep anew on `changed`.

    Attributes:
        colors: the palette.
        choice: "system", "dark" or "light".
    """

    changed = pyqtSignal()

    def __init__(self, choice: Choice = "system") -> None:
        super().__init__()
        self.choice: Choice = choice
        self.colors: Palette = DARK
        self._fonts: dict[tuple[int, bool], QFont] = {}
        hints = QGuiApplication.styleHints()
        if hints is not None:
            hints.colorSchemeChanged.connect(self._follow)
        self.choose(choice)

    @property
    def dark(self) -> bool:
        """Whether the ground is dark."""
        return self.colors is DARK

    def choose(self, choice: Choice) -> None:
        """Take a look; "system" is dark unless the desktop says light."""
        self.choice = choice
        self.colors = LIGHT if self._is_light() else DARK
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.setStyle("Fusion")
            app.setPalette(_palette(self.colors))
            app.setStyleSheet(sheet(self.colors))
        self.changed.emit()

    def color(self, name: str, alpha: float = 1.0) -> QColor:
        """A colour of the palette in force."""
        return self.colors.color(name, alpha)

    def font(self, size: float, bold: bool = False) -> QFont:
        """The panel's font, `size` in pixels; not to be changed."""
        key = (round(size), bold)
        if key not in self._fonts:
            font = QFont(QApplication.font())
            font.setPixelSize(key[0])
            font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
            self._fonts[key] = font
        return self._fonts[key]

    def _is_light(self) -> bool:
        if self.choice != "system":
            return self.choice == "light"
        hints = QGuiApplication.styleHints()
        return hints is not None and hints.colorScheme() == Qt.ColorScheme.Light

    def _follow(self) -> None:
        if self.choice == "system":
            self.choose("system")


def _palette(colors: Palette) -> QPalette:
    """For what the style sheet does not reach."""
    role = QPalette.ColorRole
    found = QPalette()
    for which, name in {
        role.Window: "back",
        role.WindowText: "text",
        role.Base: "surface",
        role.AlternateBase: "raised",
        role.ToolTipBase: "raised",
        role.ToolTipText: "text",
        role.Text: "text",
        role.PlaceholderText: "dim",
        role.Button: "raised",
        role.ButtonText: "text",
        role.Highlight: "accent",
        role.HighlightedText: "on_accent",
        role.Link: "accent",
    }.items():
        found.setColor(which, colors.color(name))
    for which in (role.WindowText, role.Text, role.ButtonText):
        found.setColor(QPalette.ColorGroup.Disabled, which, colors.color("faint"))
    return found
