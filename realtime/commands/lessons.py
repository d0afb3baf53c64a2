"""What `rt-gate learn` and `rt-tag learn` share: examples, progress, the file that is made."""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from realtime.commands.common import say
from realtime.errors import UsageError

if TYPE_CHECKING:
    from realtime.learn.examples import Side
    from realtime.learn.hearing import Progress
    from realtime.outputs.picture import Picture
    from realtime.outputs.replace import Replacement

log = logging.getLogger("rt.realtime.learn")

SHOWN = 5  # skipped files that are named


def read_aloud(
    name: str, paths: Sequence[str], rate: int, wanted: Mapping[str, str] | None = None
) -> Side:
    """Read one side of the examples; say what is passed over.

    Args:
        name: "open" or "closed".
        paths: files and folders.
        rate: Hz of the result.
        wanted: what should be recorded for either side, where it is not for a gate.

    Raises:
        AudioError: nothing can be used, or most of it is clipped.
    """
    from realtime.learn import demands
    from realtime.learn.examples import WANTED, read_side

    side = read_side(name, paths, rate, wanted or WANTED)
    if side.skipped:
        shown = ", ".join(f"{file} ({reason})" for file, reason in side.skipped[:SHOWN])
        more = f" and {len(side.skipped) - SHOWN} more" * (len(side.skipped) > SHOWN)
        count = len(side.skipped) + len(side.clips)
        say(f"--{name}: {len(side.skipped)} of {count} files passed over: {shown}{more}")
    mended = sum(c.mended for c in side.clips)
    if mended:
        say(f"--{name}: {mended} samples were no numbers and count as 0")
    said = demands.demand_unclipped(side)
    if said:
        say(said)
    return side


def whole_number(option: str, given: str) -> int:
    """A seed.

    Raises:
        UsageError: it is none.
    """
    if not given.isascii() or not given.isdigit():
        raise UsageError(f"{option} is {given}", "give a whole number from 0 on")
    return int(given)


@contextmanager
def written(path: str, endings: Sequence[str]) -> Iterator[Replacement]:
    """A model's file, which takes its name only if all goes well.

    Raises:
        UsageError: its name has none of these endings, by which people and programs find it.
        OutputError: it cannot be made.
    """
    from realtime.outputs.replace import Replacement

    if not path.lower().endswith(tuple(endings)):
        raise UsageError(f"-o {path} is no name for a model", f"use {' or '.join(endings)}")
    output = Replacement(path)
    try:
        yield output
    except BaseException:
        output.discard()
        raise


@contextmanager
def drawn(path: str | None) -> Iterator[Picture | None]:
    """A picture, if one is asked for; what is wrong with its name is said at once."""
    from realtime.outputs.picture import Picture

    picture = Picture(path) if path else None
    try:
        yield picture
    except BaseException:
        if picture:
            picture.discard()
        raise


def write(output: Replacement, data: bytes) -> None:
    """Write a model where it has no name yet.

    Raises:
        OutputError: it does not fit.
    """
    from realtime.outputs.replace import fault

    try:
        output.temporary.write_bytes(data)
    except OSError as e:
        raise fault(output.path, e) from e


@contextmanager
def bar() -> Iterator[Progress]:
    """A progress bar on stderr, for as long as it takes."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    class Shown:
        """`Progress` on a terminal."""

        def begin(self, stage: str, steps: int) -> None:
            log.info("%s, %d steps", stage, steps)
            shown.reset(task, total=steps, description=stage)

        def step(self) -> None:
            shown.advance(task)

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn())
    shown = Bar(*columns, TimeRemainingColumn(), console=console, transient=True,
                disable=not console.is_terminal)  # fmt: skip
    with shown:
        task = shown.add_task("reading")
        yield Shown()


@contextmanager
def lines() -> Iterator[Progress]:
    """Progress for a program that reads stdout: each stage, and every tenth of a second."""

    class Told:
        """`Progress` in lines."""

        stage, done, steps, last = "reading", 0, 1, 0.0

        def begin(self, stage: str, steps: int) -> None:
            self.stage, self.done, self.steps = stage, 0, steps
            self.tell()

        def step(self) -> None:
            self.done += 1
            if self.done == self.steps or time.monotonic() - self.last > 0.1:
                self.tell()

        def tell(self) -> None:
            self.last = time.monotonic()
            what = {"stage": self.stage, "step": self.done, "steps": self.steps}
            print(json.dumps(what), flush=True)

    yield Told()


def add_ways(p: argparse.ArgumentParser) -> None:
    """Add the options of chance, and of how the result is told."""
    p.add_argument("--seed", metavar="N", default="1", help="of all chance (1)")
    p.add_argument("--json", action="store_true", help="the result as one JSON object")
    text = "how far it is as JSON lines on stdout, the result as the last one"
    p.add_argument("--progress", action="store_true", help=text)
    p.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv all")


def tell(
    args: argparse.Namespace, result: dict[str, Any], show: Callable[[dict[str, Any]], None]
) -> None:
    """The result as JSON where that is asked for, else as `show` prints it for people."""
    if args.json or args.progress:
        result.pop("table")
        print(json.dumps(result, ensure_ascii=False))
    else:
        show(result)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Rows of cells, the first column to the left; a row of one cell is a heading."""
    full = [row for row in rows if len(row) > 1]
    widths = [max(len(row[i]) for row in full) for i in range(len(full[0]))]
    for row in rows:
        first, *rest = row
        cells = [f"{cell:>{w}}" for cell, w in zip(rest, widths[1:], strict=False)]
        print("  ".join([f"{first:<{widths[0]}}" if rest else first, *cells]).rstrip())
