"""`Errands`: what takes longer than a client may keep the server: one thing after the other."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from realtime.errors import RtError

Work = Callable[[], dict[str, Any]]

log = logging.getLogger("rt.realtime.control")


class Errands:
    """A thread that does things.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def add(self, what: Work, later: Callable[[dict[str, Any] | RtError], None]) -> None:
        """Do something soon; `later` is called with what comes of it."""
        self._queue.put(lambda: later(outcome(what)))

    def _run(self) -> None:
        while True:
            self._queue.get()()


def outcome(what: Work) -> dict[str, Any] | RtError:
    """What comes of it: an error if it fails, also by a fault of ours."""
    try:
        return what()
    except RtError as e:
        return e
    except Exception:
        log.exception("a request failed")
        return RtError("this failed by a fault of the program", "its log says more")
