"""What a person sees: level, scores and events while it runs, a table of each file afterwards.

On a terminal that can move its cursor it draws a picture that fits into 80 x 24, and takes it
away at the end. On another one, live input gives a plain line for each event.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, TextIO

import numpy as np

from realtime.outputs import (
    Clock,
    DeviceEvent,
    Dropped,
    Event,
    Opening,
    Pace,
    Reading,
    Start,
    Stop,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

FRAMES_PER_S = 8  # of the picture; each costs 1.6 ms on a desktop core
LEVEL_FLOOR_DB = -60.0  # left end of the meter
EVENTS = 8  # last events shown
ROWS = 500  # of the table at the end
NARROW = 40  # columns below which the bars are dropped


class Terminal:
    """The live picture and the tables; an `Output`.

    Args:
        stream: where to draw, usually stdout.
        top: labels shown.
    """

    def __init__(self, stream: TextIO = sys.stdout, *, top: int = 5) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._picture = self._console.is_terminal and not self._console.is_dumb_terminal
        self._lines = False
        self._top = top
        self._live: Live | None = None
        self._opening: Opening | None = None
        self._drawn = 0.0

    def open(self, opening: Opening) -> None:
        """A new input starts: begin to draw."""
        self._opening = opening
        self._lines = opening.live and not self._picture
        self._rows: deque[_Row] = deque(maxlen=ROWS)
        self._starts = 0
        self._running: dict[str, _Row] = {}
        self._recent: deque[Event] = deque(maxlen=EVENTS)
        self._reading: Reading | None = None
        self._peak_db = -120.0
        self._dropped = 0
        if self._picture:
            from rich.live import Live

            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                # log lines go above the picture, unless they go to a file
                redirect_stderr=sys.stderr is not None and sys.stderr.isatty(),
            )
            self._live.start()

    def reading(self, reading: Reading) -> None:
        """Draw, at most `FRAMES_PER_S` times a second."""
        self._reading = reading
        # the meter's peak falls 20 dB in a second
        fall = 20.0 * (self._opening.hop_s if self._opening else 0.1)
        self._peak_db = max(reading.level_db, self._peak_db - fall)
        now = time.monotonic()
        if self._live is not None and now - self._drawn >= 1.0 / FRAMES_PER_S:
            self._drawn = now
            self._live.update(self._draw(), refresh=True)

    def event(self, event: Event) -> None:
        """Remember for the picture and the table; print where there is no picture."""
        self._recent.append(event)
        if isinstance(event, Start):
            row = _Row(event.label, event.t, event.score)
            self._running[event.label] = row
            self._rows.append(row)
            self._starts += 1
        elif isinstance(event, Stop):
            running = self._running.pop(event.label, None)
            if running is not None:
                running.stop, running.peak = event.t, event.peak
        elif isinstance(event, Dropped):
            self._dropped += event.frames
        if self._lines:
            self._console.print(_line(event), markup=False, soft_wrap=True)

    def end(self, t: float) -> None:
        """Take the picture away and print the table."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._opening is not None and not self._lines:
            self._console.print(self._table(t))

    def close(self, complete: bool) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self, t: float) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        opening = self._opening
        name = opening.source if opening is not None else ""
        if not self._rows:
            return Text(f"{name}: nothing recognised in {t:.1f} s", style="dim")
        more = f", the last {ROWS} of {self._starts} events" if self._starts > ROWS else ""
        table = Table(title=Text(f"{name}  ({t:.1f} s{more})"), title_justify="left")
        table.add_column("start s", justify="right")
        table.add_column("stop s", justify="right")
        table.add_column("label", style="bold")
        table.add_column("peak", justify="right")
        table.add_column("")
        for row in self._rows:
            table.add_row(
                f"{row.start:.2f}",
                f"{row.stop:.2f}",
                Text(row.label),
                f"{row.peak:.2f}",
                bar(row.peak, 0.0, 20, "green"),
            )
        return table

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        opening, reading = self._opening, self._reading
        if opening is None or reading is None:
            return Text("")
        width = min(self._console.width, 100)
        cells = max(8, width - 34) if width >= NARROW else 8
        head = row("")
        head.append(f"{opening.source}  ", style="bold")
        head.append(f"{opening.model}  {clock(reading.t)}", style="dim")
        if self._dropped:
            head.append(f"  {self._dropped} samples dropped", style="red")
        lines: list[RenderableType] = [head, self._meter(reading.level_db, cells), Text("")]
        room = max(1, self._console.height - 8)
        top = min(self._top, len(opening.labels), room)
        for i in np.argsort(-reading.scores, kind="stable")[:top]:
            label = opening.labels[i]
            style = "green" if label in self._running else "cyan"
            if label in opening.background:
                style = "bright_black"
            line = row(f"{label[:18]:<18} ", "bold" if style == "green" else "")
            line.append_text(
                bar(float(reading.scores[i]), float(opening.thresholds[i]), cells, style)
            )
            line.append(f" {reading.scores[i]:.2f}")
            lines.append(line)
        lines.append(Text(""))
        shown = max(1, min(EVENTS, room - top))
        for event in list(self._recent)[-shown:]:
            text = row(_line(event))
            text.stylize("green" if isinstance(event, Start) else "dim")
            lines.append(text)
        return Group(*lines)

    def _meter(self, level_db: float, cells: int) -> Text:

        def part(db: float) -> float:
            return min(1.0, max(0.0, 1.0 - db / LEVEL_FLOOR_DB))

        style = "red" if level_db > -3 else "yellow" if level_db > -12 else "blue"
        line = row(f"{'level':<18} ")
        line.append_text(bar(part(level_db), part(self._peak_db), cells, style))
        shown = f"{level_db:.0f} dBFS" if level_db > -119 else "silence"
        return line.append(f" {shown}", style="dim")


