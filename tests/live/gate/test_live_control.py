"""The control socket of a gate whose sound runs."""

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.control import runfile
from realtime.control.client import ControlClient, ControlError

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

OPEN = ("--level", "--threshold-db", "-144", "--range-db", "0")  # every sample, as it is
SHUT = ("--level", "--threshold-db", "0", "--range-db", "-120")
DOCUMENT = Path(__file__).parents[3] / "docs/control.md"
BLOCK = 128


def control(bench, gate, sounds):
    """A client of a gate."""
    path = bench.room / f"rt-tag/gate-{gate.process.pid}.json"
    sounds.wait_for(path.exists, "the run file")
    return bench.stack.enter_context(ControlClient.find(path))


@pytest.fixture
def controlled(bench, sounds):
    """Starts a controlled gate at a JACK server; the gate and a client."""

    def start(*options, channels=4):
        bench.serve(channels=channels)
        gate = bench.gate(*options, "--control")
        return gate, control(bench, gate, sounds)

    return start


def again(bench, gate, sounds):
    """After a new start: its client of JACK."""
    (gate.client,) = sounds.wait_for(lambda: set(bench.jack.clients()), "its ports")


def test_what_is_heard_while_it_is_muted_and_steered(bench, sounds, controlled):
    gate, client = controlled(*OPEN)

    def meanwhile():
        time.sleep(1)
        client.request("mute", on=True)
        time.sleep(1)
        client.request("mute", on=False)
        client.request("set", settings={"threshold_db": 0, "range_db": -120})
        time.sleep(1)
        client.request("bypass", on=True)

    direct, gated = bench.pass_through(gate, sounds.noise(6), meanwhile)
    same = gated[BLOCK:, 0] == direct[:-BLOCK]
    loud = direct[:-BLOCK] != 0
    silent = gated[BLOCK:, 0] == 0
    changes = np.flatnonzero(np.diff((silent & loud)[: int(5.5 * sounds.rate)]))
    assert len(changes) == 4  # muted, not muted, shut, bypassed
    assert same[: changes[0] - sounds.rate // 10].all()
    assert same[changes[3] + sounds.rate // 10 :].all()
    state = client.request("state")
    assert (state["bypass"], state["mute"], state["threshold"]) == (True, False, 0)
    assert state["phase"] == "running"
    assert (state["input"], state["output"]) == ("system", "system")


def test_a_new_start_for_the_look_ahead(bench, sounds, controlled):
    gate, client = controlled(*OPEN)
    client.request("events", on=True)
    client.request("bypass", on=True)
    settings = client.request("set", settings={"lookahead_ms": 10})
    assert settings["lookahead_ms"] == 10
    again(bench, gate, sounds)
    state = client.request("state")
    assert state["latency_ms"] == pytest.approx(10 + 1000 * BLOCK / sounds.rate, abs=0.001)
    assert (state["restarts"], state["bypass"]) == (1, True)
    direct, gated = bench.pass_through(gate, sounds.noise(1))
    assert sounds.delay_of(direct, gated[:, 0], 1000) == BLOCK + 480
    told = list(client.pushes(0.5))
    kinds = [line.get("event") for line in told]
    assert kinds.index("end") < kinds.index("start")
    assert [line["phase"] for line in told if line.get("event") == "phase"] == [
        *("starting", "running")
    ]
    assert gate.stop() == 130
    assert [e["event"] for e in gate.events if e["event"] in ("start", "end")] == [
        *("start", "end") * 2
    ]


def test_from_level_to_model_and_back(bench, sounds, controlled, gate_model):
    gate, client = controlled("--level")
    found = client.request("set", settings={"level": False, "model": str(gate_model)})
    assert found["model"] == str(gate_model)
    assert client.request("hello")["model"]["task"] == "gate"
    sounds.wait_for(lambda: client.request("state")["score"] is not None, "a score")
    client.request("set", settings={"level": True})
    assert client.request("state")["score"] is None
    assert client.request("hello")["model"] is None
    assert gate.stop() == 130


def test_what_is_refused_does_not_touch_the_sound(bench, sounds, controlled):
    gate, client = controlled(*OPEN)
    refused = []

    def meanwhile():
        for settings in (
            {"device": "nix"},
            {"output_device": "nix"},
            {"level": False, "model": "nix"},
            {"level": False, "model": "/dev/null"},
            {"block": 1},
        ):
            with pytest.raises(ControlError) as e:
                client.request("set", settings=settings)
            refused.append(str(e.value))

    direct, gated = bench.pass_through(gate, sounds.noise(4), meanwhile)
    np.testing.assert_array_equal(gated[BLOCK:, 0], direct[:-BLOCK])
    assert "nix" in refused[0]
    assert client.request("state")["restarts"] == 0


def test_the_old_gate_goes_on_when_the_new_one_does_not_start(bench, sounds, controlled):
    gate, client = controlled(*OPEN)
    before = client.request("settings")
    with pytest.raises(ControlError, match="virtual microphone") as e:  # no server for one
        client.request("set", settings={"virtual_mic": "quiet", "range_db": -10})
    assert e.value.hint
    assert client.request("settings") == before
    assert client.request("state")["phase"] == "running"
    again(bench, gate, sounds)
    direct, gated = bench.pass_through(gate, sounds.noise(1))
    np.testing.assert_array_equal(gated[BLOCK:, 0], direct[:-BLOCK])


@pytest.mark.parametrize("kind", ["level", "learned"])
def test_meters_miss_no_hop(bench, sounds, controlled, gate_model, kind):
    options = OPEN if kind == "level" else ("--model", str(gate_model))
    gate, client = controlled(*options)
    client.request("meters", rate=30)
    sound = sounds.noise(2, channels=2, level=0.1)
    bench.pass_through(gate, sound)
    client.request("meters", rate=0)
    lines = [line["meters"] for line in client.pushes(0.5)]
    hops = np.array([hop for line in lines for hop in line["hops"]], dtype=object)
    times = hops[:, 0].astype(float)
    np.testing.assert_allclose(np.diff(times), 0.01, atol=0.002)
    assert len(times) > 200
    power_db = 10 * np.log10(np.mean(sound[sounds.rate :].astype(float) ** 2))
    assert np.sum(np.abs(hops[:, 1].astype(float) - power_db) < 0.5) > 190
    scores = [score for score in hops[:, 2] if score is not None]
    assert len(scores) == (0 if kind == "level" else len(hops))
    assert {line["lost"] for line in lines} == {0}
    client.request("meters", rate=10, past=10)
    first = next(client.pushes(5))["meters"]["hops"]
    assert len(first) > 190


def test_a_clip_is_what_was_played(bench, sounds, controlled):
    gate, client = controlled(*OPEN)
    sound = sounds.noise(2, channels=2)
    bench.pass_through(gate, sound)
    clip = client.request("clip", seconds=10, to=str(bench.room / "clip.wav"))
    heard, rate = soundfile.read(clip["path"], dtype="float32", always_2d=True)
    assert (rate, clip["channels"]) == (sounds.rate, 2)
    assert len(heard) == round((clip["t1"] - clip["t0"]) * rate)
    first = np.flatnonzero(heard[:, 0])[0] - np.flatnonzero(sound[:, 0])[0]
    np.testing.assert_array_equal(heard[first : first + len(sound)], sound)
    with pytest.raises(ControlError, match="is there already"):
        client.request("clip", to=clip["path"])
    with pytest.raises(ControlError, match="cannot be written"):
        client.request("clip", to="/proc/clip.wav")
    own = client.request("clip", seconds=0.5)
    assert Path(own["path"]).parent.parts[-2:] == ("rt-tag", "clips")


def test_it_waits_until_there_is_a_device(bench, sounds):
    jack = bench.serve()
    jack.stop()
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(bench.gate, *OPEN, "--control")
        (path,) = sounds.wait_for(
            lambda: list(bench.room.glob("rt-tag/gate-*.json")), "the run file"
        )
        client = bench.stack.enter_context(ControlClient.find(path))
        sounds.wait_for(lambda: client.request("state")["phase"] == "waiting", "waiting")
        assert client.request("state")["trouble"]
        assert client.request("set", settings={"range_db": -1})["range_db"] == -1
        client.request("mute", on=True)
        jack.start()
        gate = starting.result()
    _, gated = bench.pass_through(gate, sounds.noise(0.5))
    assert not gated.any()  # muted from the first sample on
    assert client.request("state")["mute"]
    assert gate.stop() == 130


def test_a_device_that_is_lost_while_a_slider_is_drawn(bench, sounds, controlled):
    gate, client = controlled(*OPEN)
    client.request("events", on=True)
    waits, phases = [], set()
    for i in range(100):
        began = time.monotonic()
        client.request("set", settings={"range_db": -i / 10})
        waits.append(time.monotonic() - began)
        phases.add(client.request("state")["phase"])
        time.sleep(0.05)
        if i == 20:
            bench.jack.stop()
    assert phases == {"running", "lost"}
    assert sorted(waits)[90] < 0.3
    bench.jack.start()
    sounds.wait_for(lambda: client.request("state")["phase"] == "running", "sound", 60)
    assert client.request("settings")["range_db"] == -9.9
    assert gate.stop() == 130


def test_clients_that_do_their_worst(bench, sounds, controlled):
    """Floods, garbage, a client that never reads: every sample is as it was."""
    gate, client = controlled(*OPEN)
    path = bench.room / f"rt-tag/gate-{gate.process.pid}.json"
    over = threading.Event()
    done = []

    def flood(line):
        with socket.create_connection(("127.0.0.1", control_port), 5) as bad:
            bad.sendall(b'{"token": "%s"}\n' % token)
            bad.settimeout(0.2)
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    bad.sendall(line * 50)
                    done.append(line)

    found = runfile.read(path)
    control_port, token = found.port, found.token.encode()
    lines = (
        b'{"id": 1, "do": "hello"}\n',
        b'{"id": 1, "do": "state"}\n',
        b'{"id": 1, "do": "meters", "rate": 60, "past": 10}\n',
        b"\xff\x00 nonsense {]\n",
    )
    threads = [threading.Thread(target=flood, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    try:
        direct, gated = bench.pass_through(gate, sounds.noise(5))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    np.testing.assert_array_equal(gated[BLOCK:, 0], direct[:-BLOCK])
    assert {*done} == {*lines}
    assert client.request("state")["phase"] == "running"
    assert gate.stop() == 130


def test_a_virtual_microphone_comes_and_goes_with_its_name(pulse, gates, sounds):
    def microphones():
        command = ["pactl", "list", "short", "sources"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return {line.split("\t")[1]: line.split("\t")[0] for line in listed.splitlines()}

    gate = gates(*OPEN, "--control", "--device", "rtmic", "--virtual-mic", "one")
    (path,) = pulse.room.glob("rt-tag/gate-*.json")
    with ControlClient.find(path) as client:
        number = microphones()["one"]
        client.request("set", settings={"lookahead_ms": 5})
        assert microphones()["one"] == number  # who hears it need not choose it again
        with pytest.raises(ControlError, match="there is a microphone"):
            client.request("set", settings={"virtual_mic": "rtsink.monitor"})
        assert "one" in microphones()
        assert client.request("state")["phase"] == "running"
        client.request("set", settings={"virtual_mic": "two"})
        assert "one" not in microphones()
        assert "two" in microphones()
    assert gate.stop() == 130
    assert "two" not in microphones()


def test_the_script_of_the_document(bench, sounds, controlled):
    gate, client = controlled("--level")
    text = DOCUMENT.read_text("utf-8")
    (script,) = re.findall(r"<!-- script -->\n```python\n(.*?)```", text, re.DOTALL)
    with subprocess.Popen(
        [sys.executable, "-u", "-c", script], stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout.readline().startswith("adds 2.6")
            sounds.wait_for(lambda: client.request("settings")["range_db"] == -30, "the knob")
            time.sleep(0.2)
            bench.pass_through(gate, sounds.noise(0.5))
            assert "over -40.0 dB" in running.stdout.readline()
            client.request("stop")
            assert running.wait(20) == 0
        finally:
            running.kill()
    assert gate.process.wait(20) == 0
