"""Opens PortAudio's streams and gives them their callbacks. Used by `sound.py` alone.

The callbacks are compiled functions where numba is installed (`compiled.py`), otherwise Python
(`path.py`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from realtime.duplex import kernels
from realtime.duplex import layout as at

PERIODS = 3  # blocks that a driver may buffer
ONE = (1).to_bytes(8, "little")


class Refused(Exception):  # noqa: N818  says what happened
    """A device would not open."""

    def __init__(self, message: str, device: str) -> None:
        super().__init__(message)
        self.device = device


# makes a stream: kind, device, rate, channels, latency in seconds
Maker = Callable[[Any, int, Any, float], Any]


def open_streams(
    ask: dict[str, Any], makers: dict[str, Maker]
) -> tuple[dict[str, Any], list[Any]]:
    """Open one stream for both ways, one for each, or a key's; what it is, and the streams.

    Raises:
        Refused: so.
    """
    source, sink = ask["source"], ask["sink"]
    latency = max(PERIODS * ask["block"] / source["rates"][0], ask["latency_s"])
    failure = ""
    if sink is None:
        key, rate, width = _first(makers["key"], source, source["channels"], latency)
        opened = {"rate": rate, "rate_out": rate, "channels": width, "outputs": width}
        return opened | {"width": width, "joined": False}, [key]
    if ask["joined"]:
        for rate in source["rates"]:
            for width in source["channels"]:
                channels = _gated(source, width)
                for outputs in _fitting(sink["channels"], channels):
                    pair = (source["index"], sink["index"])
                    try:
                        both = makers["duplex"](pair, rate, (width, outputs), latency)
                    except Exception as e:
                        failure = failure or str(e)
                        continue
                    opened = {"rate": rate, "rate_out": rate, "channels": channels}
                    opened |= {"outputs": outputs, "width": width}
                    return opened | {"joined": True}, [both]
        if ask["exactly"]:
            raise Refused(failure, source["name"])
    hear, rate, width = _first(makers["hear"], source, source["channels"], latency)
    channels = _gated(source, width)
    sink["rates"] = list(dict.fromkeys((rate, *sink["rates"])))
    with _environment(ask["environment"]):
        try:
            give, rate_out, outputs = _first(
                makers["give"], sink, _fitting(sink["channels"], channels), latency
            )
        except Refused:
            hear.close()
            raise
    opened = {"rate": rate, "rate_out": rate_out, "channels": channels, "outputs": outputs}
    opened["width"] = width
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
    raise Refused(failure, device["name"])


def _gated(source: dict[str, Any], width: int) -> int:
    """Channels that are gated, of those of a stream."""
    return min(source["gated"] or width, width)


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


def compiled_makers(
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

    kinds = {"duplex": "duplex", "hear": "input", "give": "output", "key": "input"}
    return {name: maker(name, kind) for name, kind in kinds.items()}


def interpreted_makers(sounddevice: Any, memory: at.Memory) -> dict[str, Maker]:
    """Streams whose callbacks are Python."""
    from realtime.duplex.joint_path import JointPath
    from realtime.duplex.path import Path

    # made when the memory has been prepared
    ready = cache(lambda: Path(memory))
    key_ready = cache(lambda: JointPath(memory, at.OTHER))

    def duplex(x: Any, y: Any, _frames: int, _times: Any, status: Any) -> None:
        ready().play(x, y)
        _after(memory.ints, status)

    def hear(x: Any, _frames: int, _times: Any, status: Any) -> None:
        ready().take(x, time.monotonic())
        _after(memory.ints, status)

    def key(x: Any, _frames: int, _times: Any, _status: Any) -> None:
        key_ready().push(x, time.monotonic())

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
        "key": maker(sounddevice.RawInputStream, key),
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
