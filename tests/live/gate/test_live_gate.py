"""rt-gate on a real PortAudio stream: what it adds, what it lets through, how it ends."""

import contextlib
import subprocess
from pathlib import Path

import numpy as np
import pytest

from realtime.duplex import pair
from realtime.duplex.events import Ended, Latency
from realtime.duplex.live_trace import LiveTrace
from realtime.errors import OutputError
from realtime.gate.settings import GateSettings
from realtime.gate.stream import GateStream
from realtime.runners import open_runner

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

OPEN = ("--level", "--threshold-db", "-144", "--range-db", "0")  # every sample, as it is
TRIES = 4  # on a busy computer a decision may come too late for its place


@pytest.mark.parametrize("block", [64, 100, 128, 480])
@pytest.mark.parametrize("lookahead_ms", ["0", "10"])
def test_it_adds_what_it_says(bench, sounds, block, lookahead_ms):
    bench.serve()
    gate = bench.gate(*OPEN, "--block", str(block), "--lookahead-ms", lookahead_ms)
    direct, gated = bench.pass_through(gate, sounds.noise(2))
    stated = gate.started["latency_ms"] * sounds.rate / 1000
    assert round(stated) == block + int(lookahead_ms) * 48
    assert stated / sounds.rate <= 0.02
    for at in (1000, 40_000, 90_000):
        assert sounds.delay_of(direct, gated[:, 0], at) == pytest.approx(stated, abs=0.05)
    assert gate.stop() == 130
    assert f"adds {gate.started['latency_ms']:.1f} ms" in gate.log


@pytest.mark.parametrize("period", [64, 1024])
def test_it_adds_the_same_whatever_the_card_hands_on(bench, sounds, period):
    bench.serve(period)
    gate = bench.gate(*OPEN, "--block", "128")
    direct, gated = bench.pass_through(gate, sounds.noise(1))
    assert sounds.delay_of(direct, gated[:, 0], 1000) == 128


@pytest.mark.parametrize("block", [128, 480])
def test_two_streams_add_what_they_say(bench, sounds, monkeypatch, block):
    """As between two devices, but on one clock, so that it can be measured to the sample."""
    monkeypatch.setattr(pair, "share_clock", lambda *_: False)
    bench.serve()
    settings = GateSettings(level=True, threshold_db=-144, close_db=-144, range_db=0)
    gate = bench.live(settings, block=block)
    assert gate.started["clocks"] == 2
    direct, gated = bench.pass_through(gate, sounds.noise(3))
    told = [e.latency_ms for e in gate.events if isinstance(e, Latency)]
    stated = [gate.started["latency_ms"], *told][-1]
    piece = direct[72_000:120_000]
    lags = range(0, 4800, 1)
    found = [float(piece @ gated[72_000 + lag : 120_000 + lag, 0]) for lag in lags]
    assert np.argmax(found) / 48 == pytest.approx(stated, abs=3)


@pytest.mark.parametrize("lookahead_ms", [0, 20])
def test_live_sound_is_gated_like_a_file(bench, sounds, gate_model, lookahead_ms):
    """Sample by sample, if decisions are in time: the block is the time they have."""
    bench.serve()
    sound = words(sounds)
    for _ in range(TRIES):
        options = ("--model", str(gate_model), "--lookahead-ms", str(lookahead_ms))
        gate = bench.gate(*options, "--block", "480")
        direct, gated = bench.pass_through(gate, sound)
        assert gate.stop() == 130
        if not gate.of("end")[0]["tardy"] and not gate.of("overload"):
            break
    else:
        pytest.skip("this computer is too busy to decide in 10 ms")
    late = 480 + 48 * lookahead_ms
    heard = direct[: len(direct) - late]
    gated = gated[late:, 0]
    # decisions fall on a grid that began with the stream: find it by the first opening
    expected, offset = as_file(heard, 0, gate_model, lookahead_ms), 0
    was_open, is_open = (first_open(heard, x) for x in (expected, gated))
    offset = (is_open - was_open) % 480
    pad = (480 - offset) % 480
    expected = as_file(heard, pad, gate_model, lookahead_ms)
    np.testing.assert_array_equal(gated, expected)
    assert [e["event"] for e in gate.events if e["event"] in ("open", "close")] == [
        *("open", "close") * 3
    ]
    assert "over 0.50" in gate.of("open")[0]["reason"]


