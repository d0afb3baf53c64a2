"""The Wyoming service with the protocol's own client library."""

import asyncio

import numpy as np
import pytest

from realtime.outputs import Start

pytest.importorskip("wyoming", reason="the Wyoming client library: pip install wyoming")
# its audio module wants audioop, which Python is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:.*audioop.*:DeprecationWarning")


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
