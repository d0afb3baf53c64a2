"""`Arena`: arrays side by side in one large page of memory, for the compiled worker.

A decision touches most of a megabyte, weights above all, and between two decisions other
programs use the caches. What the processor then needs again first is where each page is: for
pages of 4 KB that is a fifth of a step's time. A page of 2 MB is looked up once. Where the
system gives none, the arrays are in common pages and all else is the same.
"""

from __future__ import annotations

import contextlib
import mmap
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PAGE: Final = 1 << 21
ROOM: Final = 2 * PAGE  # and it is given page by page, when it is touched
LINE: Final = 64  # bytes in a line of the cache


class Arena:
    """Memory for arrays; it is there for as long as one of them is."""

    def __init__(self) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        whole = mmap.mmap(-1, ROOM + PAGE, flags=flags)
        with contextlib.suppress(OSError, AttributeError):  # a system without such pages
            whole.madvise(mmap.MADV_HUGEPAGE)
        room = np.frombuffer(whole, np.uint8)
        begin = -room.ctypes.data % PAGE
        self._room = room[begin : begin + ROOM]
        self._used = 0

    def put(self, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of an array in the arena; where that is full, the array itself."""
        size = -(-array.nbytes // LINE) * LINE
        if self._used + size > ROOM or not size:
            return array
        place = self._room[self._used : self._used + array.nbytes]
        self._used += size
        out = place.view(array.dtype).reshape(array.shape)
        out[...] = array
        return out
