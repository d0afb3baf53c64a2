"""Clips of the gate's mistakes: kept on the gate page, learned from on the teach page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from PyQt6.QtCore import QObject, pyqtSignal

from gui.store import Store

Kind = Literal["opened", "missed"]
KEY = "corrections"
MOST = 200


class Corrections(QObject):
    """Clips that the next lesson learns from; the oldest are forgotten after `MOST`.

    A clip is {"path", "kind", "t0", "t1"}: "opened" is ten seconds in which the gate opened and
    should not have, "missed" one in which it should have and did not. `t0` and `t1`: seconds of
    the gate's input.

    Args:
        store: where they outlive the panel.
    """

    changed = pyqtSignal()

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def add(self, path: str | Path, kind: Kind, t0: float = 0.0, t1: float = 0.0) -> None:
        """Keep a clip."""
        clip = {"path": str(path), "kind": kind, "t0": t0, "t1": t1}
        self._store.put(KEY, [*self.all(), clip][-MOST:])
        self.changed.emit()

    def all(self) -> list[dict[str, Any]]:
        """Those whose files are still there, oldest first."""
        clips = self._store.get(KEY, [])
        return [c for c in clips if isinstance(c, dict) and Path(c.get("path", "")).is_file()]

    def paths(self, kind: Kind) -> list[Path]:
        """Files of one kind, oldest first."""
        return [Path(c["path"]) for c in self.all() if c.get("kind") == kind]

    def remove(self, path: str | Path) -> None:
        """Forget a clip; the file stays."""
        self._store.put(KEY, [c for c in self.all() if c["path"] != str(path)])
        self.changed.emit()

    def clear(self) -> None:
        """Forget all: a lesson has learned from them."""
        self._store.put(KEY, [])
        self.changed.emit()
