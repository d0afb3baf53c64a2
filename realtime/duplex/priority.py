"""`hurry`: a place before other programs for a thread, where the system allows that."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SOUND = 10  # of the round-robin scheduler; audio servers have 70 to 90
THOUGHT = 5
NICE = -10  # where there is no such place


def hurry(priority: int, thread: int = 0) -> None:
    """Ask for it; without it things go on as they are.

    A thread that has a place already, for instance from JACK, keeps it.

    Args:
        priority: `SOUND` or `THOUGHT`.
        thread: number that the kernel knows it by; 0 is this one.
    """
    try:
        if os.sched_getscheduler(thread) == os.SCHED_OTHER:
            policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(thread, policy, os.sched_param(priority))
    except (OSError, AttributeError):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, NICE)


def hurry_all(priority: int) -> None:
    """Ask for every thread of this process: drivers' threads do not say who they are."""
    with contextlib.suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            hurry(priority, int(thread.name))
