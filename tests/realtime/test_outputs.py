"""Outputs: exact JSON fields, whole files or none, a terminal that is left as it was."""

import csv
import io
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from realtime.errors import MissingExtra, OutputError, UsageError
from realtime.outputs import DeviceEvent, Dropped, Opening, Reading, Start, Stop
from realtime.outputs.jsonl import JsonLines
from realtime.outputs.replace import Replacement
from realtime.outputs.scores import ScoresCsv
from realtime.outputs.terminal import Terminal

EVENTS = [
    Start(label="yes", t=12.3404, score=0.97049),
    Stop(label="yes", t=12.91, peak=0.99),
    DeviceEvent(state="lost", name="Mic", t=80.12),
    Dropped(t=91.0, frames=480),
]


def opening(source="a.wav", labels=("yes", "no"), live=False):
    return Opening(
        source=source,
        model="kws",
        labels=labels,
        thresholds=np.full(len(labels), 0.5, np.float32),
        background=("no",),
        rate=16000,
        hop_s=0.1,
        live=live,
    )


def reading(t, scores=(0.25, 0.125), level=-20.0, audio=None):
    audio = np.zeros(1600, np.float32) if audio is None else audio
    return Reading(t=t, scores=np.array(scores, np.float32), level_db=level, audio=audio)


def test_json_lines_are_exact():
    stream = io.StringIO()
    output = JsonLines(stream)
    output.open(opening())
    for event in EVENTS:
        output.event(event)
    output.end(100.0)
    output.close(complete=True)
    assert stream.getvalue().splitlines() == [
        '{"event":"start","label":"yes","t":12.34,"score":0.97}',
        '{"event":"stop","label":"yes","t":12.91,"peak":0.99}',
        '{"event":"device","state":"lost","name":"Mic","t":80.12}',
        '{"event":"dropped","t":91.0,"frames":480}',
    ]


def test_json_lines_name_files_and_flush():
    class Counts(io.StringIO):
        flushes = 0

        def flush(self):
            self.flushes += 1

    stream = Counts()
    output = JsonLines(stream, name_file=True)
    for name in ("a.wav", "größe.wav"):
        output.open(opening(name))
        output.event(EVENTS[0])
        assert json.loads(stream.getvalue().splitlines()[-1])["file"] == name
    assert stream.flushes == 2


def test_scores(tmp_path):
    path = tmp_path / "s.csv"
    output = ScoresCsv(path)
    output.open(opening(labels=("yes", 'odd, "label"')))
    output.reading(reading(0.1))
    output.reading(reading(0.2, (0.99996, 0)))
    assert not path.exists(), "only a whole file has its name"
    output.end(0.2)
    output.close(complete=True)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows == [
        ["time_s", "yes", 'odd, "label"'],
        ["0.100", "0.2500", "0.1250"],
        ["0.200", "1.0000", "0.0000"],
    ]
    assert path.read_bytes().count(b"\r") == 0
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_scores_of_several_files(tmp_path):
    output = ScoresCsv(tmp_path / "s.csv", name_file=True)
    for name in ("a.wav", "b.wav"):
        output.open(opening(name))
        output.reading(reading(0.1))
        output.end(0.1)
    output.close(complete=True)
    rows = list(csv.reader((tmp_path / "s.csv").read_text().splitlines()))
    assert [row[:2] for row in rows] == [
        ["file", "time_s"], ["a.wav", "0.100"], ["b.wav", "0.100"],
    ]  # fmt: skip


def test_a_failed_run_keeps_what_was_there(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("mine\n")
    path.chmod(0o640)
    output = ScoresCsv(path)
    output.open(opening())
    output.reading(reading(0.1))
    output.close(complete=False)
    assert path.read_text() == "mine\n"
    assert list(tmp_path.iterdir()) == [path]
    output = ScoresCsv(path)
    output.open(opening())
    output.close(complete=True)
    assert path.read_text() == "time_s,yes,no\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_full_device_is_one_error():
    output = ScoresCsv("/dev/full")
    output.open(opening())
    for i in range(40):
        output.reading(reading(i * 0.1))
    with pytest.raises(OutputError, match="No space left") as e:
        output.end(4.0)
    assert e.value.status == 6
    output.close(complete=False)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode), "a device is never replaced"


def test_replacement_refuses_early_and_follows_links(tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        Replacement(tmp_path / "no" / "x.csv")
    with pytest.raises(OutputError, match="is a folder"):
        Replacement(tmp_path)
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    replacement = Replacement(link)
    replacement.temporary.write_text("new")
    replacement.commit()
    assert link.is_symlink()
    assert real.read_text() == "new"


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


def tone_readings(seconds, hop=0.1):
    t = np.arange(round(seconds * 16000)) / 16000
    sound = (0.3 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    for i, part in enumerate(np.split(sound, round(seconds / hop))):
        yield reading((i + 1) * hop, (0.5, i / 100 % 1), audio=part)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_plot(tmp_path, kind):
    pytest.importorskip("matplotlib", reason="the plot extra")
    from realtime.outputs.plot import Plot

    path = tmp_path / f"p.{kind}"
    output = Plot(path)
    output.open(opening(labels=("yes", "日本語")))
    for piece in tone_readings(2.0):
        output.reading(piece)
    output.event(Start(label="日本語", t=0.5, score=0.9))
    output.event(Stop(label="日本語", t=1.5, peak=0.9))
    output.end(2.0)
    assert not path.exists()
    output.close(complete=True)
    assert path.read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    assert list(tmp_path.iterdir()) == [path]


def test_plot_hears_the_tone_where_it_is(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot extra")
    from realtime.outputs.plot import Plot

    output = Plot(tmp_path / "p.png")
    output.open(opening())
    for piece in tone_readings(2.0):
        output.reading(piece)
    columns = output._sound.mean()
    assert len(columns) == pytest.approx(200, abs=5)
    loudest = columns[5:-5].argmax(axis=1)
    assert (np.abs(loudest - output._spectrum.band_of(1000.0)) <= 2).all()
    output.close(complete=False)
    assert list(tmp_path.iterdir()) == []


def test_plot_of_a_long_input_is_bounded(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot extra")
    from realtime.outputs import plot

    output = plot.Plot(tmp_path / "p.png")
    output.open(opening())
    for piece in tone_readings(60.0):
        output.reading(piece)
    for i in range(plot.TAGS + 7):
        output.event(Start(label="yes", t=i * 0.01, score=0.9))
        output.event(Stop(label="yes", t=i * 0.01 + 0.005, peak=0.9))
    assert output._sound.column_s == pytest.approx(0.04)
    assert len(output._sound.mean()) == pytest.approx(1500, abs=2)
    assert len(output._tags) == plot.TAGS
    assert output._more == 7
    output.close(complete=False)


def test_plot_of_nothing_and_of_less_than_a_frame(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot extra")
    from realtime.outputs.plot import Plot

    for samples in (0, 1):
        output = Plot(tmp_path / "p.png")
        output.open(opening())
        if samples:
            output.reading(reading(1 / 16000, audio=np.zeros(1, np.float32)))
        output.end(samples / 16000)
        output.close(complete=True)
        assert (tmp_path / "p.png").stat().st_size > 1000


def test_plot_says_early_what_is_missing(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="the plot extra")
    from realtime.outputs.plot import Plot

    with pytest.raises(UsageError, match="no picture of kind wav"):
        Plot(tmp_path / "p.wav")
    with pytest.raises(OutputError):
        Plot(tmp_path / "no" / "p.png")
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MissingExtra) as e:
        Plot(tmp_path / "p.png")
    assert e.value.hint == "pipx inject rt-tag matplotlib"
