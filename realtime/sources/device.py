"""`DeviceSource`: a microphone or any other input device, live, also across its loss.

Opened by `open_source`. The stream itself runs in a process of its own (`capture.py` says
why); this side turns its messages into blocks, keeps the clock and notices when the device
goes:

- No sound for LOST_S, or a stream that PortAudio calls ended, is a loss. It is reported, and
  the device is looked for every RETRY_S by name, with PortAudio started anew, as long as it
  takes.
- The clock goes on through a loss: the first block after it stands where the wall clock is, and
  what was not heard counts as dropped. So times stay honest.
- Exact zeros for SILENT_S are a muted or dead microphone, reported once, and again when it
  sounds.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Iterator

import numpy as np

from realtime.errors import AudioError, StreamLost, UsageError
from realtime.sources import Audio, Block, DeviceChange
from realtime.sources.closing import Closing
from realtime.sources.listing import find_again, pick
from realtime.sources.recorder import Heard, InputDevice, Recorder

LOST_S = 2.0  # seconds without a sample
FIRST_S = 5.0  # for the first sample: the monitor of an idle PulseAudio sink takes two
RETRY_S = 1.0  # seconds between two looks for a lost device,
EAGER_S = 60.0  # in the first minute; starting PortAudio is work for a Pi, so then
LATE_RETRY_S = 5.0  # they are further apart
POLL_S = 0.5
SILENT_S = 3.0  # seconds of exact zeros; a working converter has noise
OPEN_TRIES = 3  # at the start only: a device just released by another program needs a moment
RATES = (8_000, 192_000)  # Hz
MOST_CHANNELS = 64

SAYS = {
    "silent": "%s: the microphone gives only zeros: is it muted?",
    "sounding": "%s: the microphone sounds again",
}

_log = logging.getLogger("rt.realtime.device")


class DeviceSource:
    """An input device.

    Args:
        device: index, name or unique part of a name; None for the default.
        rate: Hz to ask for; None for the device's own. One that it does not have falls back to
            its own, with a warning.
        channels: the most to record; None is 1. Hardware that cannot record so few gives more.
        block_s: seconds in a block.

    Raises:
        UsageError: a rate or channel count that makes no sense.
        DeviceNotFound: no device, or none or several of that name.
        AudioError: PortAudio is missing, or the device cannot be opened.
    """

    live = True

    def __init__(
        self,
        device: str | int | None = None,
        *,
        rate: int | None = None,
        channels: int | None = None,
        block_s: float = 0.05,
    ) -> None:
        if rate is not None and not RATES[0] <= rate <= RATES[1]:
            raise UsageError(f"--rate is {rate}", f"use {RATES[0]} to {RATES[1]} Hz")
        if channels is not None and not 1 <= channels <= MOST_CHANNELS:
            raise UsageError(f"--channels is {channels}", f"use 1 to {MOST_CHANNELS}")
        self.overflows = 0
        """Times that the driver said it lost something. It does not say how much."""
        self._block_s = block_s
        self._gone = False
        self._recorder: Recorder | None = None
        self._closing = Closing(self._end_recorder)
        try:
            self._device, self.rate, self.channels = self._open(device, rate, channels or 1)
        except BaseException:
            self._closing.release()
            raise
        self.name = self._device.name
        self._position = 0  # next sample
        self._last = time.monotonic()  # when the newest sample was heard
        self._silence = _Silence(self.rate)

    def blocks(self) -> Iterator[Block | DeviceChange]:
        """What is heard, and what becomes of the device, until `close`. Once only."""
        self._closing.reading = True
        try:
            while not self._closing.closed:
                yield from self._stream()
                if self._closing.closed:
                    return
                if not self._gone:
                    self._gone = True
                    _log.warning("%s: is lost; looking for it", self.name)
                    yield DeviceChange("lost", self.name, self._position)
                self._find_again()
        finally:
            self._closing.release()
            if self.overflows:
                _log.info("%s: the driver reported %d overflows", self.name, self.overflows)

    def close(self) -> None:
        """Stop `blocks`, also while it waits."""
        self._closing.close()

    def _open(
        self, wanted: str | int | None, rate: int | None, channels: int
    ) -> tuple[InputDevice, int, int]:
        """Open the device a person means; it, its rate and its channels."""
        for left in reversed(range(OPEN_TRIES)):
            self._recorder = Recorder(self._closing.fd)
            device = pick(self._recorder.devices, wanted)
            ask = rate or min(max(device.rate, RATES[0]), RATES[1])
            try:
                got, width = self._recorder.open(
                    device, ask, min(channels, device.channels), self._block_s, exactly=False
                )
            except AudioError:
                if not left:
                    raise
                self._recorder.end()
                self._pause()
                continue
            if got != ask:
                _log.warning("%s: has no %d Hz; using %d Hz", device.name, ask, got)
            return device, got, width
        raise AssertionError("the last try raises")

    def _stream(self) -> Iterator[Block | DeviceChange]:
        """Blocks until the device is lost or `close`."""
        patient_until = time.monotonic() + max(FIRST_S, LOST_S)
        overflows = 0
        while not self._closing.closed and self._recorder is not None:
            try:
                heard = self._recorder.next(POLL_S)
            except StreamLost:
                return
            now = time.monotonic()
            if heard is not None:
                self.overflows += heard.overflows - overflows
                overflows = heard.overflows
                if not heard.active:
                    return
                if heard.data:
                    patient_until = now + LOST_S
                    yield from self._hear(heard)
            if now > patient_until:
                return

    def _hear(self, heard: Heard) -> Iterator[Block | DeviceChange]:
        """A message as a block, and what it says about the device."""
        audio = np.frombuffer(heard.data, np.float32).reshape(-1, self.channels)
        dropped = heard.dropped
        if self._gone:
            since = round((heard.when - self._last) * self.rate) - len(audio)
            dropped = max(0, since)
        start = self._position + dropped
        if self._gone:
            self._gone = False
            _log.warning("%s: is back", self.name)
            yield DeviceChange("back", self.name, start)
        change = self._silence.hear(audio)
        if change:
            _log.warning(SAYS[change], self.name)
            yield DeviceChange(change, self.name, start)
        self._position = start + len(audio)
        self._last = heard.when
        yield Block(audio=audio, position=start, dropped=dropped)

    def _find_again(self) -> None:
        """Look for the lost device, with PortAudio started anew each time, until it opens."""
        began = time.monotonic()
        self._silence = _Silence(self.rate)
        while not self._closing.closed:
            self._end_recorder()
            self._pause(RETRY_S if time.monotonic() - began < EAGER_S else LATE_RETRY_S)
            if self._closing.closed:
                return
            try:
                self._recorder = Recorder(self._closing.fd)
                device = find_again(self._recorder.devices, self._device)
                if device is not None:
                    self._recorder.open(
                        device, self.rate, self.channels, self._block_s, exactly=True
                    )
                    return
            except AudioError as e:
                _log.debug("%s: still lost: %s", self.name, e)

    def _pause(self, seconds: float = RETRY_S) -> None:
        """Wait, or less when closed."""
        select.select([self._closing.fd], [], [], seconds)

    def _end_recorder(self) -> None:
        if self._recorder is not None:
            self._recorder.end()
            self._recorder = None


class _Silence:
    """Watches for a microphone that gives only zeros.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self._enough = SILENT_S * rate
        self._zeros = 0  # frames in a row
        self._silent = False

    def hear(self, audio: Audio) -> str:
        """What these samples change: "silent", "sounding" or nothing."""
        if audio.any():
            self._zeros = 0
            if self._silent:
                self._silent = False
                return "sounding"
            return ""
        self._zeros += len(audio)
        if self._silent or self._zeros < self._enough:
            return ""
        self._silent = True
        return "silent"
