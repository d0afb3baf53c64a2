"""A real broker, a real HTTP server, a Wyoming service, and what services are fed with."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import kit_outputs
import pytest

from realtime.engine import Engine
from realtime.runners import open_runner
from realtime.service_fields import MqttSettings, WyomingSettings
from realtime.wyoming.server import WyomingService

LIMIT_S = 60.0  # on a busy machine
# Debian has it where only root looks
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A pause of this machine is no loss."""
    for name in ("clips", "command", "webhook"):
        monkeypatch.setattr(f"realtime.outputs.{name}.PATIENCE_S", LIMIT_S)
    monkeypatch.setattr("realtime.outputs.broker.CONNECT_S", LIMIT_S)


def wait_for(ready, what, limit_s=LIMIT_S):
    """Poll until `ready()` is true; its value."""
    until = time.monotonic() + limit_s
    while not (found := ready()):
        if time.monotonic() > until:
            pytest.fail(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.02)
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def opening(labels=("yes", "no", "noise"), *, live=True, rate=16000):
    return kit_outputs.opening(
        "Mic", labels, background=("noise",), live=live, rate=rate, input_rate=48000
    )


def reading(t, scores, audio):
    return kit_outputs.reading(t, scores, audio=audio)


class Broker:
    """A mosquitto of our own.

    Args:
        room: a folder for it.
        lines: of its configuration, besides the listener.
    """

    def __init__(self, room, *lines):
        self.port = free_port()
        self.file = room / "mosquitto.conf"
        listener = [f"listener {self.port} 127.0.0.1", *(lines or ("allow_anonymous true",))]
        self.file.write_text("\n".join([*listener, "user root", ""]))
        self.process = None
        self.start()

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        command = [MOSQUITTO, "-c", str(self.file)]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        wait_for(self.answers, "mosquitto")

    def answers(self):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1),
        ):
            return True
        return self.process.poll() is not None and pytest.fail("mosquitto ended")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Listener:
    """Another client, that hears everything."""

    def __init__(self, broker, **login):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        if login:
            self.client.username_pw_set(**login)
        self.ready = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda _c, _d, m: self.heard.append(
            (m.topic, bytes(m.payload))
        )
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self.ready.wait(LIMIT_S)

    def last(self, topic):
        """The newest payload of a topic, or None."""
        return next((p.decode() for t, p in reversed(self.heard) if t == topic), None)

    def all(self, topic):
        return [p.decode() for t, p in list(self.heard) if t == topic]

    def wait(self, topic, payload):
        wait_for(lambda: self.last(topic) == payload, f"{topic} = {payload}")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def make_broker(tmp_path):
    """Start brokers of given configurations."""
    pytest.importorskip("paho.mqtt", reason="the mqtt extra")
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    brokers = []

    def make(*lines):
        brokers.append(Broker(tmp_path, *lines))
        return brokers[-1]

    yield make
    for broker in brokers:
        with contextlib.suppress(ProcessLookupError):
            broker.stop()


@pytest.fixture
def broker(make_broker):
    """One that lets everybody in."""
    return make_broker()


@pytest.fixture
def listen(request):
    """Make listeners that end with the test."""

    def make(broker, **login):
        listener = Listener(broker, **login)
        request.addfinalizer(listener.close)
        return listener

    return make


@pytest.fixture
def mqtt():
    """Make MQTT outputs."""
    pytest.importorskip("paho.mqtt", reason="the mqtt extra")
    from realtime.outputs.mqtt import Mqtt

    made = []

    def make(url, **kwargs):
        made.append(Mqtt(MqttSettings(**{"url": url, "id": "kitchen", **kwargs}), "1.2"))
        made[-1].open(opening())
        return made[-1]

    yield make
    for output in made:
        output.close(complete=True)


class Web(ThreadingHTTPServer):
    """An HTTP server that remembers requests and answers as it is told."""

    daemon_threads = True

    def __init__(self):
        self.requests = []
        self.answers = []  # statuses, then 200 for ever
        self.delay_s = 0.0
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook?key=1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        time.sleep(self.server.delay_s)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        status = self.server.answers.pop(0) if self.server.answers else 200
        with contextlib.suppress(BrokenPipeError):
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    """A real HTTP server."""
    server = Web()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def service(band_model, kit):
    """Make Wyoming services; all hear tones."""
    made = []

    def make(uri="tcp://127.0.0.1:0", **kwargs):
        made.append(
            WyomingService(
                WyomingSettings(uri=uri, **kwargs),
                lambda outputs: Engine(open_runner(band_model), outputs),
                kit.labels,
                "bands",
                "1.2",
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close(complete=True)


class ServiceKit:
    """What tests of services use; the fixture `house`."""

    wait_for = staticmethod(wait_for)
    free_port = staticmethod(free_port)
    opening = staticmethod(opening)
    reading = staticmethod(reading)


@pytest.fixture(scope="session")
def house():
    return ServiceKit
