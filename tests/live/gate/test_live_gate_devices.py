"""Two devices, two clocks; devices that go, that are not there; a microphone that is made."""

import contextlib
import json
import subprocess
import time

import numpy as np
import pytest
import soundfile

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

OPEN = ("--level", "--threshold-db", "-144", "--range-db", "0")
RATE = 48_000
SPEAKER = 'pcm.rtout { type pulse device "rtspeaker" hint { show on description "speaker" } }\n'


def pactl(*arguments):
    done = subprocess.run(["pactl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def speaker(pulse):
    """A second sink, with a clock and a rate of its own: ALSA's device rtout."""
    conf = pulse.room / "asound.conf"
    conf.write_text(conf.read_text() + SPEAKER)
    pactl("load-module", "module-null-sink", "sink_name=rtspeaker", "rate=44100", "channels=2")
    return pulse


@contextlib.contextmanager
def recorded(source, path):
    """What a source of Pulse's gives meanwhile, mono, into a file of float32."""
    with (
        path.open("wb") as file,
        subprocess.Popen(
            [
                *("parec", "--raw", "--format=float32le", "--channels=1", f"--rate={RATE}"),
                *(f"--device={source}", "--latency-msec=20"),
            ],
            stdout=file,
        ) as parec,
    ):
        try:
            yield
        finally:
            parec.terminate()


def tone(seconds):
    return (0.3 * np.sin(2 * np.pi * 997 * np.arange(int(seconds * RATE)) / RATE)).astype("f4")


def clean_share(sound, hz=997.0):
    """The share of 50 ms windows that hold the tone and nothing else, of those with sound."""
    windows = sound[: len(sound) // 2400 * 2400].reshape(-1, 2400)
    windows = windows[np.abs(windows).max(axis=1) > 0.15]
    best = np.zeros(len(windows), bool)
    for ppm in np.linspace(-2500, 2500, 51):
        turns = np.exp(2j * np.pi * hz * (1 + 1e-6 * ppm) * np.arange(2400) / RATE)
        basis = np.stack([turns.real, turns.imag], axis=1)
        rest = windows.T - basis @ np.linalg.lstsq(basis, windows.T, rcond=None)[0]
        best |= (rest**2).mean(axis=0) < 1e-3 * (windows.T**2).mean(axis=0)
    return len(windows) * 2400 / RATE, best.mean()


def test_two_clocks_two_rates(speaker, gates, tmp_path):
    gate = gates(*OPEN, "--device", "rtmic", "--output-device", "rtout", "--rate", str(RATE))
    assert gate.started["clocks"] == 2
    soundfile.write(tmp_path / "tone.wav", tone(8), RATE, subtype="PCM_16")
    with recorded("rtspeaker.monitor", tmp_path / "heard.raw"):
        time.sleep(2)
        subprocess.run(["paplay", "--device=rtsink", tmp_path / "tone.wav"], check=True)
        time.sleep(1)
    assert gate.stop() == 130
    seconds, clean = clean_share(np.fromfile(tmp_path / "heard.raw", np.float32))
    assert seconds > 5
    assert clean > 0.8
    assert "a reserve for two clocks" in gate.log


def test_from_one_sound_system_to_another(bench, pulse, gates, tmp_path):
    """JACK to PulseAudio: two clocks, two host APIs."""
    conf = pulse.room / "asound.conf"
    conf.write_text(conf.read_text() + SPEAKER)
    pactl("load-module", "module-null-sink", "sink_name=rtspeaker", "rate=44100", "channels=2")
    bench.serve(channels=2)
    gate = bench.gate(*OPEN, "--output-device", "rtout")
    assert (gate.started["clocks"], gate.started["input"]) == (2, "system")
    with recorded("rtspeaker.monitor", tmp_path / "heard.raw"):
        time.sleep(1)
        bench.play(gate, tone(8)[:, None])
        time.sleep(1)
    assert gate.stop() == 130
    seconds, clean = clean_share(np.fromfile(tmp_path / "heard.raw", np.float32))
    assert seconds > 4
    assert clean > 0.8


def test_a_device_that_goes_and_comes_back(bench, sounds):
    jack = bench.serve()
    gate = bench.gate(*OPEN)
    time.sleep(1)
    jack.stop()
    lost = gate.wait_for("device", 30, state="lost")
    assert lost["name"] == "system"
    time.sleep(2)
    jack.start()
    back = gate.wait_for("device", 60, state="back")
    (dropped,) = gate.of("dropped")
    assert dropped["t"] == back["t"]
    assert back["t"] - lost["t"] == pytest.approx(dropped["frames"] / RATE, abs=0.01)
    (gate.client,) = sounds.wait_for(lambda: set(jack.clients()), "its ports")
    direct, gated = bench.pass_through(gate, sounds.noise(1.5))
    assert sounds.delay_of(direct, gated[:, 0], 1000) == 128
    assert gate.stop() == 130
    assert gate.of("end")[0]["dropped"] == dropped["frames"]
    assert "is lost" in gate.log
    assert "is back" in gate.log


def test_ctrl_c_while_a_device_is_lost(bench):
    jack = bench.serve()
    gate = bench.gate(*OPEN)
    jack.stop()
    gate.wait_for("device", 30, state="lost")
    assert gate.stop() == 130
    assert gate.of("end")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--device", "sytsem"), "did you mean 'system'?"),
        (("--output-device", "sytsem"), "did you mean 'system'?"),
        (("--output-device", "77"), "no device to play to has index 77"),
        (("--device", "77"), "has index 77"),
    ],
)
def test_devices_that_are_not_there(bench, rt_gate, options, says):
    bench.serve()
    done = subprocess.run([rt_gate, "--level", *options], capture_output=True, text=True)
    assert done.returncode == 4
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [("--block", "4"), ("--rate", "4000"), ("--channels", "65"), ("--key-channels", "0")],
)
def test_options_that_make_no_sense(bench, rt_gate, options):
    bench.serve()
    done = subprocess.run([rt_gate, "--level", *options], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize(("channels", "outputs"), [(1, 2), (2, 1), (1, 4)])
def test_channels(bench, sounds, channels, outputs):
    bench.serve(channels=5)
    gate = bench.gate(*OPEN, "--channels", str(channels), "--output-channels", str(outputs))
    assert (gate.started["channels"], gate.started["output_channels"]) == (channels, outputs)
    direct, gated = bench.pass_through(gate, sounds.noise(1))
    for c in range(min(outputs, 2)):
        np.testing.assert_allclose(gated[5000:, c], direct[5000 - 128 : -128], atol=1e-7)
    assert not gated[:, 2:].any()


def test_a_virtual_microphone(speaker, gates, tmp_path):
    gate = gates(*OPEN, "--device", "rtmic", "--virtual-mic", "quiet room")
    assert "quiet-room" in pactl("list", "short", "sources")
    described = json.loads(pactl("--format=json", "list", "sources"))
    (mic,) = [s for s in described if s["name"] == "quiet-room"]
    assert mic["description"] == "quiet room"
    soundfile.write(tmp_path / "tone.wav", tone(6), RATE, subtype="PCM_16")
    with recorded("quiet-room", tmp_path / "heard.raw"):
        time.sleep(2)
        subprocess.run(["paplay", "--device=rtsink", tmp_path / "tone.wav"], check=True)
        time.sleep(1)
    seconds, clean = clean_share(np.fromfile(tmp_path / "heard.raw", np.float32))
    assert seconds > 3
    assert clean > 0.8
    assert gate.stop() == 130
    left = pactl("list", "short", "modules")
    assert "remap" not in left
    assert "rt-gate" not in left


def test_what_a_killed_gate_left(speaker, gates):
    gates(*OPEN, "--device", "rtmic", "--virtual-mic", "mic").close()
    assert "rt-gate-out" in pactl("list", "short", "modules")
    gate = gates(*OPEN, "--device", "rtmic", "--virtual-mic", "mic")
    assert pactl("list", "short", "sources").count("\tmic\t") == 1
    assert gate.stop() == 130
    assert "rt-gate-out" not in pactl("list", "short", "modules")


def test_a_microphone_that_there_is(speaker, rt_gate):
    command = [rt_gate, *OPEN, "--device", "rtmic", "--virtual-mic", "rtsink.monitor"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is a microphone rtsink.monitor already" in done.stderr
    assert "rt-gate-out" not in pactl("list", "short", "modules")
