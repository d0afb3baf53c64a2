"""`Closing`: how `close` ends a source's `blocks`, also while that waits.

Used by the sources that wait, `device.py` and `pipe.py`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable


class Closing:
    """The end of a source, once.

    `close` may come from a signal handler or another thread while `blocks` waits in a `select`
    that has `fd` among its descriptors: a byte there wakes it, and `blocks` releases what the
    source holds on its way out. Where `blocks` has not begun, `close` releases.

    Args:
        release: gives back what the source holds.

    Attributes:
        fd: readable once closed; -1 after `release`.
        closed: whether `close` was called.
        reading: set by `blocks` when it begins.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self.closed = self.reading = False
        self._give_back = release
        self.fd, self._write = os.pipe()

    def close(self) -> None:
        """End `blocks` soon; twice does no harm."""
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(OSError):  # `blocks` may have ended meanwhile
            os.write(self._write, b"x")
        if not self.reading:
            self.release()

    def release(self) -> None:
        """Give back what the source holds, and the descriptors here."""
        self._give_back()
        mine, self.fd, self._write = (self.fd, self._write), -1, -1
        for fd in mine:
            if fd >= 0:
                os.close(fd)
