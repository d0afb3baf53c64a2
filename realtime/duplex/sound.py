"""The sound process: PortAudio, its streams, and in their callbacks the gate.

Started by `realtime.duplex.process` as `python -m realtime.duplex.sound MEMORY WAKE`: the
descriptors of the shared memory (`layout.py`) and of the eventfd that wakes the worker.
`realtime.sources.capture` tells why PortAudio has a process of its own. Here there is one
reason more: the model runs in another, so whatever becomes of it, the sound goes on.

The callbacks are compiled functions where numba is installed (`compiled.py`). Then no Python
runs while sound does, except that the main thread looks four times a second whether the
streams run and the parent is there. Otherwise the callbacks are Python (`path.py`).

Protocol, lines of JSON. To the parent: the devices, or an error. From the parent: what to
open. Back: where a compiler begins and ends its work; then what was opened, or an error. From
the parent "go", when it has prepared the memory. Back: started, or an error. Then nothing,
until the parent closes stdin.
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
from collections.abc import Callable, Iterator
from typing import Any

from realtime.duplex import kernels
from realtime.duplex import layout as at
from realtime.duplex.priority import SOUND, hurry_all

HEARTBEAT_S = 0.25
PATIENCE_S = 1.0  # for the clean-up at the end
PERIODS = 3  # blocks that a driver may buffer
ONE = (1).to_bytes(8, "little")


def main() -> None:
    """Serve on stdin and stdout, which no library may write into."""
    out = os.dup(1)
    os.dup2(2, 1)

    def tell(**what: Any) -> None:
        os.write(out, json.dumps(what).encode() + b"\n")

    memory = at.Memory(int(sys.argv[1]))
    memory.ints[at.WAKE] = int(sys.argv[2])
    with contextlib.suppress(BrokenPipeError):
        serve(tell, sys.stdin.readline, memory)
    memory.ints[at.ACTIVE] = 0
    # a sound server wants to see the end of its client, but it may hang on a lost device
    ending = threading.Timer(PATIENCE_S, os._exit, (0,))
    ending.daemon = True
    ending.start()


def serve(tell: Callable[..., None], ask_line: Callable[[], str], memory: at.Memory) -> None:
    """Run the protocol.

    Args:
        tell: sends a line to the parent.
        ask_line: the parent's next line; empty at the end of stdin.
        memory: shared with the parent.
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
    compiled = _compiled(sounddevice, memory, tell) if ask["compiled"] else {}
    makers = compiled or _interpreted(sounddevice, memory)
    try:
        opened, streams = _open(ask, makers)
    except _Refused as e:
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
    memory.ints[at.ACTIVE] = 1
    tell(started=True)
    began = time.process_time() - memory.floats[at.BUSY]
    while not select.select([0], [], [], HEARTBEAT_S)[0]:  # readable: the parent closed it
        memory.floats[at.BUSY] = time.process_time() - began
        memory.ints[at.ACTIVE] = int(all(stream.active for stream in streams))


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


class _Refused(Exception):  # noqa: N818  says what happened
    """A device would not open."""

    def __init__(self, message: str, device: str) -> None:
        super().__init__(message)
        self.device = device


# makes a stream: kind, device, rate, channels, latency in seconds
Maker = Callable[[Any, int, Any, float], Any]


def _open(ask: dict[str, Any], makers: dict[str, Maker]) -> tuple[dict[str, Any], list[Any]]:
    """Open one stream for both ways, or one for each; what it is, and the streams.

    Raises:
        _Refused: so.
    """
    source, sink = ask["source"], ask["sink"]
    latency = max(PERIODS * ask["block"] / source["rates"][0], ask["latency_s"])
    failure = ""
    if ask["joined"]:
        for rate in source["rates"]:
            for channels in source["channels"]:
                for outputs in _fitting(sink["channels"], channels):
                    pair = (source["index"], sink["index"])
                    try:
                        both = makers["duplex"](pair, rate, (channels, outputs), latency)
                    except Exception as e:
                        failure = failure or str(e)
                        continue
                    opened = {"rate": rate, "rate_out": rate, "channels": channels}
                    return opened | {"outputs": outputs, "joined": True}, [both]
        if ask["exactly"]:
            raise _Refused(failure, source["name"])
    hear, rate, channels = _first(makers["hear"], source, source["channels"], latency)
    sink["rates"] = list(dict.fromkeys((rate, *sink["rates"])))
    with _environment(ask["environment"]):
        try:
            give, rate_out, outputs = _first(
                makers["give"], sink, _fitting(sink["channels"], channels), latency
            )
        except _Refused:
            hear.close()
            raise
    opened = {"rate": rate, "rate_out": rate_out, "channels": channels, "outputs": outputs}
    # the output first: what it plays before there is sound is silence
    return opened | {"joined": False}, [give, hear]


