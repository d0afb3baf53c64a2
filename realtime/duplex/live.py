"""`LiveGate`: a gate between an input and an output device, and all that steers it.

For `run_live`, the panel and the control socket. The sound runs in a process of its own
(`pair.py`), thought in a thread of this one (`worker.py`). A second thread keeps both: it tells
what there is to tell (`telling.py`), and starts the sound process anew when a device was lost.

Lost devices are looked for by name, with PortAudio started anew, as long as it takes. The clock
goes on meanwhile: sound begins again where the wall clock is, and what was not heard counts as
dropped.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from realtime.duplex import BLOCK
from realtime.duplex import layout as at
from realtime.duplex.events import Ended, LiveEvent, Started, taken
from realtime.duplex.history import History
from realtime.duplex.layout import Memory
from realtime.duplex.pair import Means, Pair
from realtime.duplex.prepare import KEPT_S, adjust, begin_at, prepare
from realtime.duplex.process import CACHED_S
from realtime.duplex.record import opening_of
from realtime.duplex.state import LiveState, Meters
from realtime.duplex.telling import JOINT_S, Telling
from realtime.duplex.thought import warm
from realtime.duplex.worker import Worker
from realtime.errors import AudioError, DeviceNotFound, RtError, StreamLost, UsageError
from realtime.fields import check
from realtime.gate.settings import GATE, GateSettings
from realtime.gate.stream import check_fit
from realtime.outputs import DeviceEvent, Dropped
from realtime.outputs.gate import GateOutput
from realtime.runners import Runner
from realtime.sources.device import (
    EAGER_S,
    LATE_RETRY_S,
    MOST_CHANNELS,
    OPEN_TRIES,
    RATES,
    RETRY_S,
)

BLOCKS = (16, 8192)  # samples
KEEP_S = 0.05  # seconds between two looks at the notes
FADE_S = 0.02  # for the sound to fade out at the end
STEERED = (  # settings that may change while it runs
    *(
        "threshold",
        "hysteresis",
        "confirm_score",
        "hold_ms",
        "attack_ms",
        "release_ms",
        "range_db",
    ),
    *("threshold_db", "close_db", "duck", "listen"),
)

log = logging.getLogger("rt.realtime.duplex")


class LiveGate:
    """A live gate.

    Args:
        settings: the gate, with the card's values filled in.
        runner: the model, opened; None is the level gate alone.
        device: input: index, name or unique part of a name; None for the default.
        output_device: output, likewise; or names, of which the first that is there is meant.
        rate: Hz; None for the input's own.
        block: samples that the output waits for a decision, and that drivers are asked for.
        channels: input channels; None for as many as there are, up to two.
        output_channels: None for as many as the input has.
        environment: variables for the output's sound server.
        compiled: let the sound path be compiled, if numba is installed.
        bypass: begin with everything let through,
        mute: or nothing.
        kept_s: seconds of input that `history` keeps, if there is room for them.
        outputs: the trace and the picture; the caller closes them.
        on_event: called with each event, from a thread of the gate's; None keeps them for
            `events`.

    Attributes:
        settings: those in force.
        started: what runs, once it does.
        fault: what ended it, if it did not end because of `stop`.
        history: what it heard and decided lately, once it runs.

    Raises:
        UsageError: options that make no sense.
    """

    history: History

    def __init__(
        self,
        settings: GateSettings,
        runner: Runner | None = None,
        *,
        device: str | int | None = None,
        output_device: str | int | Sequence[str] | None = None,
        rate: int | None = None,
        block: int = BLOCK,
        channels: int | None = None,
        output_channels: int | None = None,
        environment: dict[str, str] | None = None,
        compiled: bool = True,
        bypass: bool = False,
        mute: bool = False,
        kept_s: float = KEPT_S,
        outputs: Sequence[GateOutput] = (),
        on_event: Callable[[LiveEvent], None] | None = None,
    ) -> None:
        _check("--block", block, *BLOCKS)
        _check("--rate", rate, *RATES)
        _check("--channels", channels, 1, MOST_CHANNELS)
        _check("--output-channels", output_channels, 1, MOST_CHANNELS)
        if runner is None and not settings.level:
            raise ValueError("the learned gate needs a model")
        if settings.key:
            raise UsageError(
                f"--key {settings.key}: live sound is its own key",
                "leave --key out; --key-highpass and --key-lowpass filter it",
            )
        self.settings = settings
        self._runner = None if settings.level else runner
        self._means = Means(
            device=device,
            output_device=output_device,
            rate=rate,
            block=block,
            channels=channels,
            output_channels=output_channels,
            environment=environment or {},
            compiled=compiled,
        )
        self._switches = {"bypass": bypass, "mute": mute}
        self._kept_s = kept_s
        self._outputs = outputs
        self._events: queue.SimpleQueue[LiveEvent | None] = queue.SimpleQueue()
        self._tell = on_event or self._events.put
        self._lock = threading.Lock()  # of settings; no sound waits for it
        self._memory = Memory()
        self._wake = os.eventfd(0)
        self._stop_out, self._stop_in = os.pipe()
        self._pair = Pair(self._memory, self._wake, self._stop_out, self._means, _say_compiling)
        self._worker: Worker | None = None
        self._keeper: threading.Thread | None = None
        self._stopping = False
        self._dropped = 0
        self.started: Started | None = None
        self.fault: BaseException | None = None

    def start(self) -> Started:
        """Open the devices and let sound run; what runs.

        Raises:
            DeviceNotFound: no device, or none or several of that name.
            AudioError: PortAudio is missing, or a device cannot be opened.
            UsageError: settings that the sound has no room for.
        """
        try:
            self._start_first()
            self.started = self._describe()
        except BaseException:
            self._release()
            raise
        self._tell(self.started)
        self._keeper = threading.Thread(target=self._keep, name="gate keeper", daemon=True)
        self._keeper.start()
        return self.started

    def stop(self, wait: bool = True) -> None:
        """Fade out and end; from any thread, and without `wait` from a signal handler.

        `events` ends after the last event.
        """
        if not self._stopping:
            self._stopping = True
            os.write(self._stop_in, b"x")
        if wait and self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join()

    def set(
        self, *, bypass: bool | None = None, mute: bool | None = None, **settings: Any
    ) -> None:
        """Change settings while it runs, without a click; from any thread.

        Args:
            bypass: let everything through, as it is.
            mute: let nothing through.
            settings: fields of `GateSettings`, of those in `STEERED`.

        Raises:
            UsageError: another setting, or a value out of range. Nothing is changed then.
        """
        for name, value in settings.items():
            if name not in STEERED:
                raise UsageError(f"{name} cannot change while sound runs", "start it anew")
            settings[name] = check(name, value, name, GATE)
        switches = {"bypass": bypass, "mute": mute}
        with self._lock:
            self.settings = msgspec.structs.replace(self.settings, **settings)
            given = {name: value for name, value in switches.items() if value is not None}
            self._switches |= given
            if self.started is not None:
                adjust(self._memory, self.settings, **given)
                self._telling.notes.settings = self.settings
            if self._worker is not None:
                self._worker.steer(self.settings)

    def state(self) -> LiveState:
        """How things are; from any thread."""
        worker = self._worker
        return self._meters.state(
            self.settings,
            score=worker.score if worker is not None else None,
            skipped=worker.skipped if worker is not None else 0,
            dropped=self._dropped,
            openings=self._telling.notes.openings,
            running=self._pair.pid != 0 and not self._stopping,
            joined=self._pair.opened.joined,
        )

    def events(self, timeout_s: float | None = None) -> Iterator[LiveEvent | None]:
        """Events as they come, until the end; None whenever `timeout_s` passed without one."""
        return taken(self._events, timeout_s)

    @property
    def pid(self) -> int:
        """Of the sound process; 0 if there is none just now."""
        return self._pair.pid

    # --- the start ----------------------------------------------------------------------------

    def _start_first(self) -> None:
        """Open the devices that a person means, and let sound run.

        What fails is tried again in a new process: a device may be busy just now, and a driver
        or a sound server may hang.
        """
        if self._runner is not None and self._means.compiled:
            arguments = (self._memory, self._runner)
            threading.Thread(target=warm, args=arguments, daemon=True).start()
        for left in reversed(range(OPEN_TRIES)):
            try:
                self._try_to_start()
                return
            except (DeviceNotFound, StreamLost):
                raise
            except AudioError as e:
                if not left:
                    raise
                log.debug("trying again: %s", e)
            self._pair.end()
            if self._worker is not None:
                self._worker.stop()
            self._pause(RETRY_S)

    def _try_to_start(self) -> None:
        opened, memory = self._pair.open(), self._memory
        check_fit(self.settings, opened.rate, opened.channels, opened.channels)
        prepare(memory, self.settings, opened, self._means.block, self._kept_s)
        begin_at(memory, 0)
        adjust(memory, self.settings, **self._switches)
        memory.floats[at.DRY] = float(self._switches["bypass"])
        memory.floats[at.TRIM] = float(not self._switches["mute"])
        if self._runner is not None:
            self._worker = self._make_worker(self._runner, opened.compiled)
        self._meters = Meters(memory)
        self.history = History(memory, self._worker)
        self._telling = Telling(
            *(memory, self.settings, self._worker, opened.joined),
            *(self._outputs, self._tell),
        )
        self._let_run()
        wanted = self._means.rate
        if wanted is not None and opened.rate != wanted:
            name = self._pair.source.name
            log.warning("%s: has no %d Hz; using %d Hz", name, wanted, opened.rate)

    def _make_worker(self, runner: Runner, compiled: bool) -> Worker:
        patience = threading.Timer(CACHED_S, _say_compiling)
        patience.daemon = True
        patience.start()
        try:
            return Worker(self._memory, self._wake, self.settings, runner, compiled)
        finally:
            patience.cancel()

    def _let_run(self) -> None:
        if self._worker is not None:
            self._worker.begin()
            if not self._worker.is_alive():
                self._worker.start()
            else:
                os.eventfd_write(self._wake, 1)
        self._pair.start()

    def _describe(self) -> Started:
        """What runs, and what it adds: where two clocks meet, measured."""
        pair, opened = self._pair, self._pair.opened
        model = self._runner.card.name if self._runner is not None else ""
        opening = opening_of(
            self.settings, pair.source.name, model, opened.rate, opened.channels
        )
        for output in self._outputs:
            output.open(opening)
        if not opened.joined:
            self._pause(JOINT_S)
        return Started(
            t=0.0,
            input=pair.source.name,
            output=pair.sink.name,
            rate=opened.rate,
            rate_out=opened.rate_out,
            channels=opened.channels,
            output_channels=opened.outputs,
            block=self._means.block,
            lookahead_ms=1000.0 * self._memory.ints[at.LOOKAHEAD] / opened.rate,
            latency_ms=self._telling.measure(),
            clocks=1 if opened.joined else 2,
            compiled=opened.compiled,
        )

    # --- the keeper ---------------------------------------------------------------------------

    def _keep(self) -> None:
        """Tell what happens, and mind the devices, until `stop`."""
        try:
            while not self._stopping:
                self._pause(KEEP_S)
                self._telling.look()
                if self._pair.is_lost() and not self._stopping:
                    self._find_again()
        except RtError as e:  # a disk is full
            self.fault = e
        except BaseException as e:
            self.fault = e
            log.exception("the gate failed")
        finally:
            try:
                self._finish()
            finally:
                self._events.put(None)
                self._release()

    def _find_again(self) -> None:
        """Look for the lost devices until they open; then go on where the wall clock is."""
        ints, rate = self._memory.ints, self._pair.opened.rate
        lost_at, name = ints[at.WRITTEN], self._pair.lost().name
        log.warning("%s: is lost; looking for it", name)
        self._tell(DeviceEvent(state="lost", name=name, t=lost_at / rate))
        last, began = self._pair.moved, time.monotonic()
        while True:
            self._pair.end()
            self._telling.look()
            self._pause(RETRY_S if time.monotonic() - began < EAGER_S else LATE_RETRY_S)
            if self._stopping:
                return
            try:
                if self._pair.open_again():
                    gone = max(0, round((time.monotonic() - last) * rate))
                    begin_at(self._memory, lost_at + gone)
                    self._telling.miss()
                    self._let_run()
                    break
            except AudioError as e:
                log.debug("%s: still lost: %s", name, e)
        self._dropped += gone
        t = (lost_at + gone) / rate
        log.warning("%s: is back", name)
        self._tell(DeviceEvent(state="back", name=name, t=t))
        self._tell(Dropped(t=t, frames=gone))

    def _finish(self) -> None:
        """Fade out, end everything, tell the counts."""
        if self._pair.runs():
            self.set(mute=True)
            time.sleep(FADE_S + self._memory.ints[at.SLACK] / self._pair.opened.rate)
        if self._worker is not None:
            self._worker.stop()
        self._pair.end()
        try:
            if self.fault is None:
                self._telling.end()
        except RtError as e:
            self.fault = e
        state = self.state()
        counts = {f: getattr(state, f) for f in Ended.__struct_fields__}
        self._tell(Ended(**counts))

    def _pause(self, seconds: float) -> None:
        """Wait, or less when stopped."""
        select.select([self._stop_out], [], [], seconds)

    def _release(self) -> None:
        self._stopping = True
        self._pair.end()
        if self._worker is not None and self._worker.is_alive():
            self._worker.stop()
        self._memory.close()
        for name in ("_wake", "_stop_out", "_stop_in"):
            with contextlib.suppress(OSError):
                os.close(getattr(self, name))
            setattr(self, name, -1)


def _say_compiling() -> None:
    log.warning("preparing the compiled gate; the first start takes longest")


def _check(option: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{option} is {value}", f"use {low} to {high}")
