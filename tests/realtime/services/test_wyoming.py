"""The Wyoming service with the protocol's own client library, and with strangers."""

import asyncio
import json
import socket
import threading
import time

import numpy as np
import pytest

from realtime.engine import Engine
from realtime.errors import OutputError, UsageError
from realtime.outputs import Start
from realtime.runners import open_runner
from realtime.service_fields import WyomingSettings
from realtime.wyoming.server import WyomingService

pytest.importorskip("wyoming", reason="the Wyoming client library: pip install wyoming")
# its audio module wants audioop, which Python is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:.*audioop.*:DeprecationWarning")


@pytest.fixture
def service(band_model, kit):
    """Make services; all hear tones."""
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


def client(service, talk):
    """Run `await talk(client)` with the library's client; what it returns."""
    from wyoming.client import AsyncClient

    async def run():
        async with AsyncClient.from_uri(f"tcp://{service.shown}") as c:
            return await asyncio.wait_for(talk(c), 20)

    return asyncio.run(run())


def chunks(sound, rate, width=2, channels=1, size_s=0.1):
    """Sound as the library's chunks."""
    from wyoming.audio import AudioChunk

    dtype = {2: "<i2", 4: "<i4"}[width]
    scale = 2 ** (8 * width - 1) - 1
    data = np.repeat(np.round(sound.astype(np.float64) * scale), channels).astype(dtype)
    step = round(size_s * rate) * channels
    return [
        AudioChunk(
            rate=rate, width=width, channels=channels, audio=data[i : i + step].tobytes()
        )
        for i in range(0, len(data), step)
    ]


async def stream(c, sound, rate, **kwargs):
    """Send sound as a satellite does; all that comes back."""
    from wyoming.audio import AudioStart, AudioStop

    pieces = chunks(sound, rate, **kwargs)
    first = pieces[0]
    await c.write_event(
        AudioStart(rate=rate, width=first.width, channels=first.channels).event()
    )
    for piece in pieces:
        await c.write_event(piece.event())
    await c.write_event(AudioStop().event())
    await c.write_event(ping())
    return await until_pong(c)


def ping():
    from wyoming.ping import Ping

    return Ping(text="done").event()


async def until_pong(c):
    found = []
    while (event := await c.read_event()) is not None and event.type != "pong":
        found.append(event)
    return found


def test_describe(service, kit):
    from wyoming.info import Describe, Info

    async def talk(c):
        await c.write_event(Describe().event())
        return Info.from_event(await c.read_event())

    (program,) = client(service(), talk).wake
    assert program.installed
    assert program.version == "1.2"
    assert [model.name for model in program.models] == list(kit.labels)
    assert all(model.phrase and model.installed for model in program.models)


@pytest.mark.parametrize(
    ("rate", "width", "channels"), [(16000, 2, 1), (48000, 4, 2), (44100, 2, 1), (8000, 2, 1)]
)
def test_a_satellite_is_told_what_is_in_its_sound(service, kit, rate, width, channels):
    from wyoming.wake import Detection

    sound = kit.tones(("", 0.6), ("low", 0.8), ("", 0.7), ("middle", 0.8), ("", 0.6), rate=rate)
    found = client(service(), lambda c: stream(c, sound, rate, width=width, channels=channels))
    detections = [Detection.from_event(e) for e in found]
    assert [d.name for d in detections] == ["low", "middle"]
    assert [d.timestamp for d in detections] == pytest.approx([900, 2400], abs=110)


def test_only_the_names_it_wants(service, kit):
    from wyoming.wake import Detect, Detection, NotDetected

    sound = kit.tones(("", 0.6), ("low", 0.8), ("", 0.7), ("high", 0.8), ("", 0.6))

    async def talk(c):
        await c.write_event(Detect(names=["high"]).event())
        first = await stream(c, sound, 16000)
        await c.write_event(Detect(names=["middle"]).event())
        return first, await stream(c, sound, 16000)

    (first,), (second,) = client(service(), talk)
    assert Detection.from_event(first).name == "high"
    assert NotDetected.is_type(second.type)


