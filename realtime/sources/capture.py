"""The capture process: holds PortAudio and one input stream, and pipes what it hears.

Started by `realtime.sources.recorder` as a script of its own; it imports nothing of this
project, so it is small and starts fast. Why a process and not a stream in ours:

- A driver that loses its device may hang for good in stop, close or Pa_Terminate (JACK's waits
  ten minutes), and PortAudio finds a replugged device only after Pa_Terminate. A process can
  be ended.
- A Python callback needs the interpreter's lock. Here nobody else holds it, so the model's
  work in the parent delays no callback.

Two threads. PortAudio's calls `Stream.hear`: it copies the sound into a queue and counts, no
more. The main thread moves the queue to the pipe, and may block there as long as the parent is
busy; what does not fit into the queue meanwhile is dropped and counted. The process ends when
its parent closes a pipe, or is gone.

Protocol. To the parent: messages of HEADER and a payload. First one JSON "J": the devices, or
an error. Then one line of JSON from the parent on stdin (index, rate, channels, blocksize), or
the end of stdin if the list was all it wanted. Then one JSON: what was opened, or an error.
Then sound "A" as float32 and heartbeats "B" until someone ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import struct
import sys
import threading
import time
from typing import Any

# kind, payload bytes, frames dropped before it, overflows so far, time.monotonic()
HEADER = struct.Struct("<cIQId")
HEARTBEAT_S = 0.25
PATIENCE_S = 1.0  # for the clean-up at the end
QUEUE_S = 10.0  # sound kept while the parent is busy


class Stream:
    """One PortAudio input stream and the queue behind it.

    Args:
        sounddevice: the module, passed in because importing it starts PortAudio.
        ask: "index" of the device, "rate" Hz, "channels", "blocksize" frames.

    Raises:
        sounddevice.PortAudioError: it cannot be opened.
    """

    def __init__(self, sounddevice: Any, ask: dict[str, Any]) -> None:
        self.heard: queue.SimpleQueue[tuple[bytes, int, float]] = queue.SimpleQueue()
        self.dropped = 0  # frames, since the last block that went into the queue
        self.overflows = 0  # times the driver said that it lost something, not how much
        self._most = max(4, round(QUEUE_S * ask["rate"] / ask["blocksize"]))
        self.stream = sounddevice.RawInputStream(
            device=ask["index"],
            samplerate=ask["rate"],
            channels=ask["channels"],
            blocksize=ask["blocksize"],
            dtype="float32",  # PortAudio converts whatever the hardware has
            latency="high",  # the driver's safe buffer: the model's window is far longer
            callback=self.hear,
        )

    def hear(self, indata: Any, frames: int, _times: Any, status: Any) -> None:
        """PortAudio's callback: copy and count. SimpleQueue.put never blocks."""
        if status:
            self.overflows += bool(status.input_overflow)
        if self.heard.qsize() >= self._most:
            self.dropped += frames
            return
        self.heard.put((bytes(indata), self.dropped, time.monotonic()))
        self.dropped = 0


def devices(sounddevice: Any) -> list[dict[str, Any]]:
    """Every device that can record."""
    apis = sounddevice.query_hostapis()
    default = sounddevice.default.device[0]
    if default < 0 and apis:
        default = apis[0]["default_input_device"]
    return [
        {
            "index": index,
            "name": d["name"],
            "api": apis[d["hostapi"]]["name"],
            "channels": d["max_input_channels"],
            "rate": round(d["default_samplerate"]),
            "default": index == default,
        }
        for index, d in enumerate(sounddevice.query_devices())
        if d["max_input_channels"] > 0
    ]


def attempts(ask: dict[str, Any]) -> list[dict[str, Any]]:
    """What to try, best first: some hardware has no mono, and only its own rate."""
    tries = [
        ask | {"rate": rate, "channels": channels}
        for rate in dict.fromkeys((ask["rate"], ask["own_rate"]))
        for channels in dict.fromkeys((ask["channels"], min(2, ask["most"]), ask["most"]))
    ]
    return tries[:1] if ask["exactly"] else tries


def serve(write: Any, ask_line: Any) -> None:
    """Run the protocol.

    Args:
        write: sends a message: kind, payload, dropped, overflows, when.
        ask_line: reads the parent's line; empty at the end of stdin.
    """

    def tell(**what: Any) -> None:
        write(b"J", json.dumps(what).encode(), 0, 0, time.monotonic())

    try:
        import sounddevice
    except (ImportError, OSError) as e:  # OSError: the PortAudio library is not installed
        tell(error=str(e), kind="portaudio")
        return
    except Exception as e:  # PortAudioError, which cannot be named here
        tell(error=str(e), kind="open")
        return
    tell(devices=devices(sounddevice))
    line = ask_line()
    if not line:
        return
    ask = json.loads(line)
    failure = ""
    for attempt in attempts(ask):
        try:
            stream = Stream(sounddevice, attempt)
            stream.stream.start()
            break
        except Exception as e:
            # the first failure is about what was asked for, the rest about our guesses
            failure = failure or str(e)
    else:
        tell(error=failure, kind="open")
        return
    tell(rate=attempt["rate"], channels=attempt["channels"])
    while not select.select([0], [], [], 0)[0]:  # readable: the parent has closed it
        try:
            data, dropped, when = stream.heard.get(timeout=HEARTBEAT_S)
            write(b"A", data, dropped, stream.overflows, when)
        except queue.Empty:
            state = b"1" if stream.stream.active else b"0"
            write(b"B", state, 0, stream.overflows, time.monotonic())


def main() -> None:
    """Serve on stdin and stdout, which no library may write into."""
    out = os.dup(1)
    os.dup2(2, 1)

    def write(kind: bytes, payload: bytes, dropped: int, overflows: int, when: float) -> None:
        rest = memoryview(HEADER.pack(kind, len(payload), dropped, overflows, when) + payload)
        while rest:
            rest = rest[os.write(out, rest) :]

    with contextlib.suppress(BrokenPipeError):
        serve(write, sys.stdin.readline)
    # sounddevice's own clean-up at exit is left: a sound server wants to see it (JACK halts
    # when a client just vanishes), but it may hang on a lost device
    ending = threading.Timer(PATIENCE_S, os._exit, (0,))
    ending.daemon = True
    ending.start()


if __name__ == "__main__":
    main()
