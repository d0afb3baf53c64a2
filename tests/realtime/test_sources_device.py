"""The device source against a PortAudio that the tests control; the real one: tests/live."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from realtime.errors import AudioError, DeviceNotFound, UsageError
from realtime.sources import Block, DeviceChange, device, open_source
from realtime.sources.listing import find_again, list_devices, pick
from realtime.sources.recorder import InputDevice, Recorder

# A `sounddevice` for the capture process. The folder in FAKE_SOUND is its hardware: table.json
# lists the devices, and files are its switches: "muted", "stuck" (no callbacks), "gone" (the
# stream ends), "hang" (closing takes for ever).
FAKE = """
import atexit, json, os, struct, threading, time
from pathlib import Path

room = Path(os.environ["FAKE_SOUND"])
table = json.loads((room / "table.json").read_text())
if table.get("missing"):
    raise OSError("PortAudio library not found")

class PortAudioError(Exception):
    pass

class default:
    device = [table.get("default", 0), -1]

class Status:
    def __init__(self, on): self.input_overflow = on
    def __bool__(self): return self.input_overflow

def query_hostapis():
    apis = {"ALSA": 0, "JACK": -1}
    return [{"name": n, "default_input_device": d} for n, d in apis.items()]

def query_devices():
    return table["devices"]

class RawInputStream:
    def __init__(self, device, samplerate, channels, blocksize, dtype, latency, callback):
        info = table["devices"][device]
        with (room / "opened").open("a") as f:
            print(json.dumps([device, samplerate, channels, blocksize, dtype]), file=f)
        if len((room / "opened").read_text().splitlines()) <= info.get("busy", 0):
            raise PortAudioError("Error opening InputStream: Device unavailable")
        if samplerate not in info.get("rates", [samplerate]):
            raise PortAudioError("Error opening InputStream: Invalid sample rate")
        if channels not in info.get("widths", [channels]):
            raise PortAudioError("Error opening InputStream: Invalid number of channels")
        self.rate, self.width, self.size = samplerate, channels, blocksize
        self.callback = callback
        self.active = False

    def start(self):
        self.active = True
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        at, began = 0, time.monotonic()
        while not (room / "gone").exists():
            at += self.size
            time.sleep(max(0, began + at / self.rate - time.monotonic()))
            if (room / "stuck").exists():
                continue
            values = [0.0 if (room / "muted").exists() else (i % 1000 + 1) / 1000
                      for i in range(at - self.size, at)]
            data = struct.pack(f"<{len(values) * self.width}f",
                               *(v for v in values for _ in range(self.width)))
            self.callback(data, self.size, None, Status((room / "overflow").exists()))
        self.active = False

@atexit.register
def close():
    while (room / "hang").exists():
        time.sleep(0.1)
"""


def entry(name, channels=1, rate=8000, api=0, **more):
    return {
        "name": name,
        "hostapi": api,
        "max_input_channels": channels,
        "default_samplerate": float(rate),
        **more,
    }


class Hardware:
    """The switches of the fake PortAudio."""

    def __init__(self, room):
        self.room = room

    def plug(self, *devices, **more):
        (self.room / "table.json").write_text(json.dumps({"devices": devices, **more}))

    def switch(self, name, on=True):
        path = self.room / name
        path.touch() if on else path.unlink()

    def opened(self):
        return [json.loads(x) for x in (self.room / "opened").read_text().splitlines()]


@pytest.fixture
def hardware(tmp_path, monkeypatch):
    """A PortAudio whose hardware the test controls; one 8 kHz microphone to begin with."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sounddevice.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("FAKE_SOUND", str(tmp_path))
    monkeypatch.setattr(device, "RETRY_S", 0.1)
    monkeypatch.setattr(device, "LOST_S", 0.6)
    monkeypatch.setattr(device, "FIRST_S", 1.0)
    monkeypatch.setattr(device, "POLL_S", 0.1)
    monkeypatch.setattr(device, "SILENT_S", 0.3)
    made = Hardware(tmp_path)
    made.plug(entry("mic"))
    return made


def listen(source, until, limit_s=20.0):
    """All that a source gives up to the first item for which `until(item)` is true."""
    timer = threading.Timer(limit_s, source.close)
    timer.start()
    seen = []
    try:
        for item in source.blocks():
            seen.append(item)
            if until(item):
                return seen
    finally:
        timer.cancel()
        source.close()
    pytest.fail(
        f"not heard within {limit_s} s: {[x for x in seen if not isinstance(x, Block)]}"
    )


