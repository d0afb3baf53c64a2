"""The Wyoming service among strangers: garbage, halves, too many, and the deaf."""

import json
import socket
import threading
import time

import numpy as np
import pytest

from realtime.outputs import Start


def connect(service):
    host, _, port = service.shown.rpartition(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # soon full
    sock.settimeout(10)
    sock.connect((host, int(port)))
    return sock


def answer_to(service, data, *, end=True):
    """Send bytes; the last message that comes back before the connection ends, or None."""
    with connect(service) as sock:
        sock.sendall(data)
        if end:
            sock.shutdown(socket.SHUT_WR)
        received = b""
        while piece := sock.recv(1 << 16):
            received += piece
    if not received:
        return None
    head, _, body = received.partition(b"\n")
    return json.loads(head) | {"data": json.loads(body)}


def header(**fields):
    return json.dumps(fields).encode() + b"\n"


def start(**fields):
    return header(type="audio-start", data={"rate": 16000, "width": 2, "channels": 1, **fields})


def chunk(audio, **fields):
    data = {"rate": 16000, "width": 2, "channels": 1, **fields}
    return header(type="audio-chunk", data=data, payload_length=len(audio)) + audio


def test_many_messages(service):
    """10,000 at once, each with its answer."""
    one = service()
    count = 10_000
    with connect(one) as sock:
        asking = threading.Thread(target=sock.sendall, args=(header(type="ping") * count,))
        asking.start()
        answers = sock.makefile("rb")
        for _ in range(count):
            found = json.loads(answers.readline())
            assert found["type"] == "pong"
            answers.read(found["data_length"])
        asking.join()
        answers.close()


def test_many_messages_whose_answers_nobody_reads(service, house, monkeypatch):
    monkeypatch.setattr("realtime.wyoming.wire.WRITE_S", 0.3)
    one = service()
    with connect(one) as sock:
        sock.settimeout(0.2)
        with pytest.raises((TimeoutError, ConnectionError)):
            sock.sendall(header(type="describe") * 1_000_000)
        house.wait_for(lambda: not one._connections, "that it was let go")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (np.random.default_rng(0).bytes(500) + b"\n", "no Wyoming message"),
        (b"GET / HTTP/1.1\r\n\r\n", "no Wyoming message"),
        (b"[]\n", "no Wyoming message"),
        (b'{"type": 5}\n', "no Wyoming message"),
        (b'{"typ": "describe"}\n', "no Wyoming message"),
        (b"[" * 60_000 + b"\n", "no Wyoming message"),
        (b"x" * 100_000, "a header of more than"),
        (header(type="a", data_length=-1), "data_length is -1"),
        (header(type="a", data_length=1 << 40), "data_length is 1099511627776"),
        (header(type="a", payload_length=1 << 40), "payload_length is"),
        (header(type="a", data_length=2) + b"[]", "no Wyoming message"),
        (start(rate=100), "rate is 100: use 8000 to 192000 Hz"),
        (start(rate="16000"), "rate is 16000"),
        (start(width=1), "width is 1"),
        (start(channels=0), "channels is 0"),
        (header(type="audio-start"), "rate is None"),
        (start() + chunk(bytes(320), rate=48000), "the sound changed within a stream"),
        (start() + chunk(bytes(321)), "no whole number of samples"),
        (header(type="detect", data={"names": "low"}), "names is no list"),
        (header(type="detect", data={"names": ["nobody"]}), "there is low, middle, high"),
    ],
)
def test_garbage_is_answered_and_ends(service, data, text):
    one = service()
    found = answer_to(one, data, end=False)
    assert found["type"] == "error"
    assert text in found["data"]["text"]
    assert answer_to(one, header(type="describe"))["type"] == "info"  # the next is served


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"type": "descr',
        header(type="a", data_length=9) + b"{",
        start() + chunk(bytes(320))[:-9],
    ],
)
def test_half_a_message(service, data, house):
    one = service()
    assert answer_to(one, data) is None
    house.wait_for(lambda: not one._connections, "the end of the connection")
    assert one.seats.acquire(blocking=False)


def test_messages_that_nobody_knows_are_dropped(service):
    data = header(type="select-program", data={"name": "x"}) + header(type="describe")
    assert answer_to(service(), data)["type"] == "info"


def test_sound_in_pieces_of_a_byte(service, kit):
    """However it is cut on its way."""
    sound = kit.tones(("", 0.3), ("low", 0.8), ("", 0.5))
    audio = np.round(sound.astype(np.float64) * 32767).astype("<i2").tobytes()
    data = start() + b"".join(chunk(audio[i : i + 3200]) for i in range(0, len(audio), 3200))
    one = service()
    with connect(one) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cuts = np.sort(np.random.default_rng(0).integers(0, len(data), 400))
        for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
            sock.sendall(data[a:b])
        sock.sendall(header(type="audio-stop"))
        assert b'"detection"' in sock.recv(4096)


def test_full(service, house):
    one = service(connections=2, streams=1)
    with connect(one) as first, connect(one) as second:
        house.wait_for(lambda: len(one._connections) == 2, "two connections")
        with connect(one) as third:
            assert third.recv(100) == b""  # let go
        first.sendall(start() + chunk(bytes(3200)))
        house.wait_for(lambda: one.seats._value == 0, "the stream")
        second.sendall(start())
        assert b"too many satellites" in second.recv(4096)
    house.wait_for(lambda: one.seats._value == 1, "the seat")


def test_one_that_does_not_read_holds_nobody_up(service, house, monkeypatch):
    monkeypatch.setattr("realtime.wyoming.wire.WRITE_S", 0.3)
    one = service()
    with connect(one) as deaf:
        deaf.sendall(header(type="detect"))
        house.wait_for(lambda: any(c.wants("low") for c in one._connections), "detect")
        told, until = 0, time.monotonic() + 60
        while one._connections and time.monotonic() < until:
            one.event(Start(label="x" * 10_000, t=float(told), score=0.9))  # sockets fill soon
            told += 1
            if told % 50 == 0:
                time.sleep(0.0005)
    assert not one._connections  # it was let go
    assert one.delivery.lost > 1  # new ones came while it was waited for


def test_closing_ends_everything(service):
    one = service()
    with connect(one) as idle, connect(one) as streaming:
        streaming.sendall(start() + chunk(bytes(3200)))
        time.sleep(0.1)
        began = time.perf_counter()
        one.close(complete=True)
        assert time.perf_counter() - began < 30
        assert idle.recv(100) == b""
    assert not any("wyoming client" in t.name for t in threading.enumerate())