@pytest.mark.parametrize("kind", ["learned", "level"])
def test_trace_and_picture(bench, sounds, gate_model, tmp_path, kind):
    bench.serve()
    options = ["--model", str(gate_model), "--lookahead-ms", "10"]
    if kind == "level":
        options = ["--level", "--threshold-db", "-30", "--hold-ms", "50"]
    trace, plot = tmp_path / "trace.csv", tmp_path / "gate.png"
    gate = bench.gate(*options, "--trace", str(trace), "--plot", str(plot))
    bench.pass_through(gate, words(sounds))
    so_far = trace.read_text().splitlines()
    assert so_far[0] == "time_s,score,open,gain_db,level_db"
    assert len(so_far) > 300  # it runs on: who reads along has had these
    assert gate.stop() == 130
    assert plot.read_bytes().startswith(b"\x89PNG")
    t, score, is_open, gain, level = np.loadtxt(trace, delimiter=",", skiprows=1).T
    np.testing.assert_allclose(np.diff(t), 0.01, atol=2e-4)
    turns = [e for e in gate.events if e["event"] in ("open", "close")]
    assert [e["event"] for e in turns] == [*("open", "close") * 3]
    expected = np.zeros(len(t))
    for opened, closed in zip(turns[::2], turns[1::2], strict=True):
        # a row and a decision at the same instant are one; levels turn anywhere
        near = 1e-3 if kind == "learned" else 0
        expected[(t > opened["t"] - near) & (t < closed["t"] - near)] = 1
    assert np.mean(is_open != expected) < 0.005
    well_open = np.convolve(is_open, np.ones(5), "valid") == 5
    assert gain[4:][well_open].min() > -0.1
    assert gain[is_open == 0].min() < -50
    assert level[4:][well_open].mean() > level[is_open == 0].mean() + 30
    if kind == "learned":
        assert score[is_open == 1].min() > 0.3


def test_a_disk_that_fills_up_while_it_runs(bench, sounds, tmp_path):
    """The trace cannot be written any more: sound fades out, and the fault says why."""
    bench.serve()
    trace = LiveTrace(tmp_path / "trace.csv")
    gate = bench.live(GateSettings(level=True), outputs=[trace])
    sounds.wait_for(lambda: "\n0." in (tmp_path / "trace.csv").read_text(), "rows")
    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115  closing it fails, too
    own, trace._stream = trace._stream, full
    own.close()
    sounds.wait_for(lambda: gate.live.fault is not None, "the fault")
    sounds.wait_for(lambda: isinstance(gate.events[-1], Ended), "the end")
    with contextlib.suppress(OSError):
        full.close()
    assert isinstance(gate.live.fault, OutputError)
    assert "No space left" in str(gate.live.fault)
    assert gate.live.pid == 0


def test_a_disk_that_is_full(bench, rt_gate):
    bench.serve()
    command = [rt_gate, "--level", "--trace", "/dev/full"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 6
    assert "/dev/full" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def words(sounds):
    """Three bursts of noise in soft noise, float32 [n, 1]."""
    sound = sounds.noise(3.3, level=0.0005)
    for i, begin in enumerate((0.6, 1.5, 2.4)):
        at = int(begin * sounds.rate) + 77 * i
        burst = sounds.noise(0.4, seed=i)[sounds.rate // 10 :]
        sound[at : at + len(burst)] = burst
    return sound


def as_file(heard, pad, model, lookahead_ms):
    settings = GateSettings(lookahead_ms=lookahead_ms, score=lookahead_ms // 10)
    stream = GateStream(settings, 48_000, 1, open_runner(model, None, None, 1))
    sound = np.concatenate([np.zeros(pad + 48_000, np.float32), heard])[:, None]
    out = np.concatenate([stream.process(sound), stream.flush()])
    return out[pad + 48_000 :, 0]


def first_open(heard, gated):
    """The first sample whose gain is over that of the closed gate."""
    loud = np.abs(heard) > 1e-5
    gain = np.divide(gated, heard, out=np.zeros_like(heard), where=loud)
    return int(np.flatnonzero(gain > 0.00101)[0])