def until_samples(count):
    total = 0

    def enough(item):
        nonlocal total
        total += len(item.audio) if isinstance(item, Block) else 0
        return total >= count

    return enough


def until_state(state):
    return lambda item: isinstance(item, DeviceChange) and item.state == state


# --- a stream that goes well --------------------------------------------------------------


def test_every_sample_arrives_once_and_in_order(hardware):
    source = open_source()
    assert (source.name, source.rate, source.channels, source.live) == ("mic", 8000, 1, True)
    blocks = listen(source, until_samples(6000))
    audio = np.concatenate([b.audio for b in blocks])
    np.testing.assert_allclose(audio[:, 0], (np.arange(len(audio)) % 1000 + 1) / 1000)
    assert [b.position for b in blocks] == [
        0,
        *np.cumsum([len(b.audio) for b in blocks[:-1]]),
    ]
    assert not any(b.dropped for b in blocks)


def test_a_slow_reader_loses_nothing_within_seconds(hardware):
    source = open_source()
    blocks = source.blocks()
    first = next(blocks)
    time.sleep(1.5)
    audio = np.concatenate([first.audio, *(next(blocks).audio for _ in range(25))])
    source.close()
    np.testing.assert_allclose(audio[:, 0], (np.arange(len(audio)) % 1000 + 1) / 1000)


def test_what_the_queue_cannot_hold_is_counted_where_it_was_lost():
    """The queue itself, without a process: it is full after 10 s that nobody reads."""
    from realtime.sources import capture

    class Sounddevice:
        RawInputStream = staticmethod(lambda **_: None)

    class Quiet:
        input_overflow = False

    ask = {"index": 0, "rate": 1000, "channels": 1, "blocksize": 100}
    stream = capture.Stream(Sounddevice, ask)
    for _ in range(103):
        stream.hear(b"\0" * 400, 100, None, Quiet())
    assert [stream.heard.get()[1] for _ in range(100)] == [0] * 100
    stream.hear(b"\0" * 400, 100, None, Quiet())
    assert stream.heard.get()[1] == 300


def test_overflows_of_the_driver_are_counted(hardware):
    hardware.switch("overflow")
    source = open_source()
    listen(source, until_samples(2000))
    assert source.overflows >= 4


def test_close_from_another_thread(hardware):
    source = open_source()
    threading.Timer(0.3, source.close).start()
    assert all(isinstance(item, Block) for item in source.blocks())
    source.close()


def test_close_from_a_signal_handler_ends_a_wait_without_sound(hardware):
    hardware.switch("stuck")
    program = (
        "import signal; from realtime.sources import open_source\n"
        "s = open_source()\n"
        "signal.signal(signal.SIGINT, lambda *_: s.close())\n"
        "print('open', flush=True)\n"
        "print(list(s.blocks()))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=child_path()
    ) as process:
        assert process.stdout.readline() == b"open\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"[]\n"
        assert process.wait(10) == 0


def test_the_capture_process_ends_with_its_parent(hardware):
    program = (
        "import os; from realtime.sources import open_source\n"
        "s = open_source()\n"
        "print(s._recorder._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=child_path()
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}") or "Z" in process_state(pid):  # noqa: PTH110
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the capture process outlived its parent")


def child_path():
    """The environment for a program that imports both realtime and the fake."""
    import realtime

    root = os.path.dirname(os.path.dirname(realtime.__file__))  # noqa: PTH120
    return os.environ | {"PYTHONPATH": os.pathsep.join((os.environ["PYTHONPATH"], root))}


def process_state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:  # noqa: PTH123
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


# --- rates and channels -------------------------------------------------------------------


def test_the_rate_that_was_asked_for(hardware):
    source = open_source(rate=16_000)
    source.close()
    assert source.rate == 16_000
    assert hardware.opened() == [[0, 16_000, 1, 800, "float32"]]


def test_a_rate_the_hardware_lacks_falls_back_to_its_own(hardware, caplog):
    hardware.plug(entry("mic", rate=48_000, rates=[48_000]))
    source = open_source(rate=16_000)
    source.close()
    assert source.rate == 48_000
    assert "has no 16000 Hz; using 48000 Hz" in caplog.text


