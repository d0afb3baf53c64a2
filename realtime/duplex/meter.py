"""`LiveMeter`: what a person sees of a live gate: levels, score, gain, and what went wrong.

On a terminal that can move its cursor it draws a picture that fits into 80 x 24, and takes it
away at the end; on another one it prints a plain line for each event.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, TextIO

from realtime.duplex.events import Ended, LiveEvent, Overload, Started
from realtime.duplex.state import LiveState
from realtime.outputs import DeviceEvent, Dropped
from realtime.outputs.gate import Closed, Opened
from realtime.outputs.terminal import bar, clock, row

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

FLOOR_DB = -60.0  # left end of the meters
EVENTS = 6  # last events shown
FALL_DB = 20.0  # the peaks fall so far in a second


class LiveMeter:
    """The live picture.

    Args:
        stream: where to draw, usually stdout.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self.drawn = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live: Live | None = None
        self._started: Started | None = None
        self._recent: deque[LiveEvent] = deque(maxlen=EVENTS)
        self._peaks = [FLOOR_DB, FLOOR_DB]
        self._t = 0.0

    def event(self, event: LiveEvent) -> None:
        """Remember for the picture, or print where there is none."""
        if isinstance(event, Started):
            self._started = event
            if self.drawn:
                self._open()
            return
        if isinstance(event, Ended):
            return
        self._recent.append(event)
        if not self.drawn:
            self._console.print(_line(event), markup=False, soft_wrap=True)

    def show(self, state: LiveState) -> None:
        """Draw."""
        if self._live is not None:
            self._live.update(self._draw(state), refresh=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _open(self) -> None:
        from rich.live import Live

        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            # log lines go above the picture, unless they go to a file
            redirect_stderr=sys.stderr is not None and sys.stderr.isatty(),
        )
        self._live.start()

    def _draw(self, state: LiveState) -> RenderableType:
        from rich.console import Group

        width = min(self._console.width, 100)
        cells = max(8, width - 28)
        fall = FALL_DB * max(0.0, state.t - self._t)
        self._t = state.t
        levels = (state.input_db, state.output_db)
        self._peaks = [max(db, p - fall) for db, p in zip(levels, self._peaks, strict=True)]
        lines = [
            self._head(state),
            _meter("input", state.input_db, self._peaks[0], cells),
            _meter("output", state.output_db, self._peaks[1], cells),
        ]
        if state.score is not None:
            style = "green" if state.open else "cyan"
            line = row(f"{'score':<9}").append_text(
                bar(state.score, state.threshold, cells, style)
            )
            lines.append(line.append(f" {state.score:.2f}"))
        lines += [_gate(state), *(row(_line(event), "dim") for event in self._recent)]
        room = max(1, self._console.height - 1)
        return Group(*lines[:room])

    def _head(self, state: LiveState) -> Text:
        started = self._started
        head = row("")
        if started is not None:
            head.append(f"{started.input} → {started.output}  ", style="bold")
        head.append(f"{clock(state.t).strip()}  {state.latency_ms:.1f} ms", style="dim")
        if not state.running:
            head.append("  device lost", style="red")
        for number, what in (
            (state.overloads, "overloads"),
            (state.dropped, "samples dropped"),
            (state.slips, "slips"),
        ):
            if number:
                head.append(f"  {number} {what}", style="red")
        return head


def _gate(state: LiveState) -> Text:
    line = row(f"{'gate':<9}")
    if state.mute:
        line.append("MUTED", style="bold red")
    elif state.bypass:
        line.append("BYPASSED", style="bold yellow")
    elif state.open:
        line.append("open", style="bold green")
    else:
        line.append("closed", style="bold")
    line.append(f"  gain {state.gain_db:.0f} dB", style="dim")
    if state.overloaded:
        line.append("  by level: decisions are late", style="red")
    return line


def _meter(name: str, db: float, peak_db: float, cells: int) -> Text:
    def part(level: float) -> float:
        return min(1.0, max(0.0, 1.0 - level / FLOOR_DB))

    style = "red" if db > -3 else "yellow" if db > -12 else "blue"
    line = row(f"{name:<9}").append_text(bar(part(db), part(peak_db), cells, style))
    return line.append(f" {db:.0f} dBFS" if db > -119 else " silence", style="dim")


def _line(event: LiveEvent) -> str:
    """An event as one line of text."""
    at = clock(event.t)
    if isinstance(event, Opened):
        return f"{at}  open   {event.reason}"
    if isinstance(event, Closed):
        return f"{at}  close"
    if isinstance(event, DeviceEvent):
        return f"{at}  device {event.state}: {event.name}"
    if isinstance(event, Dropped):
        return f"{at}  lost   {event.frames} samples"
    if isinstance(event, Overload):
        return f"{at}  late   {event.state}"
    return at
