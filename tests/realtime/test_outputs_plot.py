"""`--plot`: a picture of any kind, of any length of sound, or one line that says why not."""

import numpy as np
import pytest
from kit_outputs import opening, reading

from realtime.errors import MissingExtra, OutputError, UsageError
from realtime.outputs import Start, Stop


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
