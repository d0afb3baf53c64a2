"""A PortAudio that the tests control, for the device source; the real one: tests/live."""

import json
import os
import threading
from pathlib import Path

import pytest

import realtime
from realtime.sources import Block, DeviceChange, device, recorder

FAKE = Path(__file__).parent / "fake_portaudio"
LIMIT_S = 90.0


class Hardware:
    """The devices and switches of the fake PortAudio."""

    def __init__(self, room):
        self.room = room

    @staticmethod
    def entry(name, channels=1, rate=8000, api=0, **more):
        """One device, as PortAudio describes it."""
        return {
            "name": name,
            "hostapi": api,
            "max_input_channels": channels,
            "default_samplerate": float(rate),
            **more,
        }

    def plug(self, *devices, **more):
        (self.room / "table.json").write_text(json.dumps({"devices": devices, **more}))

    def switch(self, name, on=True):
        path = self.room / name
        path.touch() if on else path.unlink()

    def opened(self):
        return [json.loads(x) for x in (self.room / "opened").read_text().splitlines()]

    @staticmethod
    def environ():
        """For a program that imports both realtime and the fake."""
        root = str(Path(realtime.__file__).parents[1])
        return os.environ | {"PYTHONPATH": os.pathsep.join((str(FAKE), root))}

    @staticmethod
    def listen(source, until):
        """All that a source gives up to the first item for which `until(item)` is true."""
        timer = threading.Timer(LIMIT_S, source.close)
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
        changes = [x for x in seen if isinstance(x, DeviceChange)]
        pytest.fail(f"not heard within {LIMIT_S} s: {changes}")

    def listen_for(self, source, samples):
        """All that a source gives until it has given so many samples."""
        total = 0

        def enough(item):
            nonlocal total
            total += len(item.audio) if isinstance(item, Block) else 0
            return total >= samples

        return self.listen(source, enough)


@pytest.fixture
def hardware(tmp_path, monkeypatch):
    """A PortAudio whose hardware the test controls; one 8 kHz microphone to begin with."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    monkeypatch.setenv("FAKE_SOUND", str(tmp_path))
    # a busy machine may stop the capture process for a while: that is no loss
    for module, name in (
        (device, "LOST_S"), (device, "FIRST_S"), (recorder, "START_S"), (recorder, "OPEN_S"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, 60.0)
    monkeypatch.setattr(device, "RETRY_S", 0.1)
    monkeypatch.setattr(device, "POLL_S", 0.1)
    monkeypatch.setattr(device, "SILENT_S", 0.3)
    made = Hardware(tmp_path)
    made.plug(made.entry("mic"))
    return made
