"""Memory of a training step is kept for the next one."""

from __future__ import annotations

import ctypes
import sys

TRIM, MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
MOST = 1 << 30  # bytes


def keep_memory() -> bool:
    """Have blocks of up to a gigabyte kept where they are freed; whether that could be set.

    By itself, the C library of Linux gives every large block back to the kernel and asks for it
    anew a moment later, page by page: on a virtual machine that was a quarter of a step's time.
    Elsewhere nothing is done. Source: mallopt(3).
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library than glibc
        return False
    return bool(mallopt(MMAP, MOST)) and bool(mallopt(TRIM, 2 * MOST - 1))
