"""`LiveGate`: a gate between an input and an output device, and all that steers it.

For `run_live`, the panel and the control socket. The sound runs in a process of its own,
thought in a thread of this one. A second thread keeps both: it reads what the sound path
noted, tells it as events, and starts the sound process anew when a device was lost.

- No sound for LOST_S, or a stream that PortAudio calls ended, is a loss. The devices are
  looked for by name, with PortAudio started anew, as long as it takes.
- The clock goes on through a loss: sound begins again where the wall clock is, and what was
  not heard counts as dropped.
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
from realtime.duplex.devices import again, pick_pair, share_clock
from realtime.duplex.events import Ended, Latency, LiveEvent, Overload, Started
from realtime.duplex.history import History
from realtime.duplex.layout import Memory
from realtime.duplex.notes import Notes
from realtime.duplex.prepare import KEPT_S, adjust, begin_at, latency_ms, prepare
from realtime.duplex.process import CACHED_S, Opened, SoundProcess, Wanted
from realtime.duplex.record import Record, opening_of
from realtime.duplex.state import LiveState, Meters
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
    FIRST_S,
    LATE_RETRY_S,
    LOST_S,
    MOST_CHANNELS,
    OPEN_TRIES,
    RATES,
    RETRY_S,
)

BLOCKS = (16, 8192)  # samples
KEEP_S = 0.05  # seconds between two looks at the notes
JOINT_S = 2.0  # for the joint of two clocks to find its reserve
SAME_MS, SAME = 2.0, 0.1  # two times of it are told apart if they differ by more, or by a tenth
FADE_S = 0.02  # for the sound to fade out at the end
SERVER_LATENCY_S = 0.04  # least buffer behind ALSA's names for sound servers
STEERED = (  # settings that may change while it runs
    *("threshold", "hysteresis", "hold_ms", "attack_ms", "release_ms", "range_db"),
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
        self._wanted = (device, output_device)
        self._rate, self._block = rate, block
        self._channels, self._outputs = channels, output_channels
        self._environment = environment or {}
        self._compiled = compiled
        self._switches = {"bypass": bypass, "mute": mute}
        self._kept_s = kept_s
        self._told = outputs
        self._events: queue.SimpleQueue[LiveEvent | None] = queue.SimpleQueue()
        self._tell = on_event or self._events.put
        self._lock = threading.Lock()  # of settings; no sound waits for it
        self._memory = Memory()
        self._wake = os.eventfd(0)
        self._stop_out, self._stop_in = os.pipe()
        self._process: SoundProcess | None = None
        self._worker: Worker | None = None
        self._keeper: threading.Thread | None = None
        self._stopping = False
        self._dropped = 0
        self._latency_ms = self._told_at = 0.0
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
            opened = self._start_first()
        except BaseException:
            self._release()
            raise
        for output in self._told:
            model = self._runner.card.name if self._runner is not None else ""
            name, rate, wide = self._source.name, opened.rate, opened.channels
            output.open(opening_of(self.settings, name, model, rate, wide))
        self._wait_for_joint()
        self.started = Started(
            t=0.0,
            input=self._source.name,
            output=self._sink.name,
            rate=opened.rate,
            rate_out=opened.rate_out,
            channels=opened.channels,
            output_channels=opened.outputs,
            block=self._block,
            lookahead_ms=1000.0 * self._memory.ints[at.LOOKAHEAD] / opened.rate,
            latency_ms=self._latency_ms,
            clocks=1 if opened.joined else 2,
            compiled=opened.compiled,
        )
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
                self._notes.settings = self.settings
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
            openings=self._notes.openings,
            running=self._process is not None and not self._stopping,
            joined=self._opened.joined,
        )

    def events(self, timeout_s: float | None = None) -> Iterator[LiveEvent | None]:
        """Events as they come, until the end; None whenever `timeout_s` passed without one."""
        while True:
            try:
                event = self._events.get(timeout=timeout_s)
            except queue.Empty:
                yield None
                continue
            if event is None:
                return
            yield event

    @property
    def pid(self) -> int:
        """Of the sound process; 0 if there is none just now."""
        process = self._process
        return process.pid if process is not None else 0

    # --- devices ------------------------------------------------------------------------------

    def _start_first(self) -> Opened:
        """Open the devices that a person means, and let sound run.

        What fails is tried again in a new process: a device may be busy just now, and a driver
        or a sound server may hang.
        """
        for left in reversed(range(OPEN_TRIES)):
            try:
                return self._try_to_start()
            except (DeviceNotFound, StreamLost):
                raise
            except AudioError as e:
                if not left:
                    raise
                log.debug("trying again: %s", e)
            self._end_process()
            if self._worker is not None:
                self._worker.stop()
            self._pause(RETRY_S)
        raise AssertionError("the last try raises")

    def _try_to_start(self) -> Opened:
        self._process = SoundProcess(self._memory, self._wake, self._stop_out)
        self._source, self._sink = pick_pair(self._process.devices, *self._wanted)
        opened = self._opened = self._open(self._rates(), self._widths(), exactly=False)
        check_fit(self.settings, opened.rate, opened.channels, opened.channels)
        prepare(self._memory, self.settings, opened, self._block, self._kept_s)
        begin_at(self._memory, 0)
        adjust(self._memory, self.settings, **self._switches)
        self._memory.floats[at.DRY] = float(self._switches["bypass"])
        self._memory.floats[at.TRIM] = float(not self._switches["mute"])
        if self._runner is not None:
            self._worker = self._make_worker(self._runner, opened.compiled)
        self._notes = Notes(self._memory, self.settings, self._worker)
        self._meters = Meters(self._memory)
        self.history = History(self._memory, self._worker)
        self._record = None
        if self._told:
            self._record = Record(self._memory, self.settings, self._worker, self._told)
        self._let_run()
        if self._rate is not None and opened.rate != self._rate:
            log.warning(
                "%s: has no %d Hz; using %d Hz", self._source.name, self._rate, opened.rate
            )
        return opened

    def _make_worker(self, runner: Runner, compiled: bool) -> Worker:
        patience = threading.Timer(CACHED_S, self._say_compiling)
        patience.daemon = True
        patience.start()
        try:
            return Worker(self._memory, self._wake, self.settings, runner, compiled)
        finally:
            patience.cancel()

    @staticmethod
    def _say_compiling() -> None:
        log.warning("preparing the compiled gate; the first start takes longest")

    def _open(
        self, rates: list[int], widths: tuple[list[int], list[int]], *, exactly: bool
    ) -> Opened:
        assert self._process is not None
        source, sink = self._source, self._sink
        joined = share_clock(source, sink)
        own = [sink.rate] if not exactly else [self._opened.rate_out]
        server = not all("(hw:" in d.name for d in (source, sink) if d.api == "ALSA")
        return self._process.open(
            Wanted(source.index, source.name, rates, widths[0]),
            Wanted(sink.index, sink.name, own, widths[1]),
            block=self._block,
            latency_s=SERVER_LATENCY_S if server else 0.0,
            joined=joined,
            exactly=exactly,
            compiled=self._compiled,
            environment=self._environment,
            on_compile=self._say_compiling,
        )

    def _rates(self) -> list[int]:
        own = min(max(self._source.rate, RATES[0]), RATES[1])
        return list(dict.fromkeys((self._rate or own, own)))

    def _widths(self) -> tuple[list[int], list[int]]:
        """Channel counts to try: of the input, and of the output with 0 for as many."""
        most_in = min(self._source.inputs, MOST_CHANNELS)
        most_out = min(self._sink.outputs, MOST_CHANNELS)
        first_in = min(self._channels or 2, most_in)
        heard = dict.fromkeys((first_in, min(2, most_in), most_in))
        first_out = min(self._outputs or 0, most_out)
        played = [first_out, min(2, most_out), most_out]
        if not first_out and most_out < first_in:
            played = played[1:]
        return list(heard), list(dict.fromkeys(played))

    def _let_run(self) -> None:
        assert self._process is not None
        if self._worker is not None:
            self._worker.begin()
            if not self._worker.is_alive():
                self._worker.start()
            else:
                os.eventfd_write(self._wake, 1)
        self._process.start()
        self._moved = self._began = time.monotonic()
        self._place = self._progress()

    def _wait_for_joint(self) -> None:
        """Until what two clocks need is known, as far as it is to begin with."""
        until = time.monotonic() + JOINT_S
        while not self._opened.joined and not self._stopping and time.monotonic() < until:
            self._pause(KEEP_S)
        self._latency_ms = latency_ms(self._memory, self._opened.joined)
        self._told_at = time.monotonic()

    # --- the keeper ---------------------------------------------------------------------------

    def _keep(self) -> None:
        """Tell what happens, and mind the devices, until `stop`."""
        try:
            while not self._stopping:
                self._pause(KEEP_S)
                self._tell_notes()
                self._tell_latency()
                if self._is_lost():
                    self._find_again()
        except BaseException as e:
            self.fault = e
            log.exception("the gate failed")
        finally:
            self._finish()

    def _tell_notes(self, last: bool = False) -> None:
        written = self._memory.ints[at.WRITTEN]
        at.fence()
        events = self._notes.read()
        if self._record is not None:
            self._record.look(written, events, last)
        for event in events:
            if isinstance(event, Overload):
                log.warning(
                    "decisions are late: the level gate serves"
                    if event.state == "begin"
                    else "decisions are in time again"
                )
            self._tell(event)

    def _tell_latency(self) -> None:
        """Say what two clocks take, when it has changed."""
        if self._opened.joined or time.monotonic() < self._told_at + JOINT_S:
            return
        now = latency_ms(self._memory, False)
        if abs(now - self._latency_ms) > max(SAME_MS, SAME * self._latency_ms):
            self._latency_ms, self._told_at = now, time.monotonic()
            log.info("the gate now adds %.1f ms", now)
            self._tell(
                Latency(latency_ms=now, t=self._memory.ints[at.WRITTEN] / self._opened.rate)
            )

    def _progress(self) -> tuple[int, int]:
        return self._memory.ints[at.WRITTEN], self._memory.ints[at.PULLS]

    def _is_lost(self) -> bool:
        """Whether a stream ended, or gives or takes no sound."""
        if self._process is None or not self._process.alive():
            return not self._stopping
        now, place = time.monotonic(), self._progress()
        stands = place[0] == self._place[0] or (
            not self._opened.joined and place[1] == self._place[1]
        )
        if not stands:
            self._moved, self._place = now, place
            return not self._memory.ints[at.ACTIVE]
        patience = FIRST_S if self._moved == self._began else LOST_S
        return now - self._moved > patience or not self._memory.ints[at.ACTIVE]

    def _find_again(self) -> None:
        """Look for the lost devices until they open; then go on where the wall clock is."""
        ints, rate = self._memory.ints, self._opened.rate
        lost_at = ints[at.WRITTEN]
        sink_stands = not self._opened.joined and self._place[0] != lost_at
        name = self._sink.name if sink_stands else self._source.name
        log.warning("%s: is lost; looking for it", name)
        self._tell(DeviceEvent(state="lost", name=name, t=lost_at / rate))
        last, began = self._moved, time.monotonic()
        while not self._stopping:
            self._end_process()
            self._tell_notes()
            self._pause(RETRY_S if time.monotonic() - began < EAGER_S else LATE_RETRY_S)
            if self._stopping:
                return
            try:
                if self._open_again():
                    gone = max(0, round((time.monotonic() - last) * rate))
                    begin_at(self._memory, lost_at + gone)
                    if self._record is not None:
                        self._record.miss()
                    self._let_run()
                    break
            except RtError as e:
                log.debug("%s: still lost: %s", name, e)
        else:
            return
        self._dropped += gone
        t = (lost_at + gone) / rate
        log.warning("%s: is back", name)
        self._tell(DeviceEvent(state="back", name=name, t=t))
        self._tell(Dropped(t=t, frames=gone))

    def _open_again(self) -> bool:
        """Open the same devices in the same way, if they are there."""
        self._process = SoundProcess(self._memory, self._wake, self._stop_out)
        devices = self._process.devices
        source, sink = again(devices, self._source), again(devices, self._sink)
        if source is None or sink is None:
            return False
        self._source, self._sink = source, sink
        was = self._opened
        opened = self._open([was.rate], ([was.channels], [was.outputs]), exactly=True)
        return opened == was

    def _finish(self) -> None:
        """Fade out, end everything, tell the counts."""
        if self._process is not None and self._process.alive():
            self.set(mute=True)
            time.sleep(FADE_S + self._memory.ints[at.SLACK] / self._opened.rate)
        if self._worker is not None:
            self._worker.stop()
        self._end_process()
        if self.fault is None:
            self._end_outputs()
        state = self.state()
        counts = {f: getattr(state, f) for f in Ended.__struct_fields__}
        self._tell(Ended(**counts))
        self._events.put(None)
        self._release()

    def _end_outputs(self) -> None:
        try:
            self._tell_notes(last=True)
            for output in self._told:
                output.end(self._record.t if self._record is not None else 0.0)
        except BaseException as e:  # a full disk; the run ends as it would have
            self.fault = e

    def _pause(self, seconds: float) -> None:
        """Wait, or less when stopped."""
        select.select([self._stop_out], [], [], seconds)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _release(self) -> None:
        self._stopping = True
        self._end_process()
        if self._worker is not None and self._worker.is_alive():
            self._worker.stop()
        self._memory.close()
        for name in ("_wake", "_stop_out", "_stop_in"):
            with contextlib.suppress(OSError):
                os.close(getattr(self, name))
            setattr(self, name, -1)


def _check(option: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{option} is {value}", f"use {low} to {high}")
