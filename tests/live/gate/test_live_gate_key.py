"""Another sound decides: other channels of the input, or a device with a clock of its own."""

import subprocess
import time

import numpy as np
import pytest

from realtime.control.client import ControlClient, ControlError

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

BY_KEY = ("--level", "--threshold-db", "-30", "--range-db", "-120", "--hold-ms", "20")
QUICK = (*BY_KEY, "--attack-ms", "1", "--release-ms", "5")
BLOCK = 128


def beating(sounds, seconds):
    """Steady noise, and beside it noise of 100 ms in every 400; and where that is."""
    sound = sounds.noise(seconds, 2)
    rows = np.arange(len(sound)) - sounds.rate // 10
    beats = (rows >= 0) & (rows % (sounds.rate * 4 // 10) < sounds.rate // 10)
    sound[~beats, 1] = 0.0
    return sound, beats


def test_other_channels_of_the_input(bench, sounds):
    bench.serve()
    gate = bench.gate(*QUICK, "--channels", "1", "--key-channels", "2")
    assert (gate.started["channels"], gate.started["key"]) == (1, "system, 2")
    sound, beats = beating(sounds, 3)
    direct, gated = bench.pass_through(gate, sound)
    (first,) = np.flatnonzero(direct)[:1]
    (begin,) = np.flatnonzero(sound[:, 0])[:1]
    beats = np.concatenate([np.zeros(first - begin, bool), beats])[: len(direct) - BLOCK]
    heard, gated = direct[:-BLOCK], gated[BLOCK:, 0]
    open_, shut = (
        np.flatnonzero(np.convolve(b, np.ones(2400)) >= 2400) for b in (beats, ~beats)
    )
    open_, shut = (p[(p > first + 2400) & (p < len(heard) - 4800)] for p in (open_, shut))
    np.testing.assert_array_equal(gated[open_], heard[open_])
    assert np.abs(gated[shut]).max() < 1e-5
    assert gate.stop() == 130
    assert len(gate.of("open")) == pytest.approx(8, abs=1)
    assert "system, 2 decides" in gate.log


@pytest.fixture
def metronome(bench, sounds):
    """JACK's metronome, a device to PortAudio: four beats a second of 60 ms."""
    jack = bench.serve()
    command = "jack_metro -n kick -b 240 -f 3000 -D 60 -a 0.8"
    with subprocess.Popen(command.split(), stdout=subprocess.DEVNULL) as process:
        try:
            sounds.wait_for(lambda: "kick" in jack.clients(), "the metronome")
            yield
        finally:
            process.kill()


def beats(gated):
    """Where sound begins."""
    loud = np.convolve(np.abs(gated[:, 0]) > 0.005, np.ones(200) / 200, "same") > 0.5
    return np.flatnonzero(np.diff(loud.astype(int)) == 1)


@pytest.mark.usefixtures("metronome")
def test_a_device_of_its_own(bench, sounds):
    """The key has a client of its own."""
    gate = bench.gate(*QUICK, "--key", "kick", "--channels", "1")
    assert gate.started["key"] == "kick"
    assert gate.started["latency_ms"] == pytest.approx(1000 * BLOCK / sounds.rate, abs=0.01)
    direct, gated = bench.pass_through(gate, sounds.noise(4))
    begins = beats(gated)
    assert len(begins) >= 10
    np.testing.assert_allclose(np.diff(begins[1:-1]) / sounds.rate, 0.25, atol=0.02)
    # what comes through is the sound, not the key, and as late as ever
    inside = begins[3] + 1200
    np.testing.assert_array_equal(
        gated[inside : inside + 480, 0], direct[inside - BLOCK : inside + 480 - BLOCK]
    )
    assert gate.stop() == 130


@pytest.mark.usefixtures("metronome")
def test_a_device_of_its_own_under_control(bench, sounds):
    """Kept by a new start, given up and taken again over the socket; refused if not there."""

    def set_anew(**settings):
        found = client.request("set", settings=settings)
        (gate.client,) = sounds.wait_for(bench.jack.players, "its ports")
        return found["key"]

    gate = bench.gate(*QUICK, "--key", "kick", "--channels", "1", "--control")
    path = bench.room / f"rt-tag/gate-{gate.process.pid}.json"
    sounds.wait_for(path.exists, "the run file")
    with ControlClient.find(path) as client:
        assert client.request("settings")["key"] == "kick"
        assert len(beats(bench.pass_through(gate, sounds.noise(2))[1])) >= 5
        assert set_anew(lookahead_ms=5) == "kick"
        direct, gated = bench.pass_through(gate, sounds.noise(2))
        begins = beats(gated)
        assert len(begins) >= 5
        inside, late = begins[3] + 1200, BLOCK + 240
        np.testing.assert_array_equal(
            gated[inside : inside + 480, 0], direct[inside - late : inside + 480 - late]
        )
        assert set_anew(key="") == ""
        assert len(beats(bench.pass_through(gate, sounds.noise(2))[1])) == 1  # the sound's own
        with pytest.raises(ControlError, match="kcik"):
            client.request("set", settings={"key": "kcik"})
        assert set_anew(key="kick") == "kick"
        assert len(beats(bench.pass_through(gate, sounds.noise(2))[1])) >= 5
        state = client.request("state")
        assert (state["phase"], state["restarts"]) == ("running", 3)
    assert gate.stop() == 130
    assert [e["key"] for e in gate.of("start")] == ["kick", "kick", "", "kick"]


def test_a_key_that_is_lost_and_comes_back(bench, pulse, sounds):
    """A key from PulseAudio, with a clock of its own, for a sound from JACK."""
    bench.serve()
    gate = bench.gate(*BY_KEY, "--key", "rtmic")
    assert gate.started["key"] == "rtmic"
    _, gated = bench.pass_through(gate, sounds.noise(1))
    assert np.abs(gated).max() < 1e-5  # the key is silence
    pulse.stop()
    lost = gate.wait_for("device", 30, state="lost")
    assert lost["name"] == "rtmic"
    direct, gated = bench.pass_through(gate, sounds.noise(2))
    np.testing.assert_array_equal(gated[48_128:, 0], direct[48_000:-128])
    pulse.start()
    gate.wait_for("device", 60, state="back")
    time.sleep(1)
    _, gated = bench.pass_through(gate, sounds.noise(1))
    assert np.abs(gated).max() < 1e-5
    assert gate.stop() == 130
    assert "rtmic: is lost; the input's own sound decides" in gate.log
    assert "rtmic: is back" in gate.log
    (end,) = gate.of("end")
    assert end["dropped"] == 0  # nothing of the sound itself


def test_a_key_for_a_model(bench, sounds, gate_model):
    """The learned gate hears the other channel, filtered, and Ctrl-C ends all of it."""
    bench.serve()
    gate = bench.gate(
        *("--model", str(gate_model), "--channels", "1", "--key-channels", "2"),
        *("--key-highpass", "100"),
    )
    sound, _ = beating(sounds, 3)
    bench.pass_through(gate, sound)
    assert gate.stop() == 130
    assert 5 <= len(gate.of("open")) <= 10


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (("--key", "kcik"), 4, "kcik"),
        (("--key", "system"), 2, "name the channels that decide: --key-channels"),
        (("--key-channels", "9"), 2, "--key-channels 9: system has 4"),
        (("--key-channels", "2-1"), 2, "--key-channels 2-1 names no channels"),
        (("--key", "tone.wav"), 4, "tone.wav"),
    ],
)
def test_keys_that_are_not_there(bench, rt_gate, options, status, says):
    bench.serve()
    done = subprocess.run([rt_gate, "--level", *options], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
