"""MQTT with a real broker: sensors that appear, and states that are true, whatever fails."""

import gc
import json
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from realtime.errors import OutputError, UsageError
from realtime.outputs import Clock, DeviceEvent, Dropped, Pace, Start, Stop
from realtime.service_fields import MqttSettings

pytest.importorskip("paho.mqtt", reason="the mqtt extra")
from realtime.outputs.home_assistant import slugs
from realtime.outputs.mqtt import Mqtt

SECRET = "a-secret-that-nobody-may-see"
BASE = "rt-tag/kitchen"


def test_home_assistant_finds_a_sensor_for_each_label(broker, listen, mqtt):
    heard = listen(broker)
    mqtt(broker.url)
    heard.wait(f"{BASE}/availability", "online")
    found = {t: json.loads(p) for t, p in heard.heard if t.endswith("/config")}
    sensor = found["homeassistant/binary_sensor/kitchen/label_yes/config"]
    assert sensor["state_topic"] == f"{BASE}/label/yes"
    assert sensor["availability_topic"] == f"{BASE}/availability"
    assert sensor["device"]["identifiers"] == ["rt-tag-kitchen"]
    assert sensor["device"]["sw_version"] == "1.2"
    assert "object_id" not in sensor  # gone since Home Assistant 2026.4
    assert len({c["unique_id"] for c in found.values()}) == len(found) == 6
    assert not any("noise" in topic for topic in found)  # background
    assert heard.last(f"{BASE}/label/yes") == "OFF"
    assert heard.last(f"{BASE}/health/microphone") == "ok"


def test_states_and_events(broker, listen, mqtt, house):
    heard = listen(broker)
    output = mqtt(broker.url)
    for event in (
        Start(label="yes", t=1.0, score=0.91234),
        Stop(label="yes", t=1.5, peak=0.99),
        DeviceEvent(state="silent", name="Mic", t=2.0),
        DeviceEvent(state="sounding", name="Mic", t=3.0),
        DeviceEvent(state="lost", name="Mic", t=4.0),
        DeviceEvent(state="back", name="Mic", t=5.0),
        Dropped(t=5.0, frames=24000),
        Pace(state="behind", seconds=2.5, t=6.0),
        Pace(state="keeping up", seconds=0.0, t=7.0),
        Clock(state="drifting", ppm=1234.0, t=8.0),
    ):
        output.event(event)
    house.wait_for(lambda: len(heard.all(f"{BASE}/event")) == 10, "every event")
    assert heard.last(f"{BASE}/health/clock") == "drifting"
    assert heard.all(f"{BASE}/label/yes")[-2:] == ["ON", "OFF"]
    microphone = heard.all(f"{BASE}/health/microphone")[-4:]
    assert microphone == ["silent", "ok", "lost", "ok"]
    assert heard.last(f"{BASE}/health/lost_s") == "0.500"
    assert heard.all(f"{BASE}/health/pace")[-2:] == ["behind", "ok"]
    first = json.loads(heard.all(f"{BASE}/event")[0])
    when = first.pop("time")
    assert first == {
        "event": "start", "label": "yes", "t": 1.0, "score": 0.912,
        "source": "Mic", "model": "kws",
    }  # fmt: skip
    assert when.endswith("Z")
    output.close(complete=True)
    heard.wait(f"{BASE}/availability", "offline")
    assert "LOST" not in output.counts()


def test_a_broker_that_restarts_is_told_what_is_true(broker, listen, mqtt, house, caplog):
    output = mqtt(broker.url)
    heard = listen(broker)
    output.event(Start(label="yes", t=1.0, score=0.9))
    heard.wait(f"{BASE}/label/yes", "ON")
    broker.stop()
    house.wait_for(lambda: not output._client.is_connected(), "the loss")
    began = time.perf_counter()
    output.event(Stop(label="yes", t=2.0, peak=0.9))
    output.event(Start(label="no", t=3.0, score=0.8))
    assert time.perf_counter() - began < 30.0
    heard.heard.clear()
    broker.start()
    heard.wait(f"{BASE}/label/no", "ON")
    heard.wait(f"{BASE}/label/yes", "OFF")
    house.wait_for(lambda: len(heard.all(f"{BASE}/event")) >= 2, "the events of the absence")
    assert "connection lost" in caplog.text
    output.close(complete=True)
    assert output.delivery.lost == 0


def test_what_is_old_is_lost_and_counted(broker, mqtt, monkeypatch, house):
    output = mqtt(broker.url)
    output.delivery._fresh_s = 0.2
    broker.stop()
    house.wait_for(lambda: not output._client.is_connected(), "the loss")
    output.event(Start(label="yes", t=1.0, score=0.9))
    house.wait_for(lambda: output.delivery.lost == 1, "the count")
    assert output.counts().endswith("1 LOST")


