"""The device source when its device is lost, hangs or is muted.

Against a PortAudio that the tests control; the real one: tests/live.
"""

import itertools
import threading
import time

import pytest

from realtime.sources import Block, DeviceChange, device, open_source


def test_an_unplugged_device_is_reported_and_found_again(hardware):
    began = time.monotonic()
    source = open_source(device="mic")
    seen = []

    def act(item):
        """Unplug after half a second; plug in as another index, a second later."""
        seen.append(item)
        if isinstance(item, Block):
            if item.position == 4000:
                hardware.switch("gone")
            return item.dropped > 0
        if item.state == "lost":
            hardware.plug(hardware.entry("webcam"))

            def replug():
                hardware.plug(
                    hardware.entry("webcam"), hardware.entry("other"), hardware.entry("mic")
                )
                hardware.switch("gone", on=False)

            threading.Timer(1.0, replug).start()
        return False

    hardware.listen(source, act)
    took = time.monotonic() - began
    states = [x for x in seen if isinstance(x, DeviceChange)]
    assert [x.state for x in states] == ["lost", "back"]
    lost, back = states
    after = seen[seen.index(back) + 1]
    assert lost.position >= 4400
    assert after.position == back.position
    assert after.dropped == back.position - lost.position
    # the clock went on with the wall's: it was gone for a second, less the block that came then
    assert after.dropped / 8000 > 0.9
    assert (after.position + len(after.audio)) / 8000 < took
    assert hardware.opened()[-1][0] == 2


def test_a_device_that_falls_silent_without_a_word_is_lost(hardware, monkeypatch):
    monkeypatch.setattr(device, "LOST_S", 3.0)
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
    source.close()
    assert all(isinstance(item, Block) for item in items)  # and they come to an end


def test_a_capture_process_that_dies_is_a_lost_device(hardware):
    source = open_source()
    items = iter(source.blocks())
    next(items)
    source._recorder._process.kill()
    changes = (x.state for x in items if isinstance(x, DeviceChange))
    assert list(itertools.islice(changes, 2)) == ["lost", "back"]
    source.close()


def test_a_device_that_comes_back_otherwise_is_waited_for(hardware):
    hardware.plug(hardware.entry("mic", rates=[8000]))
    source = open_source()
    items = iter(source.blocks())
    next(items)
    hardware.switch("gone")
    assert next(x for x in items if isinstance(x, DeviceChange)).state == "lost"
    hardware.plug(hardware.entry("mic", rate=48_000, rates=[48_000]))
    hardware.switch("gone", on=False)
    threading.Timer(1.0, hardware.plug, [hardware.entry("mic", rates=[8000])]).start()
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
        return isinstance(item, DeviceChange) and item.state == "sounding"

    hardware.listen(source, act)
    states = [(x.state, x.position) for x in seen if isinstance(x, DeviceChange)]
    assert [s for s, _ in states] == ["silent", "sounding"]
    assert states[0][1] == pytest.approx(2400, abs=400)
    assert "only zeros: is it muted?" in caplog.text
