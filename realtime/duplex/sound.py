"""The sound process: PortAudio, its streams, and in their callbacks the gate.

Started by `realtime.duplex.process` as `python -m realtime.duplex.sound MEMORY WAKE PART`: the
descriptors of the shared memory (`layout.py`) and of the eventfd that wakes the worker, and the
word at which the part of the memory begins that this process says of itself how it is in.
`realtime.sources.capture` tells why PortAudio has a process of its own. Here there is one
reason more: the model runs in another, so whatever becomes of it, the sound goes on.

The callbacks are compiled functions where numba is installed (`compiled.py`). Then no Python
runs while sound does, except that the main thread looks four times a second whether the
streams run and the parent is there. Otherwise the callbacks are Python (`path.py`).

Protocol, lines of JSON. To the parent: the devices, or an error. From the parent: what to
open: an input and an output, or, in another such process, an input alone, which is a key with
a device of its own. Back: where a compiler begins and ends its work; then what was opened, or
an error. From the parent "go", when it has prepared the memory. Back: started, or an error.
Then nothing, until the parent closes stdin.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from realtime.duplex import layout as at
from realtime.duplex.priority import SOUND, hurry_all
from realtime.duplex.streams import (
    Refused,
    compiled_makers,
    interpreted_makers,
    open_streams,
)

HEARTBEAT_S = 0.25
PATIENCE_S = 1.0  # for the clean-up at the end


def main() -> None:
    """Serve on stdin and stdout, which no library may write into."""
    out = os.dup(1)
    os.dup2(2, 1)

    def tell(**what: Any) -> None:
        os.write(out, json.dumps(what).encode() + b"\n")

    memory = at.Memory(int(sys.argv[1]))
    part = int(sys.argv[3])
    memory.ints[part + at.WAKE] = int(sys.argv[2])
    with contextlib.suppress(BrokenPipeError):
        serve(tell, sys.stdin.readline, memory, part)
    memory.ints[part + at.ACTIVE] = 0
    # a sound server wants to see the end of its client, but it may hang on a lost device
    ending = threading.Timer(PATIENCE_S, os._exit, (0,))
    ending.daemon = True
    ending.start()


def serve(
    tell: Callable[..., None], ask_line: Callable[[], str], memory: at.Memory, part: int
) -> None:
    """Run the protocol.

    Args:
        tell: sends a line to the parent.
        ask_line: the parent's next line; empty at the end of stdin.
        memory: shared with the parent.
        part: where in it to say how the streams are.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as e:  # OSError: the PortAudio library is not installed
        tell(error=str(e), kind="portaudio")
        return
    except Exception as e:  # PortAudioError, which cannot be named here
        tell(error=str(e), kind="open", device="PortAudio")
        return
    tell(devices=devices(sounddevice))
    line = ask_line()
    if not line:
        return
    ask = json.loads(line)
    compiled = compiled_makers(sounddevice, memory, tell) if ask["compiled"] else {}
    makers = compiled or interpreted_makers(sounddevice, memory)
    try:
        opened, streams = open_streams(ask, makers)
    except Refused as e:
        tell(error=str(e), kind="open", device=e.device)
        return
    tell(**opened, compiled=bool(compiled))
    if not ask_line():
        return
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for stream in streams:
            stream.start()
    except Exception as e:
        tell(error=str(e), kind="open", device="")
        return
    hurry_all(SOUND)  # now that the drivers' threads are there
    memory.ints[part + at.ACTIVE] = 1
    tell(started=True)
    began = time.process_time() - memory.floats[part + at.BUSY]
    while not select.select([0], [], [], HEARTBEAT_S)[0]:  # readable: the parent closed it
        memory.floats[part + at.BUSY] = time.process_time() - began
        memory.ints[part + at.ACTIVE] = int(all(stream.active for stream in streams))


def devices(sounddevice: Any) -> list[dict[str, Any]]:
    """Every device."""
    apis = sounddevice.query_hostapis()
    default_in, default_out = sounddevice.default.device
    if default_in < 0 and apis:
        default_in = apis[0]["default_input_device"]
    if default_out < 0 and apis:
        default_out = apis[0]["default_output_device"]
    return [
        {
            "index": index,
            "name": d["name"],
            "api": apis[d["hostapi"]]["name"],
            "inputs": d["max_input_channels"],
            "outputs": d["max_output_channels"],
            "rate": round(d["default_samplerate"]),
            "default_in": index == default_in,
            "default_out": index == default_out,
            "api_in": index == apis[d["hostapi"]]["default_input_device"],
            "api_out": index == apis[d["hostapi"]]["default_output_device"],
        }
        for index, d in enumerate(sounddevice.query_devices())
    ]


if __name__ == "__main__":
    main()
