"""`KeyDevice`: a key with a device of its own, in its own process, and a thread that minds it.

Used by `running.py`. The device has its own clock and rate; what it gives goes through a joint
in the second part of the shared memory (`joint.py`), and the input's callback pulls it. While
the device is lost, the input's own sound decides. The gated sound never waits for any of this.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable

import msgspec

from realtime.duplex import layout as at
from realtime.duplex.devices import SoundDevice, again
from realtime.duplex.key import Key, prepare_joint
from realtime.duplex.layout import Memory
from realtime.duplex.pair import SERVER_LATENCY_S, Means
from realtime.duplex.process import Opened, SoundProcess, Wanted
from realtime.errors import AudioError, UsageError
from realtime.outputs import DeviceEvent
from realtime.sources.device import (
    EAGER_S,
    FIRST_S,
    LATE_RETRY_S,
    LOST_S,
    MOST_CHANNELS,
    RATES,
    RETRY_S,
)

LOOK_S = 0.1  # seconds between two looks whether it gives sound

log = logging.getLogger("rt.realtime.duplex")


class KeyDevice:
    """A device whose sound decides.

    Args:
        memory: shared with both processes.
        wake: an eventfd, which it never writes to.
        stop: a descriptor that ends all waiting when it becomes readable.
        means: how to open it, and which channels.
        source: which device.
        tell: takes the events of its loss and return.
        on_compile: called when a compiler is at work.
    """

    def __init__(
        self,
        memory: Memory,
        wake: int,
        stop: int,
        means: Means,
        source: SoundDevice,
        tell: Callable[[DeviceEvent], None],
        on_compile: Callable[[], None],
    ) -> None:
        self._memory, self._wake, self._stop = memory, wake, stop
        self._means, self._tell, self._on_compile = means, tell, on_compile
        self._source = msgspec.structs.replace(source, outputs=0)
        self._process: SoundProcess | None = None
        self._opened: Opened | None = None
        self._thread = threading.Thread(target=self._mind, name="gate key", daemon=True)

    @property
    def runs(self) -> bool:
        """Whether it has been started; its own thread minds it since."""
        return self._thread.is_alive()

    @property
    def name(self) -> str:
        """Of the device."""
        return self._source.name

    def open(self, rate: int) -> Key:
        """Open it; it does not run yet.

        Args:
            rate: Hz of the input, to which it comes.

        Returns:
            Which of its channels decide.

        Raises:
            AudioError: it does not open.
            UsageError: it has not the channels that are meant.
        """
        wanted, most = self._means.key_channels, min(self._source.inputs, MOST_CHANNELS)
        if wanted is not None and wanted.end > most:
            raise UsageError(
                f"--key-channels {wanted}: {self.name} has {most}",
                "name channels that there are",
            )
        least = wanted.end if wanted is not None else min(2, most)
        own = min(max(self._source.rate, RATES[0]), RATES[1])
        rates = list(dict.fromkeys((own, rate)))
        opened = self._opened = self._open(rates, list(dict.fromkeys((least, most))))
        first = wanted.first if wanted is not None else 0
        count = wanted.count if wanted is not None else min(2, opened.width)
        ints = self._memory.ints[at.OTHER :]
        ints[at.WIDTH], ints[at.KEY_FIRST] = opened.width, first
        prepare_joint(self._memory, opened.rate, rate, count, at.OTHER)
        return Key(at.APART, 0, count)

    def start(self) -> None:
        """Let it run, and mind it from now on.

        Raises:
            AudioError: it does not run.
        """
        self._run()
        self._thread.start()

    def end(self) -> None:
        """End its process."""
        self._memory.ints[at.KEYED] = 0
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def join(self) -> None:
        """Wait for the thread; the stop descriptor is readable."""
        if self._thread.is_alive():
            self._thread.join()

    def _open(self, rates: list[int], widths: list[int]) -> Opened:
        self._process = SoundProcess(self._memory, self._wake, self._stop, at.OTHER)
        source = again(self._process.devices, self._source)
        if source is None:
            raise AudioError(f"{self.name}: is not there any more")
        server = source.api == "ALSA" and "(hw:" not in source.name
        return self._process.open(
            Wanted(source.index, source.name, rates, widths),
            None,
            block=self._means.block,
            latency_s=SERVER_LATENCY_S if server else 0.0,
            joined=False,
            exactly=False,
            compiled=self._means.compiled,
            on_compile=self._on_compile,
        )

    def _run(self) -> None:
        assert self._process is not None
        self._process.start()
        self._memory.ints[at.KEYED] = 1
        self._moved = self._began = time.monotonic()
        self._place = self._memory.ints[at.OTHER + at.PUSHED]

    def _mind(self) -> None:
        """See whether it gives sound; look for it when it does not; until the stop."""
        try:
            while not self._pause(LOOK_S):
                if self._is_lost():
                    self._find_again()
        except Exception:
            log.exception("the key's device is given up: the input's own sound decides")
        finally:
            self.end()

    def _is_lost(self) -> bool:
        if self._process is None or not self._process.alive():
            return True
        ints, now = self._memory.ints, time.monotonic()
        if ints[at.OTHER + at.PUSHED] != self._place:
            self._place, self._moved = ints[at.OTHER + at.PUSHED], now
            return not ints[at.OTHER + at.ACTIVE]
        patience = FIRST_S if self._moved == self._began else LOST_S
        return now - self._moved > patience or not ints[at.OTHER + at.ACTIVE]

    def _find_again(self) -> None:
        log.warning("%s: is lost; the input's own sound decides until it is back", self.name)
        self.end()
        self._say("lost")
        began = time.monotonic()
        while True:
            eager = time.monotonic() - began < EAGER_S
            if self._pause(RETRY_S if eager else LATE_RETRY_S):
                return
            try:
                was = self._opened
                assert was is not None
                if self._open([was.rate], [was.width]) == was:
                    self._run()
                    break
            except AudioError as e:
                log.debug("%s: still lost: %s", self.name, e)
            self.end()
        log.warning("%s: is back; it decides", self.name)
        self._say("back")

    def _say(self, state: str) -> None:
        ints = self._memory.ints
        t = ints[at.WRITTEN] / ints[at.RATE]
        self._tell(DeviceEvent(state=state, name=self.name, t=t))

    def _pause(self, seconds: float) -> bool:
        """Wait, or less when stopped; whether it is."""
        return bool(select.select([self._stop], [], [], seconds)[0])