def test_a_detection_comes_while_the_stream_goes_on(service, kit):
    from wyoming.audio import AudioStart

    pieces = chunks(kit.tones(("", 0.3), ("low", 1.0)), 16000)

    async def talk(c):
        await c.write_event(AudioStart(rate=16000, width=2, channels=1).event())
        for piece in pieces:
            await c.write_event(piece.event())
        return await c.read_event()  # no audio-stop was sent

    assert client(service(), talk).data["name"] == "low"


def test_the_own_microphone(service):
    """Who says `detect` and sends no sound is told what this computer hears."""
    from wyoming.wake import Detect

    one = service()

    async def talk(c):
        await c.write_event(Detect(names=["low"]).event())
        await c.write_event(ping())
        await until_pong(c)  # it has been understood
        one.event(Start(label="high", t=1.0, score=0.9))
        one.event(Start(label="low", t=2.5, score=0.9))
        return await c.read_event()

    event = client(one, talk)
    assert (event.type, event.data["name"], event.data["timestamp"]) == (
        "detection",
        "low",
        2500,
    )


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


# --- strangers ----------------------------------------------------------------------------


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


def chunk(n, **fields):
    data = {"rate": 16000, "width": 2, "channels": 1, **fields}
    return header(type="audio-chunk", data=data, payload_length=n) + bytes(n)


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
        (start() + chunk(320, rate=48000), "the sound changed within a stream"),
        (start() + chunk(321), "no whole number of samples"),
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
        start() + chunk(320)[:-9],
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
    pieces = chunks(kit.tones(("", 0.3), ("low", 0.8), ("", 0.5)), 16000)
    data = start() + b"".join(
        header(type="audio-chunk", data={"rate": 16000, "width": 2, "channels": 1},
               payload_length=len(p.audio)) + p.audio for p in pieces
    )  # fmt: skip
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
        first.sendall(start() + chunk(3200))
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
        slowest, told = 0.0, 0
        while one._connections and told < 20_000:
            began = time.perf_counter()
            one.event(Start(label="x" * 10_000, t=float(told), score=0.9))  # sockets fill soon
            slowest = max(slowest, time.perf_counter() - began)
            told += 1
            if told % 50 == 0:
                time.sleep(0.0005)
        assert slowest < 0.5
    assert not one._connections  # it was let go
    assert one.delivery.lost > 0


def test_closing_ends_everything(service):
    one = service()
    with connect(one) as idle, connect(one) as streaming:
        streaming.sendall(start() + chunk(3200))
        time.sleep(0.1)
        began = time.perf_counter()
        one.close(complete=True)
        assert time.perf_counter() - began < 5
        assert idle.recv(100) == b""
    assert not any("wyoming client" in t.name for t in threading.enumerate())


# --- where it listens ---------------------------------------------------------------------


def test_this_computer_only_unless_told(service, caplog):
    one = service("tcp://:0")
    assert one._socket.getsockname()[0] == "127.0.0.1"
    assert not caplog.text
    everybody = service("tcp://0.0.0.0:0")
    assert everybody._socket.getsockname()[0] == "0.0.0.0"
    assert "no password" in caplog.text


def test_a_socket_in_a_folder(service, tmp_path):
    path = tmp_path / "w.sock"
    one = service(f"unix://{path}")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OutputError):
        service(f"unix://{path}")  # it is taken
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(header(type="describe"))
        assert b'"info"' in sock.recv(100)
    one.close(complete=True)
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # as after a crash
    service(f"unix://{path}").close(complete=True)


def test_addresses_that_cannot_be(service):
    taken = service()
    with pytest.raises(OutputError, match="in use"):
        service(f"tcp://{taken.shown}")
    with pytest.raises(OutputError):
        service("tcp://no-such-host.invalid:10400")
    for uri in ("10400", "http://localhost", "tcp://h:port", "unix://", "tcp://h:1/path"):
        with pytest.raises(UsageError, match="is no address"):
            service(uri)