def test_hardware_without_mono_gives_what_it_has(hardware):
    hardware.plug(entry("mic", channels=2, widths=[2]))
    source = open_source()
    block = listen(source, until_samples(1))[-1]
    assert source.channels == 2
    assert block.audio.shape[1] == 2
    np.testing.assert_array_equal(block.audio[:, 0], block.audio[:, 1])


@pytest.mark.parametrize(
    ("has", "asked", "got"), [(8, None, 1), (8, 8, 8), (2, 6, 2), (8, 3, 3)]
)
def test_channels_up_to_those_asked_for(hardware, has, asked, got):
    hardware.plug(entry("mic", channels=has))
    source = open_source(channels=asked)
    source.close()
    assert source.channels == got


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_the_range_of_rates(hardware, rate):
    hardware.plug(entry("mic", rate=rate))
    source = open_source()
    source.close()
    assert source.rate == rate


@pytest.mark.parametrize("options", [{"rate": 7_999}, {"rate": 192_001}, {"channels": 0}])
def test_what_makes_no_sense(options):
    with pytest.raises(UsageError):
        open_source(**options)


# --- losses -------------------------------------------------------------------------------


def test_an_unplugged_device_is_reported_and_found_again(hardware):
    source = open_source(device="mic")
    began = time.monotonic()
    seen = []

    def act(item):
        """Unplug after half a second; plug in as another index, a second later."""
        seen.append(item)
        if isinstance(item, Block):
            if item.position == 4000:
                hardware.switch("gone")
            return item.dropped > 0
        if item.state == "lost":
            hardware.plug(entry("webcam"))

            def replug():
                hardware.plug(entry("webcam"), entry("other"), entry("mic"))
                hardware.switch("gone", on=False)

            threading.Timer(1.0, replug).start()
        return False

    listen(source, act)
    took = time.monotonic() - began
    states = [x for x in seen if isinstance(x, DeviceChange)]
    assert [x.state for x in states] == ["lost", "back"]
    lost, back = states
    after = seen[seen.index(back) + 1]
    assert lost.position == pytest.approx(4000, abs=1200)
    # the clock went on: where it stands is what the wall clock says, and the loss is accounted
    assert after.position == back.position
    assert after.dropped == back.position - lost.position
    assert after.dropped / 8000 > 0.9
    assert (after.position + len(after.audio)) / 8000 == pytest.approx(took, abs=0.6)
    assert hardware.opened()[-1][0] == 2


def test_a_device_that_falls_silent_without_a_word_is_lost(hardware):
    source = open_source()
    listen_to = iter(source.blocks())
    next(listen_to)
    hardware.switch("stuck")
    change = next(x for x in listen_to if isinstance(x, DeviceChange))
    assert change.state == "lost"
    hardware.switch("stuck", on=False)
    assert next(x for x in listen_to if isinstance(x, DeviceChange)).state == "back"
    source.close()


def test_a_driver_that_hangs_on_a_lost_device_is_left_behind(hardware):
    source = open_source()
    items = iter(source.blocks())
    next(items)
    hardware.switch("hang")
    hardware.switch("gone")
    assert next(x for x in items if isinstance(x, DeviceChange)).state == "lost"
    hardware.switch("gone", on=False)
    assert next(x for x in items if isinstance(x, DeviceChange)).state == "back"
    began = time.monotonic()
    source.close()
    for _ in items:
        pass
    assert time.monotonic() - began < 5


def test_a_capture_process_that_dies_is_a_lost_device(hardware):
    source = open_source()
    items = iter(source.blocks())
    next(items)
    source._recorder._process.kill()
    changes = (x.state for x in items if isinstance(x, DeviceChange))
    assert list(itertools.islice(changes, 2)) == ["lost", "back"]
    source.close()


def test_a_device_that_comes_back_otherwise_is_waited_for(hardware):
    hardware.plug(entry("mic", rates=[8000]))
    source = open_source()
    items = iter(source.blocks())
    next(items)
    hardware.switch("gone")
    assert next(x for x in items if isinstance(x, DeviceChange)).state == "lost"
    hardware.plug(entry("mic", rate=48_000, rates=[48_000]))
    hardware.switch("gone", on=False)
    threading.Timer(1.0, hardware.plug, [entry("mic", rates=[8000])]).start()
    assert next(x for x in items if isinstance(x, DeviceChange)).state == "back"
    assert next(items).audio.shape[1] == 1
    source.close()