class _Row:
    """One line of the table."""

    def __init__(self, label: str, start: float, score: float) -> None:
        self.label = label
        self.start = self.stop = start
        self.peak = score


def row(text: str, style: str = "") -> Text:
    """A line that is cut at the terminal's edge and never wraps."""
    from rich.text import Text

    return Text(no_wrap=True, overflow="ellipsis").append(text, style=style)


def bar(value: float, mark: float, cells: int, style: str) -> Text:
    """A bar of eighths of a cell, with a mark (a threshold, a peak) where it does not reach."""
    from rich.text import Text

    eighths = round(min(1.0, max(0.0, value)) * cells * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
    empty = list(" " * (cells - len(drawn)))
    at = min(cells - 1, int(mark * cells)) - len(drawn)
    if mark and at >= 0:
        empty[at] = "│"
    return Text.assemble((drawn, style), ("".join(empty), "bright_black"))


def _line(event: Event) -> str:
    """An event as one line of text."""
    at = clock(event.t)
    if isinstance(event, Start):
        return f"{at}  start  {event.label:<16} {event.score:.2f}"
    if isinstance(event, Stop):
        return f"{at}  stop   {event.label:<16} {event.peak:.2f}"
    if isinstance(event, DeviceEvent):
        return f"{at}  device {event.state}: {event.name}"
    if isinstance(event, Pace):
        return f"{at}  pace   {event.state}: {event.seconds:.1f} s"
    if isinstance(event, Clock):
        return f"{at}  clock  {event.state}: {event.ppm:.0f} ppm"
    return f"{at}  lost   {event.frames} samples"


def clock(t: float) -> str:
    """12.34, or 1:02:03.40 from a minute on."""
    if t < 60:
        return f"{t:8.2f}"
    minutes, seconds = divmod(t, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{minutes:02d}:{seconds:05.2f}"
    return f"{hours}:{text}" if hours else f"{text:>8}"
