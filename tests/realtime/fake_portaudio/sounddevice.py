"""A `sounddevice` for the capture process, with hardware that a test controls.

The folder in FAKE_SOUND is the hardware: table.json lists the devices, and files are its
switches: "muted", "stuck" (no callbacks), "gone" (the stream ends), "hang" (closing takes for
ever), "overflow". "opened" tells what was asked for.
"""

import atexit
import json
import os
import struct
import threading
import time
from pathlib import Path
from types import SimpleNamespace

room = Path(os.environ["FAKE_SOUND"])
table = json.loads((room / "table.json").read_text())
if table.get("missing"):
    raise OSError("PortAudio library not found")
default = SimpleNamespace(device=[table.get("default", 0), -1])


class PortAudioError(Exception):
    pass


class Status:
    def __init__(self, on):
        self.input_overflow = on

    def __bool__(self):
        return self.input_overflow


def is_on(switch):
    return (room / switch).exists()


def query_hostapis():
    apis = {"ALSA": 0, "JACK": -1}
    return [{"name": n, "default_input_device": d} for n, d in apis.items()]


def query_devices():
    return table["devices"]


class RawInputStream:
    """Samples that count from 0.001 to 1, in real time."""

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
        while not is_on("gone"):
            at += self.size
            time.sleep(max(0, began + at / self.rate - time.monotonic()))
            if is_on("stuck"):
                continue
            values = [
                0.0 if is_on("muted") else (i % 1000 + 1) / 1000
                for i in range(at - self.size, at)
            ]
            wide = (v for v in values for _ in range(self.width))
            data = struct.pack(f"<{len(values) * self.width}f", *wide)
            self.callback(data, self.size, None, Status(is_on("overflow")))
        self.active = False


@atexit.register
def close():
    while is_on("hang"):
        time.sleep(0.1)
