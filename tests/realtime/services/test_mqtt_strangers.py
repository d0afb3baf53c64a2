"""What answers in place of an MQTT broker: nobody, an impostor, one that dies."""

import contextlib
import socket
import threading
import time

import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.outputs import Start

pytest.importorskip("paho.mqtt", reason="the mqtt extra")
from realtime.outputs import broker as broker_module

NOISE = np.random.default_rng(0).bytes(2000)


def test_a_broker_that_is_not_there(house, mqtt, caplog):
    url = f"mqtt://127.0.0.1:{house.free_port()}"
    with pytest.raises(OutputError, match="refused") as e:
        mqtt(url)
    assert "mqtt.wait" in e.value.hint
    output = mqtt(url, wait=True)
    output.event(Start(label="yes", t=1.0, score=0.9))
    assert "starting without it" in caplog.text


@contextlib.contextmanager
def impostor(answer):
    """A server that accepts, then does `answer(connection)`."""
    server = socket.create_server(("127.0.0.1", 0))
    connections = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connections.append(server.accept()[0])
                answer(connections[-1])

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    yield f"mqtt://127.0.0.1:{server.getsockname()[1]}", connections
    server.shutdown(socket.SHUT_RDWR)  # closing alone leaves `accept` waiting, for one more
    serving.join(10)
    server.close()
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda c: c.close(), id="hangs up"),
        pytest.param(lambda c: None, id="says nothing"),
        pytest.param(lambda c: c.sendall(NOISE), id="says anything"),
        pytest.param(lambda c: c.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), id="speaks HTTP"),
        pytest.param(lambda c: c.sendall(b"\x20\xff\xff\xff\xff"), id="says half"),
    ],
)
def test_an_impostor(answer, mqtt, monkeypatch):
    monkeypatch.setattr(broker_module, "CONNECT_S", 1.0)
    with impostor(answer) as (url, _), pytest.raises(OutputError, match="not answer in MQTT"):
        mqtt(url)


def test_a_broker_that_accepts_and_dies(mqtt, house, caplog):
    """It lets us in each time and ends the connection at once."""

    def answer(connection):
        connection.recv(4096)
        connection.sendall(b"\x20\x02\x00\x00")  # CONNACK
        time.sleep(0.05)
        connection.close()

    with impostor(answer) as (url, connections):
        output = mqtt(url)
        house.wait_for(lambda: len(connections) > 1, "another try")
        began = time.perf_counter()
        for i in range(1000):
            output.event(Start(label="yes", t=float(i), score=0.9))
        assert time.perf_counter() - began < 30.0
        output.delivery.close(0.2)
        output.close(complete=True)
    assert output.delivery.lost > 0
    assert "connection lost" in caplog.text
