"""A real stream, a real broker: what happens to the microphone is what the broker holds."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from realtime.commands.tag import main

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(200)]

INTERRUPTED = 130
BASE = "rt-tag/live"
# Debian has it where only root looks
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@pytest.fixture
def port(tmp_path):
    """The port of a mosquitto of our own."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        number = s.getsockname()[1]
    file = tmp_path / "mosquitto.conf"
    file.write_text(f"listener {number} 127.0.0.1\nallow_anonymous true\n")
    quiet = subprocess.DEVNULL
    with subprocess.Popen([MOSQUITTO, "-c", file], stdout=quiet, stderr=quiet) as process:
        yield number
        process.terminate()


class Told:
    """Everything that a broker is told."""

    def __init__(self, port):
        paho = pytest.importorskip("paho.mqtt.client", reason="the mqtt extra")
        self.messages = []
        self.change = threading.Condition()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/#", 1)
        self.client.on_message = self.hear
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()

    def hear(self, _client, _data, message):
        with self.change:
            self.messages.append(
                (message.topic.removeprefix(BASE + "/"), message.payload.decode())
            )
            self.change.notify_all()

    def wait(self, topic, payload, limit_s=60):
        """Until a topic's newest payload is this."""

        def is_so():
            return next((p for t, p in reversed(self.messages) if t == topic), "") == payload

        self.wait_for(is_so, topic, limit_s)

    def wait_for(self, is_so, what, limit_s=60):
        with self.change:
            assert self.change.wait_for(is_so, limit_s), f"{what}: {self.messages}"

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def test_the_broker_knows_the_microphone(rt_tag, jack, band_model, kit, port, request):
    told = Told(port)
    request.addfinalizer(told.close)
    command = [
        rt_tag, "--device", jack.device, "--json", "--model", str(band_model),
        "--mqtt", f"mqtt://127.0.0.1:{port}", "--mqtt-id", "live",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            told.wait("availability", "online")
            told.wait("health/microphone", "silent")  # the dummy's own sound is all zeros
            jack.play(kit.tones(("", 1.0), ("low", 1.0), ("", 1.0)), kit.rate)
            told.wait("label/low", "OFF")
            told.wait("health/microphone", "silent")  # the player has gone
            process.send_signal(signal.SIGSTOP)
            time.sleep(4.0)  # sound goes on, and waits
            process.send_signal(signal.SIGCONT)
            told.wait_for(lambda: ("health/pace", "behind") in told.messages, "behind")
            told.wait("health/pace", "ok")
            jack.stop()
            told.wait("health/microphone", "lost")
            jack.start()
            told.wait("health/microphone", "silent")
        finally:
            process.send_signal(signal.SIGTERM)
            out, log = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, log
    told.wait("availability", "offline")
    states = [p for t, p in told.messages if t == "health/microphone"]
    assert [s for a, s in zip(["", *states], states, strict=False) if a != s][-5:] == [
        "ok", "silent", "lost", "ok", "silent"
    ]  # fmt: skip
    assert ("label/low", "ON") in told.messages
    lost_s = float([p for t, p in told.messages if t == "health/lost_s"][-1])
    lines = [json.loads(line) for line in out.splitlines()]
    frames = sum(line["frames"] for line in lines if line["event"] == "dropped")
    assert lost_s == pytest.approx(frames / jack.rate, abs=0.01)
    assert lost_s > 0
    events = [json.loads(p) for t, p in told.messages if t == "event"]
    assert [{k: e[k] for k in x} for e, x in zip(events, lines, strict=True)] == lines
    assert re.search(r"mqtt \S+: \d+ delivered$", log, re.MULTILINE)


def test_the_doctor_hears_a_dead_microphone(jack, band_model, capfd):
    assert main(["--doctor", "--model", str(band_model), "--device", jack.device]) == 5
    assert re.search(r"^!!  microphone system: gives only zeros", capfd.readouterr().out, re.M)