def test_the_broker_says_offline_for_one_that_vanishes(broker, listen, mqtt, house):
    output = mqtt(broker.url)
    heard = listen(broker)
    heard.wait(f"{BASE}/availability", "online")
    heard.heard.clear()
    output._client.socket().shutdown(socket.SHUT_RDWR)  # as when the power fails
    state = f"{BASE}/availability"
    house.wait_for(lambda: heard.all(state)[:2] == ["offline", "online"], "its return")


def test_a_frozen_broker_holds_nothing_up(broker, mqtt):
    output = mqtt(broker.url)
    broker.process.send_signal(signal.SIGSTOP)
    try:
        slow = 0
        for i in range(5000):
            began = time.perf_counter()
            output.event(Start(label="yes", t=float(i), score=0.9))
            slow += time.perf_counter() - began > 0.5
        assert slow <= 2  # where the machine was busy
        began = time.perf_counter()
        output.delivery.close(0.2)
        output.close(complete=True)
        assert time.perf_counter() - began < 60.0
        lost = output.delivery.lost
    finally:
        broker.process.send_signal(signal.SIGCONT)
    assert lost > 3000
    assert output.delivery.delivered + lost <= 2 * 5000 + 10  # an event, a state; and how it is


def test_labels_of_an_older_model_disappear(broker, listen, mqtt, house):
    output = mqtt(broker.url)
    heard = listen(broker)
    gone = "homeassistant/binary_sensor/kitchen/label_no/config"
    house.wait_for(lambda: heard.last(gone), "the sensor")
    output.close(complete=True)
    newer = Mqtt(MqttSettings(url=broker.url, id="kitchen"))
    newer.open(house.opening(labels=("yes", "maybe")))
    heard.wait(gone, "")
    new = "homeassistant/binary_sensor/kitchen/label_maybe/config"
    house.wait_for(lambda: heard.last(new), "the new sensor")
    newer.close(complete=True)


def test_passwords(make_broker, tmp_path, listen, mqtt, caplog, capfd):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "me", SECRET], check=True)
    broker = make_broker("allow_anonymous false", f"password_file {passwords}")
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    caplog.set_level("DEBUG")
    mqtt(broker.url, user="me", password_file=str(file)).close(complete=True)
    mqtt(broker.url.replace("//", "//me@"), password=SECRET)
    for wrong in ({"user": "me", "password": SECRET + "x"}, {}):
        with pytest.raises(OutputError, match="refuses us") as e:
            mqtt(broker.url, wait=True, **wrong)  # waiting mends no password
        assert SECRET not in str(e.value) + e.value.hint
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # paho's, once refused
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls(make_broker, tmp_path, mqtt):
    def openssl(line):
        command = ["openssl", *line.split()]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)

    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ours")
    openssl("req -newkey rsa:2048 -nodes -keyout b.key -out b.csr -subj /CN=localhost")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost\n")
    signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names"
    openssl(f"x509 -req -in b.csr -out b.pem {signed}")
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    broker = make_broker(
        "allow_anonymous true", f"certfile {tmp_path}/b.pem", f"keyfile {tmp_path}/b.key"
    )
    url = f"mqtts://localhost:{broker.port}"
    output = mqtt(url, ca=str(tmp_path / "ca.pem"))
    assert output._client.is_connected()
    with pytest.raises(OutputError) as e:  # a stranger's certificate
        mqtt(url)
    assert "--mqtt-ca" in e.value.hint
    with pytest.raises(OutputError) as e:  # a name that is not in it
        mqtt(url.replace("localhost", "127.0.0.1"), ca=str(tmp_path / "ca.pem"))
    with pytest.raises(UsageError, match=r"mqtt.ca: .*no.pem"):
        mqtt(url, ca=str(tmp_path / "no.pem"))
    del e
    gc.collect()  # while the filters hold


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "localhost"}, "is no address"),
        ({"url": "http://localhost"}, "is no address"),
        ({"url": "mqtt://"}, "is no address"),
        ({"url": "mqtt://h:port"}, "this is no address"),
        ({"url": "mqtt://h/topic"}, "is no address"),
        ({"url": f"mqtt://me:{SECRET}@h"}, "a password in the address"),
        ({"url": "mqtt://h", "id": "a/b"}, "is no name"),
        ({"url": "mqtt://h", "prefix": "a/#"}, "mqtt.prefix"),
        ({"url": "mqtt://h", "ca": "x.pem"}, "certificates are for TLS"),
        ({"url": "mqtt://h", "password_file": "/no/file"}, "No such file"),
        ({"url": "mqtt://h", "password": "x"}, "a password without a user"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(UsageError, match=message) as e:
        Mqtt(MqttSettings(**settings))
    assert SECRET not in e.value.line()
    assert e.value.hint


def test_every_label_has_a_topic_of_its_own():
    found = slugs(["Dog bark", "dog-bark", "été", "狗", "#/+", "a" * 99])
    assert len(set(found.values())) == len(found)
    assert found["Dog bark"] == "dog_bark"
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in found.values())
