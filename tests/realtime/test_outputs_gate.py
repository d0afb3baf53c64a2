"""What a gate's outputs make: the trace and the picture."""

import csv
import io
import json

import numpy as np
import pytest

from realtime.errors import OutputError, UsageError
from realtime.outputs.gate import Closed, GateOpening, GateReading, Opened
from realtime.outputs.gate_trace import GateTrace
from realtime.outputs.jsonl import JsonLines

OPENING = GateOpening(
    source="a.wav", model="loud", rate=16000, channels=1, threshold=0.5, close_under=0.4,
    range_db=-60.0,
)  # fmt: skip


def reading(t, is_open=True, score=0.8):
    return GateReading(
        t=t, score=score, open=is_open, gain_db=-12.3456, level_db=-20.0, peak_db=-10.0
    )


def test_trace(tmp_path):
    path = tmp_path / "t.csv"
    trace = GateTrace(path)
    trace.open(OPENING)
    trace.reading(reading(0.01))
    trace.reading(reading(0.019977, False, 0.12345))
    trace.end(0.02)
    assert not path.exists()
    trace.close(complete=True)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows == [
        ["time_s", "score", "open", "gain_db", "level_db"],
        ["0.0100", "0.8000", "1", "-12.35", "-20.00"],
        ["0.0200", "0.1235", "0", "-12.35", "-20.00"],
    ]


def test_a_failed_run_leaves_the_old_trace(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("mine")
    trace = GateTrace(path)
    trace.open(OPENING)
    trace.close(complete=False)
    assert path.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(OutputError, match="No such file"):
        GateTrace(tmp_path / "no/t.csv")


def test_json_lines():
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines.open(OPENING)
    lines.event(Opened(t=3.21, score=0.83, reason="score 0.83 over 0.50"))
    lines.event(Closed(t=5.48, score=0.1204))
    lines.close(complete=True)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "open", "t": 3.21, "score": 0.83, "reason": "score 0.83 over 0.50"},
        {"event": "close", "t": 5.48, "score": 0.12},
    ]
    assert stream.getvalue().startswith('{"event":"open","t":3.21,"score":0.83,"reason":')


def drawn(path, seconds, block_s=0.5, **changes):
    """A picture of a gate that opens every other second."""
    from msgspec.structs import replace

    from realtime.outputs.gate_plot import GatePlot

    plot = GatePlot(path)
    opening = replace(OPENING, **changes)
    plot.open(opening)
    n = round(block_s * opening.rate)
    block = np.random.default_rng(0).normal(0, 0.1, (n, 1)).astype(np.float32)
    for i in range(round(seconds / block_s)):
        is_open = int(i * block_s) % 2 == 1
        plot.sound(block, block * (1.0 if is_open else 0.001))
        for k in range(round(block_s * 100)):
            plot.reading(reading(i * block_s + (k + 1) / 100, is_open, 0.9 * is_open))
    plot.end(seconds)
    return plot


@pytest.mark.parametrize("model", ["loud", ""])
def test_a_picture_shows_what_happened(tmp_path, model):
    matplotlib = pytest.importorskip("matplotlib", reason="the plot extra")
    path = tmp_path / "g.png"
    changes = {} if model else {"threshold": -20.0, "close_under": -26.0}
    drawn(path, 10.0, model=model, **changes).close(complete=True)
    image = matplotlib.image.imread(path)
    assert image.shape[1] == 1440
    # the green of the openings: half of the time, in every panel
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    green = (g > r + 0.05) & (g > b) & (g > 0.8)
    assert 0.2 < green.mean() < 0.5


def test_a_long_input_takes_no_more_memory(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot extra")
    from realtime.outputs.gate_plot import COLUMNS

    plot = drawn(tmp_path / "g.png", 400.0, block_s=5.0)
    for track in (plot._before, plot._after, plot._score, plot._gain, plot._open):
        assert COLUMNS // 2 <= len(track) <= COLUMNS
        assert len(track._low) == COLUMNS
    low, high = plot._before.spans()
    assert np.isfinite(low).all()
    assert (low < -0.1).all()
    assert (high > 0.1).all()
    assert plot._open.mean().mean() == pytest.approx(0.5, abs=0.01)
    assert plot._score.middles()[-1] == pytest.approx(40_000, rel=0.01)
    plot.close(complete=True)


def test_no_picture_of_nothing(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot extra")
    from realtime.outputs.gate_plot import GatePlot

    with pytest.raises(UsageError, match="no picture of kind txt"):
        GatePlot(tmp_path / "g.txt")
    plot = drawn(tmp_path / "g.png", 1.0)
    plot.close(complete=False)
    assert list(tmp_path.iterdir()) == []
    drawn(tmp_path / "short.png", 0.0).close(complete=True)  # nothing came, and all is well
    drawn(tmp_path / "gate.svg", 1.0).close(complete=True)
    assert (tmp_path / "gate.svg").read_text().startswith("<?xml")
