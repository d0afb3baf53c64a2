"""`Running`: the parts of a live gate that run: devices, worker, key, what tells of them.

Used by `live.py`, which people talk to, and by `keeper.py`, which minds it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from collections.abc import Callable, Mapping, Sequence

from realtime.duplex import layout as at
from realtime.duplex.events import LiveEvent, Started
from realtime.duplex.history import History
from realtime.duplex.key_device import KeyDevice
from realtime.duplex.layout import Memory
from realtime.duplex.pair import Means, Pair
from realtime.duplex.prepare import adjust, begin_at, prepare
from realtime.duplex.process import CACHED_S
from realtime.duplex.record import opening_of
from realtime.duplex.state import Meters
from realtime.duplex.telling import JOINT_S, Telling
from realtime.duplex.thought import warm
from realtime.duplex.worker import Worker
from realtime.errors import AudioError, DeviceNotFound, StreamLost
from realtime.gate.settings import GateSettings
from realtime.gate.stream import check_fit
from realtime.outputs.gate import GateOutput
from realtime.runners import Runner
from realtime.sources.device import OPEN_TRIES, RETRY_S

log = logging.getLogger("rt.realtime.duplex")


class Running:
    """The parts.

    Args:
        runner: the model, opened; None is the level gate alone.
        means: which devices, and how to open them.
        kept_s: seconds of input that `history` keeps, if there is room for them.
        outputs: the trace and the picture.
        tell: takes the events.

    Attributes:
        memory: shared with the sound process.
        pair: the devices.
        worker: who decides; None for the level gate alone.
        meters, history, telling: what is known of it, once it runs.
    """

    meters: Meters
    history: History
    telling: Telling

    def __init__(
        self,
        runner: Runner | None,
        means: Means,
        kept_s: float,
        outputs: Sequence[GateOutput],
        tell: Callable[[LiveEvent], None],
    ) -> None:
        self._runner, self._means, self._kept_s = runner, means, kept_s
        self._outputs, self._tell = outputs, tell
        self.memory = Memory()
        self._wake = os.eventfd(0)
        self._stop_out, self._stop_in = os.pipe()
        self.pair = Pair(self.memory, self._wake, self._stop_out, means, _say_compiling)
        self.worker: Worker | None = None
        self._key: KeyDevice | None = None

    def start(self, settings: GateSettings, switches: Mapping[str, bool]) -> None:
        """Open the devices that a person means, and let sound run.

        What fails is tried again in a new process: a device may be busy just now, and a driver
        or a sound server may hang.

        Args:
            settings: the gate's.
            switches: "bypass" and "mute".

        Raises:
            DeviceNotFound: no device, or none or several of that name.
            AudioError: PortAudio is missing, or a device cannot be opened.
            UsageError: settings that the sound has no room for.
        """
        if self._runner is not None and self._means.compiled:
            arguments = (self.memory, self._runner)
            threading.Thread(target=warm, args=arguments, daemon=True).start()
        for left in reversed(range(OPEN_TRIES)):
            try:
                self._try_to_start(settings, switches)
                return
            except (DeviceNotFound, StreamLost):
                raise
            except AudioError as e:
                if not left:
                    raise
                log.debug("trying again: %s", e)
            self._end()
            self.pause(RETRY_S)

    def _try_to_start(self, settings: GateSettings, switches: Mapping[str, bool]) -> None:
        opened, memory = self.pair.open(), self.memory
        key = self.pair.key
        if self.pair.key_source is not None:
            self._key = KeyDevice(
                *(memory, self._wake, self._stop_out, self._means, self.pair.key_source),
                *(self._tell, _say_compiling),
            )
            key = self._key.open(opened.rate)
        check_fit(settings, opened.rate, opened.channels, key.channels or opened.channels)
        prepare(memory, settings, opened, self._means.block, self._kept_s, key)
        begin_at(memory, 0)
        adjust(memory, settings, **switches)
        memory.floats[at.DRY] = float(switches["bypass"])
        memory.floats[at.TRIM] = float(not switches["mute"])
        if self._runner is not None:
            self.worker = self._make_worker(settings, self._runner, opened.compiled)
        self.meters = Meters(memory)
        self.history = History(memory, self.worker)
        self.telling = Telling(
            *(memory, settings, self.worker, opened.joined),
            *(self._outputs, self._tell),
        )
        self.let_run()
        wanted = self._means.rate
        if wanted is not None and opened.rate != wanted:
            name = self.pair.source.name
            log.warning("%s: has no %d Hz; using %d Hz", name, wanted, opened.rate)

    def _make_worker(self, settings: GateSettings, runner: Runner, compiled: bool) -> Worker:
        patience = threading.Timer(CACHED_S, _say_compiling)
        patience.daemon = True
        patience.start()
        try:
            return Worker(self.memory, self._wake, settings, runner, compiled)
        finally:
            patience.cancel()

    def let_run(self) -> None:
        """Let the sound run, and decide on it; the key too, if it does not run yet."""
        if self.worker is not None:
            self.worker.begin()
            if not self.worker.is_alive():
                self.worker.start()
            else:
                os.eventfd_write(self._wake, 1)
        self.pair.start()
        if self._key is not None and not self._key.runs:
            self._key.start()

    def describe(self, settings: GateSettings) -> Started:
        """What runs, and what it adds: where two clocks meet, measured. The outputs open."""
        pair, opened = self.pair, self.pair.opened
        model = self._runner.card.name if self._runner is not None else ""
        opening = opening_of(settings, pair.source.name, model, opened.rate, opened.channels)
        for output in self._outputs:
            output.open(opening)
        if not opened.joined:
            self.pause(JOINT_S)
        return Started(
            t=0.0,
            input=pair.source.name,
            output=pair.sink.name,
            rate=opened.rate,
            rate_out=opened.rate_out,
            channels=opened.channels,
            output_channels=opened.outputs,
            block=self._means.block,
            lookahead_ms=1000.0 * self.memory.ints[at.LOOKAHEAD] / opened.rate,
            latency_ms=self.telling.measure(),
            clocks=1 if opened.joined else 2,
            compiled=opened.compiled,
            key=self.key_name,
        )

    @property
    def key_name(self) -> str:
        """What decides, if it is not the sound itself."""
        if self._key is not None:
            return self._key.name
        if self.pair.key.kind == at.BESIDE:
            return f"{self.pair.source.name}, {self._means.key_channels}"
        return ""

    def stop(self) -> None:
        """End all waiting; from any thread, and from a signal handler."""
        os.write(self._stop_in, b"x")

    def pause(self, seconds: float) -> None:
        """Wait, or less when stopped."""
        select.select([self._stop_out], [], [], seconds)

    def end(self) -> None:
        """No sound runs any more, and nobody decides."""
        if self.worker is not None and self.worker.is_alive():
            self.worker.stop()
        self.pair.end()
        if self._key is not None:
            self.stop()
            self._key.join()
            self._key.end()

    def release(self) -> None:
        """Give everything back."""
        self.end()
        self.memory.close()
        for name in ("_wake", "_stop_out", "_stop_in"):
            with contextlib.suppress(OSError):
                os.close(getattr(self, name))
            setattr(self, name, -1)

    def _end(self) -> None:
        """End what a start that failed has begun."""
        self.pair.end()
        if self._key is not None:
            self._key.end()
        if self.worker is not None:
            self.worker.stop()


def _say_compiling() -> None:
    log.warning("preparing the compiled gate; the first start takes longest")
