"""Where programs begin: Ctrl-C ends one quietly while its command is still being imported.

The other rooms' programs begin in `start.py` of their room, with `Program` from here.
"""

from __future__ import annotations

from importlib import import_module

INTERRUPTED = 130  # exit status


class Program:
    """An entry point: a command's module is imported when it is called, and its `main` run.

    Args:
        module: its name.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def __call__(self) -> int:
        """Run it; the exit status."""
        try:
            status: int = import_module(self.module).main()
        except KeyboardInterrupt:
            return INTERRUPTED
        return status


rt_tag = Program("realtime.commands.tag")
rt_gate = Program("realtime.commands.gate")
