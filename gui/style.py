"""The style sheet of the panel's plain widgets: `style.qss` in the palette's colours."""

from __future__ import annotations

from pathlib import Path
from string import Template

from gui.palette import DARK, Palette

PICTURES = Path(__file__).with_name("pictures")
SHEET = Path(__file__).with_name("style.qss")


def sheet(colors: Palette) -> str:
    """The style sheet in some colours."""
    words = colors.items() | {
        "pictures": PICTURES.as_posix(),
        "tone": "dark" if colors is DARK else "light",
    }
    return Template(SHEET.read_text("utf-8")).substitute(words)