def _first(
    make: Maker, device: dict[str, Any], widths: list[int], latency: float
) -> tuple[Any, int, int]:
    """The first stream that opens, its rate and channels."""
    failure = ""
    for rate in device["rates"]:
        for channels in widths:
            try:
                return make(device["index"], rate, channels, latency), rate, channels
            except Exception as e:
                # the first failure is about what was asked for, the rest about our guesses
                failure = failure or str(e)
    raise _Refused(failure, device["name"])


def _fitting(widths: list[int], channels: int) -> list[int]:
    """Output channels to try; 0 stands for as many as the input has."""
    return list(dict.fromkeys(w or channels for w in widths))


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables for a sound server's library, which reads them when a stream opens."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def _compiled(
    sounddevice: Any, memory: at.Memory, tell: Callable[..., None]
) -> dict[str, Maker]:
    """Streams whose callbacks are compiled; none where numba is missing."""
    from realtime.duplex import compiled

    if not compiled.available():
        return {}
    ffi = sounddevice._ffi
    user = ffi.cast("void *", ffi.from_buffer(memory.map))

    def maker(name: str, kind: str) -> Maker:
        def make(device: Any, rate: int, channels: Any, latency: float) -> Any:
            # apart, for compiling may take minutes and opening may not
            tell(compiling=True)
            callback = ffi.cast("PaStreamCallback *", compiled.callback(name))
            tell(compiling=False)
            # the class for libraries with callbacks in C; see its documentation
            return sounddevice._StreamBase(
                kind,
                callback=callback,
                userdata=user,
                **_options(device, rate, channels, latency),
            )

        return make

    kinds = {"duplex": "duplex", "hear": "input", "give": "output"}
    return {name: maker(name, kind) for name, kind in kinds.items()}


def _interpreted(sounddevice: Any, memory: at.Memory) -> dict[str, Maker]:
    """Streams whose callbacks are Python."""
    from realtime.duplex.path import Path

    path: list[Path] = []  # made when the memory has been prepared

    def ready() -> Path:
        if not path:
            path.append(Path(memory))
        return path[0]

    def duplex(x: Any, y: Any, _frames: int, _times: Any, status: Any) -> None:
        ready().play(x, y)
        _after(memory.ints, status)

    def hear(x: Any, _frames: int, _times: Any, status: Any) -> None:
        ready().take(x, time.monotonic())
        _after(memory.ints, status)

    def give(y: Any, _frames: int, _times: Any, status: Any) -> None:
        ready().pull(y, time.monotonic())
        memory.ints[at.UNDERFLOWS] += bool(status.output_underflow)

    def maker(stream: Any, callback: Callable[..., None]) -> Maker:
        def make(device: Any, rate: int, channels: Any, latency: float) -> Any:
            return stream(callback=callback, **_options(device, rate, channels, latency))

        return make

    return {
        "duplex": maker(sounddevice.RawStream, duplex),
        "hear": maker(sounddevice.RawInputStream, hear),
        "give": maker(sounddevice.RawOutputStream, give),
    }


def _after(ints: Any, status: Any) -> None:
    """What every Python callback ends with: wake the worker, count what the driver lost."""
    if kernels.due(ints):
        os.write(ints[at.WAKE], ONE)
    if status:
        ints[at.OVERFLOWS] += status.input_overflow or status.input_underflow
        ints[at.UNDERFLOWS] += status.output_underflow


def _options(device: Any, rate: int, channels: Any, latency: float) -> dict[str, Any]:
    return {
        "device": device,
        "samplerate": rate,
        "channels": channels,
        "latency": latency,
        "dtype": "float32",  # PortAudio converts whatever the hardware has
        # The driver's own blocks. PortAudio would make others out of them, and add a block of
        # delay on some hosts and none on others; so we wait for a block ourselves (SLACK).
        "blocksize": 0,
        "dither_off": True,  # an open gate gives the bits that came
    }


if __name__ == "__main__":
    main()
