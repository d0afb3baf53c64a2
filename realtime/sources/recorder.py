"""`Recorder`: our end of the capture process. See `realtime.sources.capture` for the protocol.

Used by `device.py`, which turns what it reads into blocks, and by `listing.py`. One recorder
opens at most one device; for another try, end it and start a new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from typing import IO, Any, NoReturn, cast

import msgspec

from realtime.errors import AudioError, StreamLost
from realtime.sources import capture
from realtime.sources.capture import HEADER

SCRIPT = capture.__file__
LIST = "rt-tag --list-devices shows what there is"
START_S = 15.0  # seconds PortAudio may take to list its devices: a Pi with many is slow
END_S = 1.5
OPEN_S = 10.0  # seconds a device may take to open


class InputDevice(msgspec.Struct, frozen=True):
    """A device that can record.

    Args:
        index: PortAudio's number of it; changes when devices come and go.
        name: its name.
        api: host API: "ALSA", "JACK Audio Connection Kit", ...
        channels: the most it has.
        rate: its own rate in Hz.
        default: whether it is the one that is used when none is named.
    """

    index: int
    name: str
    api: str
    channels: int
    rate: int
    default: bool

    def label(self) -> str:
        """How it is named in messages."""
        return f"{self.index} {self.name} ({self.api})"


class Heard(msgspec.Struct, frozen=True):
    """A message of the running stream.

    Args:
        data: float32 samples, channels interleaved; empty for a heartbeat.
        dropped: frames lost directly before `data`.
        overflows: times since the start that the driver reported a loss of its own.
        when: `time.monotonic()` at which `data` was complete.
        active: False when PortAudio says that the stream has ended.
    """

    data: bytes
    dropped: int
    overflows: int
    when: float
    active: bool = True


class Recorder:
    """A capture process.

    Args:
        wake: a descriptor that ends all waiting when it becomes readable; -1 is none.

    Raises:
        AudioError: PortAudio is missing or does not start.
    """

    def __init__(self, wake: int = -1) -> None:
        # a session of its own: Ctrl-C is for us, and we end it
        self._process = subprocess.Popen(
            [sys.executable, "-P", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._ask = cast(IO[bytes], self._process.stdin)
        self._told = cast(IO[bytes], self._process.stdout)
        self._watch = [self._told.fileno()] + ([wake] if wake >= 0 else [])
        self._buffer = bytearray()
        try:
            table = self._json(START_S)
        except BaseException:
            self.end()
            raise
        self.devices = [InputDevice(**d) for d in table["devices"]]

    def open(
        self, device: InputDevice, rate: int, channels: int, block_s: float, *, exactly: bool
    ) -> tuple[int, int]:
        """Open a device and start it.

        Args:
            device: one of `devices`.
            rate: Hz.
            channels: how many to record.
            block_s: seconds of sound in a message.
            exactly: refuse another rate or channel count than asked for.

        Returns:
            The rate and the channels it really has.

        Raises:
            AudioError: it cannot be opened.
        """
        ask = {
            "index": device.index,
            "rate": rate,
            "channels": channels,
            "blocksize": max(1, round(block_s * rate)),
            "own_rate": device.rate,
            "most": device.channels,
            "exactly": exactly,
        }
        with contextlib.suppress(BrokenPipeError):  # then `_json` says why
            self._ask.write(json.dumps(ask).encode() + b"\n")
            self._ask.flush()
        opened = self._json(OPEN_S, device.name)
        return opened["rate"], opened["channels"]

    def next(self, timeout_s: float) -> Heard | None:
        """The next message, or None after `timeout_s` or when woken.

        Raises:
            StreamLost: the process is gone.
        """
        found = self._message(timeout_s)
        if found is None:
            return None
        kind, payload, dropped, overflows, when = found
        if kind == b"B":
            return Heard(b"", 0, overflows, when, payload == b"1")
        return Heard(payload, dropped, overflows, when)

    def end(self) -> None:
        """End the process, whatever state its driver is in. May take END_S."""
        with contextlib.suppress(OSError):  # an unsent line
            self._ask.close()
        self._told.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _json(self, timeout_s: float, name: str = "PortAudio") -> dict[str, Any]:
        """The next message, which is JSON; an error in it is raised."""
        try:
            found = self._message(timeout_s)
        except StreamLost as e:
            raise AudioError(f"{name}: the capture process ended", LIST) from e
        if found is None:
            raise AudioError(
                f"{name}: no answer within {timeout_s:.0f} seconds",
                "does the sound server hang? rt-tag --list-devices shows what there is",
            )
        what: dict[str, Any] = json.loads(found[1])
        if "error" in what:
            _refuse(name, what)
        return what

    def _message(self, timeout_s: float) -> tuple[bytes, bytes, int, int, float] | None:
        """Kind, payload, dropped, overflows and time of the next message."""
        until = time.monotonic() + timeout_s
        while True:
            if len(self._buffer) >= HEADER.size:
                kind, size, dropped, overflows, when = HEADER.unpack_from(self._buffer)
                if len(self._buffer) >= HEADER.size + size:
                    payload = bytes(self._buffer[HEADER.size : HEADER.size + size])
                    del self._buffer[: HEADER.size + size]
                    return kind, payload, dropped, overflows, when
            left = max(0.0, until - time.monotonic())
            ready, _, _ = select.select(self._watch, [], [], left)
            if ready != self._watch[:1]:  # woken, or too late
                return None
            data = os.read(self._watch[0], 1 << 16)
            if not data:
                raise StreamLost("the capture process ended")
            self._buffer += data


def _refuse(name: str, what: dict[str, Any]) -> NoReturn:
    """Raise the error that the capture process reported."""
    if what["kind"] == "portaudio":
        raise AudioError(
            f"sound devices need PortAudio: {what['error']}", "sudo apt install libportaudio2"
        )
    raise AudioError(
        f"{name}: cannot be opened: {what['error']}",
        "is another program using it? rt-tag --list-devices shows what there is",
    )
