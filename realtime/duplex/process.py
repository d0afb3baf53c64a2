"""`SoundProcess`: our end of the sound process. See `realtime.duplex.sound` for the protocol.

Used by `live.py`. One process opens one input and one output; for another try, end it and start
a new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any, NoReturn, cast

import msgspec

from realtime.duplex.devices import LIST, SoundDevice
from realtime.duplex.layout import Memory
from realtime.errors import AudioError, StreamLost

START_S = 15.0  # seconds PortAudio may take to list its devices: a Pi with many is slow
OPEN_S = 15.0  # seconds that the devices may take to open
CACHED_S = 8.0  # seconds to read what was compiled before
COMPILE_S = 300.0  # seconds that compiling may take: once, on the slowest
END_S = 1.5
QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads that nobody needs


class Wanted(msgspec.Struct, frozen=True):
    """One end of what to open.

    Args:
        index: of the device.
        name: for messages.
        rates: Hz, the ones to try, best first; an output first tries the input's.
        channels: likewise; of an output 0 stands for as many as are gated.
        gated: channels of an input that are gated, the first ones; 0 is all.
    """

    index: int
    name: str
    rates: list[int]
    channels: list[int]
    gated: int = 0


class Opened(msgspec.Struct, frozen=True):
    """What was opened.

    Args:
        rate: Hz of the input.
        rate_out: of the output.
        channels: of the input, those that are gated.
        width: of the input's stream.
        outputs: channels of the output.
        joined: one stream, one clock.
        compiled: the callbacks are compiled.
    """

    rate: int
    rate_out: int
    channels: int
    width: int
    outputs: int
    joined: bool
    compiled: bool


class SoundProcess:
    """A sound process.

    Args:
        memory: to share with it.
        wake: an eventfd that it writes to when the worker wants it.
        stop: a descriptor that ends all waiting when it becomes readable; -1 is none.
        part: word at which its part of the memory begins.

    Raises:
        AudioError: PortAudio is missing or does not start.
    """

    def __init__(self, memory: Memory, wake: int, stop: int = -1, part: int = 0) -> None:
        # a session of its own: Ctrl-C is for us, and we end it
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "realtime.duplex.sound"),
                *(str(memory.descriptor), str(wake), str(part)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(memory.descriptor, wake),
            env=os.environ | QUIET,
            start_new_session=True,
        )
        self._ask = cast(IO[bytes], self._process.stdin)
        self._told = cast(IO[bytes], self._process.stdout)
        self._watch = [self._told.fileno()] + ([stop] if stop >= 0 else [])
        self._buffer = b""
        self._name = "PortAudio"
        try:
            self.devices = [SoundDevice(**d) for d in self._line(START_S)["devices"]]
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def open(
        self,
        source: Wanted,
        sink: Wanted | None,
        *,
        block: int,
        latency_s: float,
        joined: bool,
        exactly: bool,
        compiled: bool = True,
        environment: dict[str, str] | None = None,
        on_compile: Callable[[], None] = lambda: None,
    ) -> Opened:
        """Open the devices; they do not run yet.

        Args:
            source: what to hear.
            sink: what to play to; None for a key, which is only heard.
            block: samples that the drivers should hand on at a time.
            latency_s: the least that a driver may buffer, seconds.
            joined: one stream for both, if that opens.
            exactly: nothing else but that.
            compiled: let the callbacks be compiled, if numba is installed.
            environment: variables for the output's sound server.
            on_compile: called when a compiler is at work; that takes long once.

        Raises:
            AudioError: they cannot be opened.
        """
        self._name = source.name
        self._tell(
            source=msgspec.to_builtins(source),
            sink=None if sink is None else msgspec.to_builtins(sink),
            block=block,
            latency_s=latency_s,
            joined=joined,
            exactly=exactly,
            compiled=compiled,
            environment=environment or {},
        )
        while "compiling" in (found := self._line(OPEN_S)):
            if found["compiling"]:
                self._compiled(on_compile)
        return Opened(**found)

    def start(self) -> None:
        """Let the sound run; the memory is prepared.

        Raises:
            AudioError: it does not.
        """
        self._tell(go=True)
        self._line(OPEN_S)

    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process, whatever state its driver is in. May take END_S."""
        with contextlib.suppress(OSError):
            self._ask.close()
        self._told.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, **what: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # then `_line` says why
            self._ask.write(json.dumps(what).encode() + b"\n")
            self._ask.flush()

    def _compiled(self, on_compile: Callable[[], None]) -> None:
        """Wait until something is compiled."""
        try:
            self._line(CACHED_S)
        except _Late:
            on_compile()
            self._line(COMPILE_S)

    def _line(self, timeout_s: float) -> dict[str, Any]:
        """The next line; an error in it is raised."""
        until = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            left = max(0.0, until - time.monotonic())
            ready = select.select(self._watch, [], [], left)[0]
            if ready != self._watch[:1]:
                if len(ready) and ready[-1] in self._watch[1:]:
                    raise StreamLost(f"{self._name}: stopped while it was opened")
                raise _Late(
                    f"{self._name}: no answer within {timeout_s:.0f} seconds",
                    f"does the sound server hang? {LIST}",
                )
            data = os.read(self._watch[0], 1 << 16)
            if not data:
                raise AudioError(f"{self._name}: the sound process ended", LIST)
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        what: dict[str, Any] = json.loads(line)
        if "error" in what:
            _refuse(what, self._name)
        return what


class _Late(AudioError):  # noqa: N818  says what happened
    """No line came in time."""


def _refuse(what: dict[str, Any], name: str) -> NoReturn:
    """Raise the error that the sound process reported."""
    if what["kind"] == "portaudio":
        raise AudioError(
            f"sound devices need PortAudio: {what['error']}", "sudo apt install libportaudio2"
        )
    raise AudioError(
        f"{what['device'] or name}: cannot be opened: {what['error']}",
        f"is another program using it? {LIST}",
    )