def test_a_muted_microphone_is_reported_once_and_when_it_sounds(hardware, caplog):
    hardware.switch("muted")
    source = open_source()
    seen = []

    def act(item):
        seen.append(item)
        if isinstance(item, Block) and item.position == 8000:
            hardware.switch("muted", on=False)
        return until_state("sounding")(item)

    listen(source, act)
    states = [(x.state, x.position) for x in seen if isinstance(x, DeviceChange)]
    assert [s for s, _ in states] == ["silent", "sounding"]
    assert states[0][1] == pytest.approx(2400, abs=400)
    assert "only zeros: is it muted?" in caplog.text


# --- which device -------------------------------------------------------------------------


def test_no_device_at_all(hardware):
    hardware.plug()
    assert list_devices() == []
    with pytest.raises(DeviceNotFound, match="no sound device") as caught:
        open_source()
    assert caught.value.status == 4


def test_outputs_are_no_microphones(hardware):
    hardware.plug(entry("speaker", channels=0), entry("mic"), default=1)
    (only,) = list_devices()
    assert (only.index, only.name, only.default) == (1, "mic", True)


def test_no_portaudio(hardware):
    hardware.plug(missing=True)
    with pytest.raises(AudioError, match="need PortAudio") as caught:
        open_source()
    assert "apt install libportaudio2" in caught.value.hint


def test_a_device_that_is_in_use(hardware):
    hardware.plug(entry("mic", busy=1000))
    with pytest.raises(AudioError, match="Device unavailable") as caught:
        open_source()
    assert "another program" in caught.value.hint
    assert len({tuple(x) for x in hardware.opened()}) == 1


def test_a_device_that_is_in_use_for_a_moment_only(hardware):
    hardware.plug(entry("mic", busy=2))
    open_source().close()
    assert len(hardware.opened()) == 3


def table(*names):
    return [
        InputDevice(index=i, name=n, api="ALSA", channels=1, rate=48_000, default=i == 1)
        for i, n in enumerate(names)
    ]


DEVICES = table(
    "HDA Intel PCH: ALC257 (hw:0,0)", "default", "USB Mic: Audio (hw:2,0)", "USB Cam"
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 1),
        (2, 2),
        ("2", 2),
        (" 0 ", 0),
        ("default", 1),
        ("DEFAULT", 1),
        ("usb mic", 2),
        ("alc257", 0),
        ("usb cam, alsa", 3),
    ],
)
def test_picking_a_device(wanted, index):
    assert pick(DEVICES, wanted).index == index


@pytest.mark.parametrize(
    ("wanted", "says", "hint"),
    [
        ("usb", "could be any of 2 USB Mic", "give the index"),
        ("usb mik", "no device 'usb mik'", "did you mean 'USB Mic: Audio (hw:2,0)'?"),
        ("defualt", "no device 'defualt'", "did you mean 'default'?"),
        ("zoom", "no device 'zoom' among 0 HDA", "--list-devices"),
        ("", "no device ''", "--list-devices"),
        ("7", "index 7", "there are 0, 1, 2, 3"),
        (-1, "index -1", "there are 0"),
    ],
)
def test_names_that_do_not_fit(wanted, says, hint):
    with pytest.raises(DeviceNotFound) as caught:
        pick(DEVICES, wanted)
    assert says in str(caught.value)
    assert hint in caught.value.hint


def test_an_exact_name_wins_over_longer_ones():
    assert pick(table("mic", "mic 2"), "mic").index == 0


def test_a_replugged_card_may_have_another_number():
    lost = DEVICES[2]
    again = table("default", "USB Mic: Audio (hw:1,0)")
    assert find_again(again, lost).index == 1
    assert find_again(table("default"), lost) is None
    both = table("USB Mic: Audio (hw:1,0)", "USB Mic: Audio (hw:2,0)")
    assert find_again(both, lost).index == 1


def test_the_list(hardware):
    hardware.plug(entry("a", channels=2, rate=44_100), entry("b", api=1), default=1)
    first, second = list_devices()
    assert first == InputDevice(
        index=0, name="a", api="ALSA", channels=2, rate=44_100, default=False
    )
    assert second.default
    assert second.label() == "1 b (JACK)"


def test_a_recorder_ends_while_waiting(hardware):
    recorder = Recorder()
    began = time.monotonic()
    recorder.end()
    assert time.monotonic() - began < 1.5
