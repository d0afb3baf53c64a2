"""How far a run is: a bar on a terminal, elsewhere a line each minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

EACH_S = 60.0  # lines where there is no terminal


class Progress:
    """Counts files and hours.

    Args:
        total: files.
        done: of them before this run.
        say: writes a line.
    """

    def __init__(self, total: int, done: int, say: Callable[[str], None]) -> None:
        self.total, self.done = total, done
        self.seconds = 0.0  # of sound, in this run
        self._say = say
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("", total=total, completed=done)
            self._bar.start()

    def add(self, seconds: float) -> None:
        """One more file of so many seconds."""
        self.done += 1
        self.seconds += seconds
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, description=self._pace())
        elif time.monotonic() - self._said > EACH_S:
            self._said = time.monotonic()
            self._say(f"{self.done} of {self.total} files, {self._pace()}")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def _pace(self) -> str:
        hours = self.seconds / 3600
        return f"{hours:.1f} hours, {60 * hours / max(self.spent, 1e-3):.1f} a minute"


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
    )
