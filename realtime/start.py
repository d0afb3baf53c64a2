"""Where programs begin: Ctrl-C ends one quietly while its command is still being imported.

The other rooms' programs begin in `start.py` of their room, with `started` from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130  # as in `commands.common`, which is among what is imported under guard


def started(module: str) -> Callable[[], int]:
    """An entry point: imports a module, and returns what its `main` does."""

    def start() -> int:
        try:
            status: int = import_module(module).main()
        except KeyboardInterrupt:
            return INTERRUPTED
        return status

    return start


rt_tag = started("realtime.commands.tag")
rt_gate = started("realtime.commands.gate")
