"""`Pair`: the input and the output of a live gate, and the sound process that has them open.

Used by `live.py`. A pair opens the devices that a person means; later it opens the same ones
again, by their names, and says whether they still give and take sound: no sound for LOST_S, or
a stream that PortAudio calls ended, is a loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from realtime.duplex import layout as at
from realtime.duplex.devices import SoundDevice, again, pick_input, pick_pair, share_clock
from realtime.duplex.key import Key, KeyChannels
from realtime.duplex.layout import Memory
from realtime.duplex.process import Opened, SoundProcess, Wanted
from realtime.errors import UsageError
from realtime.sources.device import FIRST_S, LOST_S, MOST_CHANNELS, RATES

SERVER_LATENCY_S = 0.04  # least buffer behind ALSA's names for sound servers


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What a person means by input and output; the fields are arguments of `LiveGate`."""

    device: str | int | None
    output_device: str | int | Sequence[str] | None
    rate: int | None
    block: int
    channels: int | None
    output_channels: int | None
    environment: dict[str, str]
    compiled: bool
    key: str = ""
    key_channels: KeyChannels | None = None


class Pair:
    """Two devices.

    Args:
        memory: to share with the sound process.
        wake: an eventfd that it writes to when the worker wants it.
        stop: a descriptor that ends all waiting when it becomes readable.
        means: which devices, and how to open them.
        on_compile: called when a compiler is at work; that takes long once.

    Attributes:
        source: the input,
        sink: and the output, once they are open.
        opened: how.
        key: where the sound that decides comes from, as far as that is known here.
        key_source: the device of a key that has one of its own, or None.
        moved: when there last was sound, by `time.monotonic`.
    """

    source: SoundDevice
    sink: SoundDevice
    opened: Opened
    key: Key
    key_source: SoundDevice | None

    def __init__(
        self,
        memory: Memory,
        wake: int,
        stop: int,
        means: Means,
        on_compile: Callable[[], None],
    ) -> None:
        self._memory, self._wake, self._stop = memory, wake, stop
        self._means = means
        self._on_compile = on_compile
        self._process: SoundProcess | None = None
        self.moved = self._began = 0.0
        self._place = (0, 0)

    @property
    def pid(self) -> int:
        """Of the sound process; 0 if there is none just now."""
        process = self._process
        return process.pid if process is not None else 0

    def open(self) -> Opened:
        """Open the devices that are meant; they do not run yet.

        Raises:
            DeviceNotFound: no device, or none or several of that name.
            AudioError: PortAudio is missing, or a device cannot be opened.
            UsageError: a key that is the sound itself, or has not the channels.
        """
        self._process = SoundProcess(self._memory, self._wake, self._stop)
        means = self._means
        found = pick_pair(self._process.devices, means.device, means.output_device)
        self.source, self.sink = found
        self._choose_key(self._process.devices)
        own = min(max(self.source.rate, RATES[0]), RATES[1])
        rates = list(dict.fromkeys((means.rate or own, own)))
        self.opened = self._open(rates, [self.sink.rate], self._widths(), exactly=False)
        return self.opened

    def open_again(self) -> bool:
        """Open the same devices in the same way, if they are there.

        Raises:
            AudioError: they do not open.
        """
        self._process = SoundProcess(self._memory, self._wake, self._stop)
        devices = self._process.devices
        source, sink = again(devices, self.source), again(devices, self.sink)
        if source is None or sink is None:
            return False
        self.source, self.sink = source, sink
        was = self.opened
        widths = [was.width], [was.outputs]
        return self._open([was.rate], [was.rate_out], widths, exactly=True) == was

    def start(self) -> None:
        """Let the sound run; the memory is prepared.

        Raises:
            AudioError: it does not.
        """
        assert self._process is not None
        self._process.start()
        self.moved = self._began = time.monotonic()
        self._place = self._progress()

    def runs(self) -> bool:
        """Whether there is a sound process."""
        return self._process is not None and self._process.alive()

    def is_lost(self) -> bool:
        """Whether a stream ended, or gives or takes no sound."""
        if not self.runs():
            return True
        now, place = time.monotonic(), self._progress()
        ended = not self._memory.ints[at.ACTIVE]
        stands = place[0] == self._place[0] or (
            not self.opened.joined and place[1] == self._place[1]
        )
        if not stands:
            self.moved, self._place = now, place
            return ended
        patience = FIRST_S if self.moved == self._began else LOST_S
        return now - self.moved > patience or ended

    def lost(self) -> SoundDevice:
        """The device that was lost, as far as one can tell."""
        heard = self._place[0] != self._memory.ints[at.WRITTEN]
        return self.sink if heard and not self.opened.joined else self.source

    def end(self) -> None:
        """End the sound process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _choose_key(self, devices: Sequence[SoundDevice]) -> None:
        """Find out what decides: the sound, other channels of it, or another device."""
        means, wanted = self._means, self._means.key_channels
        self.key, self.key_source, self._gated = Key(), None, 0
        if not means.key and wanted is None:
            return
        if means.key:
            found = pick_input(devices, means.key)
            if found.index != self.source.index:
                self.key, self.key_source = Key(at.APART), found
                return
        if wanted is None:
            raise UsageError(
                f"--key {means.key} is the input itself",
                "name the channels that decide: --key-channels 3-4",
            )
        if wanted.end > self.source.inputs:
            raise UsageError(
                f"--key-channels {wanted}: {self.source.name} has {self.source.inputs}",
                "name channels that there are",
            )
        self.key = Key(at.BESIDE, wanted.first, wanted.count)
        before = wanted.first or self.source.inputs
        self._gated = min(means.channels or min(2, before), self.source.inputs)

    def _progress(self) -> tuple[int, int]:
        return self._memory.ints[at.WRITTEN], self._memory.ints[at.PULLS]

    def _open(
        self,
        rates: list[int],
        rates_out: list[int],
        widths: tuple[list[int], list[int]],
        *,
        exactly: bool,
    ) -> Opened:
        assert self._process is not None
        source, sink = self.source, self.sink
        server = not all("(hw:" in d.name for d in (source, sink) if d.api == "ALSA")
        return self._process.open(
            Wanted(source.index, source.name, rates, widths[0], self._gated),
            Wanted(sink.index, sink.name, rates_out, widths[1]),
            block=self._means.block,
            latency_s=SERVER_LATENCY_S if server else 0.0,
            joined=share_clock(source, sink),
            exactly=exactly,
            compiled=self._means.compiled,
            environment=self._means.environment,
            on_compile=self._on_compile,
        )

    def _widths(self) -> tuple[list[int], list[int]]:
        """Channel counts to try: of the input, and of the output with 0 for as many."""
        most_in = min(self.source.inputs, MOST_CHANNELS)
        most_out = min(self.sink.outputs, MOST_CHANNELS)
        first_in = self._gated or min(self._means.channels or 2, most_in)
        heard = dict.fromkeys((first_in, min(2, most_in), most_in))
        if self._gated:
            heard = dict.fromkeys((max(first_in, self.key.first + self.key.channels), most_in))
        first_out = min(self._means.output_channels or 0, most_out)
        played = [first_out, min(2, most_out), most_out]
        if not first_out and most_out < first_in:
            played = played[1:]
        return list(heard), list(dict.fromkeys(played))
