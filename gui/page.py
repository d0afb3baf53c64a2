"""What a page of the panel is, and what it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PyQt6.QtWidgets import QWidget

if TYPE_CHECKING:
    from gui.corrections import Corrections
    from gui.driver import GateDriver
    from gui.store import Store
    from gui.theme import Theme


@dataclass(frozen=True)
class Context:
    """What all pages share.

    Args:
        driver: the gate, wherever it runs.
        store: settings that outlive the panel.
        theme: the colours.
        corrections: clips of the gate's mistakes, for the next lesson.
        say: puts a sentence into the status line, until something newer is said.
        open_page: shows a page, by its name.
    """

    driver: GateDriver
    store: Store
    theme: Theme
    corrections: Corrections
    say: Callable[[str], None]
    open_page: Callable[[str], None]


class Page(QWidget):
    """A page. It does no work and asks for nothing while it is not shown.

    Args:
        context: shared.
    """

    name = ""
    """One word, for settings and `--page`; never translated."""
    rate = 0
    """Meters of the gate in a second that it wants while it is shown."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.setObjectName(self.name)

    def title(self) -> str:
        """What the page is called, translated."""
        raise NotImplementedError

    def shown(self, on: bool) -> None:
        """It is to be seen from now on, or is not: start or stop what costs time."""

    def frame(self) -> None:
        """Draw what is new; called 30 times a second while it is shown, never otherwise."""

    def save(self) -> dict[str, Any]:
        """What `restore` wants back at the next start; JSON."""
        return {}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take back what `save` gave, by this or an older version: anything may be missing."""

    def busy(self) -> str:
        """What would be lost if the panel ended now, as a sentence; empty if nothing."""
        return ""

    def finish(self) -> None:
        """End everything, within a second, and leave nothing half-written."""
