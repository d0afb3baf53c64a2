"""`aside`: work that may take long, in a thread; its result comes back to Qt's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from PyQt6 import sip
from PyQt6.QtCore import QObject, pyqtSignal

T = TypeVar("T")


class _Post(QObject):
    """Brings results over. It outlives every widget, so a late letter finds somebody."""

    letter = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.letter.connect(self._open)

    def _open(self, letter: Callable[[], None]) -> None:
        letter()


_post: _Post | None = None


def aside(owner: QObject, work: Callable[[], T], then: Callable[[T], None]) -> None:
    """Do some work in a thread of its own; from Qt's thread only.

    Args:
        owner: if it is gone when the work is done, nobody is told.
        work: what to do; it must not touch Qt, and raises nothing.
        then: gets the result, in Qt's thread.
    """
    global _post
    post = _post = _post or _Post()

    def run() -> None:
        found = work()
        post.letter.emit(lambda: None if sip.isdeleted(owner) else then(found))

    threading.Thread(target=run, name="aside", daemon=True).start()
