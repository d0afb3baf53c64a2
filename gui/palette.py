"""The panel's colours, dark and light."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields

from PyQt6.QtGui import QColor


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours by what they are for, as "#rrggbb".

    Args:
        back: the window.
        surface: cards on it, lists, fields.
        raised: buttons; what is under the pointer.
        sunken: the ground of meters and scopes.
        line: borders, grids.
        text: words that are read.
        dim: words beside them.
        faint: what cannot be used now.
        accent: what is open, on, chosen: the one colour of the panel.
        on_accent: words on the accent.
        level: a sound's level where the gate cut it.
        gain: how much the gate takes away.
        score: the model's score.
        bypass: the gate is out of the way.
        mute: nothing goes out.
        warn: something wants attention.
        good: all is well.
    """

    back: str
    surface: str
    raised: str
    sunken: str
    line: str
    text: str
    dim: str
    faint: str
    accent: str
    on_accent: str
    level: str
    gain: str
    score: str
    bypass: str
    mute: str
    warn: str
    good: str

    @functools.cache  # noqa: B019  there are two palettes, for good
    def color(self, name: str, alpha: float = 1.0) -> QColor:
        """One of them, more or less see-through (`alpha` 0 to 1); not to be changed."""
        found = QColor(getattr(self, name))
        found.setAlphaF(alpha)
        return found

    def items(self) -> dict[str, str]:
        """Name to "#rrggbb"."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


DARK = Palette(
    back="#12151a",
    surface="#1a1f26",
    raised="#262d37",
    sunken="#0d1014",
    line="#343d4a",
    text="#eef2f6",
    dim="#a3b0bf",
    faint="#6c7989",
    accent="#34d3b0",
    on_accent="#06231c",
    level="#51617a",
    gain="#8f7df0",
    score="#dfe6ee",
    bypass="#f7b32b",
    mute="#f2555a",
    warn="#f7b32b",
    good="#34d3b0",
)
LIGHT = Palette(
    back="#eef1f5",
    surface="#ffffff",
    raised="#e6ebf1",
    sunken="#f7f9fb",
    line="#c9d2dc",
    text="#161c24",
    dim="#4d5a69",
    faint="#8592a1",
    accent="#07806a",
    on_accent="#ffffff",
    level="#a9b6c6",
    gain="#7a66e0",
    score="#26313d",
    bypass="#e09600",
    mute="#d32f3a",
    warn="#9a6400",
    good="#07806a",
)
