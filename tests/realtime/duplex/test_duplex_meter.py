"""What a person sees of a live gate, on a terminal and where there is none."""

import io
import re

import pytest

from realtime.duplex.events import Ended, Overload, Started
from realtime.duplex.meter import LiveMeter
from realtime.duplex.state import LiveState
from realtime.outputs import DeviceEvent, Dropped
from realtime.outputs.gate import Closed, Opened

pytest.importorskip("rich")

STARTED = Started(
    t=0.0, input="mic", output="speaker", rate=48_000, rate_out=48_000, channels=1,
    output_channels=2, block=128, lookahead_ms=0.0, latency_ms=2.7, clocks=1, compiled=True,
)  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self):
        return True


def state(**changes):
    numbers = dict.fromkeys(
        (n for n, kind in LiveState.__annotations__.items() if kind in ("int", "float")), 0
    )
    usual = {"running": True, "t": 3.0, "input_db": -20.0, "output_db": -20.0, "score": 0.83}
    usual |= {"threshold": 0.5, "open": True, "bypass": False, "mute": False}
    usual |= {"overloaded": False, "latency_ms": 2.7}
    return LiveState(**(numbers | usual | changes))


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    stream = Terminal()
    meter = LiveMeter(stream)
    assert meter.drawn
    meter.event(STARTED)

    def draw(**changes):
        stream.truncate(0)
        stream.seek(0)
        meter.show(state(**changes))
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())

    yield draw
    meter.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ("mic → speaker", "2.7 ms", "input", "output", "-20 dBFS", "0.83", "open")),
        ({"open": False, "gain_db": -60.0}, ("closed", "gain -60 dB")),
        ({"mute": True}, ("MUTED",)),
        ({"bypass": True}, ("BYPASSED",)),
        ({"overloaded": True, "overloads": 2}, ("by level: decisions are late", "2 overloads")),
        ({"running": False, "dropped": 480}, ("device lost", "480 samples dropped")),
        ({"input_db": -120.0}, ("silence",)),
    ],
)
def test_the_picture_says_how_it_is(drawn, changes, says):
    text = drawn(**changes)
    for part in says:
        assert part in text
    lines = text.strip("\r\n").splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80


def test_a_level_gate_has_no_score(drawn):
    assert "score" not in drawn(score=None)


def test_without_a_terminal_events_are_lines():
    stream = io.StringIO()
    meter = LiveMeter(stream)
    assert not meter.drawn
    for event in (
        STARTED,
        Opened(t=1.0, score=0.8, reason="score 0.80 over 0.50"),
        Closed(t=2.0, score=0.1),
        DeviceEvent(state="lost", name="mic", t=3.0),
        Dropped(t=4.0, frames=480),
        Overload(state="begin", t=5.0),
        Ended(**dict.fromkeys(Ended.__struct_fields__, 0)),
    ):
        meter.event(event)
        meter.show(state())
    meter.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    said = ("open   score 0.80 over 0.50", "close", "device lost: mic", "lost   480 samples")
    for line, part in zip(lines, (*said, "late   begin"), strict=True):
        assert part in line
