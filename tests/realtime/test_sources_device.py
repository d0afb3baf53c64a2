"""The device source: its stream, rates and channels, and a device that does not open.

Against a PortAudio that the tests control; the real one: tests/live.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from realtime.errors import AudioError, DeviceNotFound, UsageError
from realtime.sources import Block, open_source, recorder
from realtime.sources.listing import list_devices
from realtime.sources.recorder import Recorder

# --- a stream that goes well --------------------------------------------------------------


def test_every_sample_arrives_once_and_in_order(hardware):
    source = open_source()
    assert (source.name, source.rate, source.channels, source.live) == ("mic", 8000, 1, True)
    blocks = hardware.listen_for(source, 6000)
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
    hardware.listen_for(source, 2000)
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
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=hardware.environ()
    ) as process:
        assert process.stdout.readline() == b"open\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"[]\n"
        assert process.wait(60) == 0


def test_the_capture_process_ends_with_its_parent(hardware):
    program = (
        "import os; from realtime.sources import open_source\n"
        "s = open_source()\n"
        "print(s._recorder._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=hardware.environ()
    )
    assert done.returncode == -signal.SIGKILL
    stat = Path(f"/proc/{int(done.stdout)}/stat")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    os.kill(int(done.stdout), signal.SIGKILL)
    pytest.fail("the capture process outlived its parent")


# --- rates and channels -------------------------------------------------------------------


def test_the_rate_that_was_asked_for(hardware):
    source = open_source(rate=16_000)
    source.close()
    assert source.rate == 16_000
    assert hardware.opened() == [[0, 16_000, 1, 800, "float32"]]


def test_a_rate_the_hardware_lacks_falls_back_to_its_own(hardware, caplog):
    hardware.plug(hardware.entry("mic", rate=48_000, rates=[48_000]))
    source = open_source(rate=16_000)
    source.close()
    assert source.rate == 48_000
    assert "has no 16000 Hz; using 48000 Hz" in caplog.text


def test_hardware_without_mono_gives_what_it_has(hardware):
    hardware.plug(hardware.entry("mic", channels=2, widths=[2]))
    source = open_source()
    block = hardware.listen_for(source, 1)[-1]
    assert source.channels == 2
    assert block.audio.shape[1] == 2
    np.testing.assert_array_equal(block.audio[:, 0], block.audio[:, 1])


@pytest.mark.parametrize(
    ("has", "asked", "got"), [(8, None, 1), (8, 8, 8), (2, 6, 2), (8, 3, 3)]
)
def test_channels_up_to_those_asked_for(hardware, has, asked, got):
    hardware.plug(hardware.entry("mic", channels=has))
    source = open_source(channels=asked)
    source.close()
    assert source.channels == got


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_the_range_of_rates(hardware, rate):
    hardware.plug(hardware.entry("mic", rate=rate))
    source = open_source()
    source.close()
    assert source.rate == rate


@pytest.mark.parametrize("options", [{"rate": 7_999}, {"rate": 192_001}, {"channels": 0}])
def test_what_makes_no_sense(options):
    with pytest.raises(UsageError):
        open_source(**options)


# --- none, or in use -----------------------------------------------------------------------


def test_no_device_at_all(hardware):
    hardware.plug()
    assert list_devices() == []
    with pytest.raises(DeviceNotFound, match="no sound device") as caught:
        open_source()
    assert caught.value.status == 4


def test_no_portaudio(hardware):
    hardware.plug(missing=True)
    with pytest.raises(AudioError, match="need PortAudio") as caught:
        open_source()
    assert "apt install libportaudio2" in caught.value.hint


def test_a_device_that_is_in_use(hardware):
    hardware.plug(hardware.entry("mic", busy=1000))
    with pytest.raises(AudioError, match="Device unavailable") as caught:
        open_source()
    assert "another program" in caught.value.hint
    assert len({tuple(x) for x in hardware.opened()}) == 1


def test_a_device_that_is_in_use_for_a_moment_only(hardware):
    hardware.plug(hardware.entry("mic", busy=2))
    open_source().close()
    assert len(hardware.opened()) == 3


def test_a_recorder_ends_while_waiting(hardware, monkeypatch):
    monkeypatch.setattr(recorder, "END_S", 30.0)
    opened = Recorder()
    opened.end()
    assert opened._process.returncode == 0  # of itself, not killed
