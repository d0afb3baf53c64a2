"""The live picture and the table: they fit, and a dumb terminal gets lines."""

import io

import numpy as np
import pytest
from kit_outputs import EVENTS, opening, reading

from realtime.outputs import Start, Stop
from realtime.outputs.terminal import Terminal


def draw(**size):
    """A terminal of a size that draws, and what was written to it."""
    from rich.console import Console

    stream = io.StringIO()
    output = Terminal(stream, top=5)
    output._console = Console(file=stream, force_terminal=True, _environ={}, **size)
    output._picture = True
    labels = tuple(f"label {i}" for i in range(30))
    output.open(opening("Microphone " * 4, labels=labels, live=True))
    return output, stream


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (20, 6), (200, 60)])
def test_the_picture_fits(width, height):
    output, stream = draw(width=width, height=height)
    for i in range(20):
        output.event(Start(label="label 3", t=float(i), score=0.9))
        output.event(Stop(label="label 3", t=i + 0.5, peak=0.95))
    output.reading(reading(100.0, np.linspace(0, 1, 30), level=-13.0))
    lines = [
        "".join(piece.text for piece in line)
        for line in output._console.render_lines(output._draw(), pad=False)
    ]
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    if width >= 80:
        assert "label 29" in text
        assert "-13 dBFS" in text
        assert "01:40.00" in text
    output.end(100.0)
    output.close(complete=True)
    assert stream.getvalue().rstrip().endswith("┘")
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h")


def test_a_dumb_terminal_gets_lines_live_and_a_table_for_files():
    stream = io.StringIO()
    output = Terminal(stream)
    output.open(opening(live=True))
    for event in EVENTS:
        output.event(event)
    output.end(92.0)
    assert [" ".join(line.split()) for line in stream.getvalue().splitlines()] == [
        "12.34 start yes 0.97", "12.91 stop yes 0.99", "01:20.12 device lost: Mic",
        "01:31.00 lost 480 samples",
    ]  # fmt: skip
    stream = io.StringIO()
    output = Terminal(stream)
    output.open(opening("[red]odd.wav"))
    for event in EVENTS:
        output.event(event)
    output.end(92.0)
    assert "[red]odd.wav" in stream.getvalue()
    assert "12.91" in stream.getvalue()
    output.open(opening("quiet.wav"))
    output.end(3.0)
    assert "quiet.wav: nothing recognised in 3.0 s" in stream.getvalue()
