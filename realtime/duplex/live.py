"""`LiveGate`: a gate between an input and an output device, and all that steers it.

For `run_live`, the panel and the control socket. The sound runs in a process of its own
(`pair.py`), thought in a thread of this one (`worker.py`); both are parts of `Running`. A
second thread minds them, the `Keeper`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from realtime.duplex import BLOCK
from realtime.duplex.events import LiveEvent, Started, taken
from realtime.duplex.history import History
from realtime.duplex.keeper import Keeper
from realtime.duplex.key import key_channels
from realtime.duplex.pair import Means
from realtime.duplex.prepare import KEPT_S, adjust
from realtime.duplex.running import Running
from realtime.duplex.state import LiveState
from realtime.errors import UsageError
from realtime.fields import check
from realtime.gate.settings import GATE, GateSettings
from realtime.outputs.gate import GateOutput
from realtime.runners import Runner
from realtime.sources.device import MOST_CHANNELS, RATES

BLOCKS = (16, 8192)  # samples
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
        stopping: whether it is to end.

    Raises:
        UsageError: options that make no sense.
    """

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
        self.settings = settings
        means = Means(
            device=device,
            output_device=output_device,
            rate=rate,
            block=block,
            channels=channels,
            output_channels=output_channels,
            environment=environment or {},
            compiled=compiled,
            key=settings.key,
            key_channels=key_channels(settings.key_channels),
        )
        self._switches = {"bypass": bypass, "mute": mute}
        self._events: queue.SimpleQueue[LiveEvent | None] = queue.SimpleQueue()
        self._tell = on_event or self._events.put
        self._lock = threading.Lock()  # of settings; no sound waits for it
        runner = None if settings.level else runner
        self._running = Running(runner, means, kept_s, outputs, self._tell)
        self._keeper = Keeper(self, self._running, self._tell, self._release)
        self.stopping = False
        self.started: Started | None = None

    def start(self) -> Started:
        """Open the devices and let sound run; what runs.

        Raises:
            DeviceNotFound: no device, or none or several of that name.
            AudioError: PortAudio is missing, or a device cannot be opened.
            UsageError: settings that the sound has no room for.
        """
        try:
            self._running.start(self.settings, self._switches)
            self.started = self._running.describe(self.settings)
        except BaseException:
            self._release()
            raise
        self._tell(self.started)
        self._keeper.start()
        return self.started

    def stop(self, wait: bool = True) -> None:
        """Fade out and end; from any thread, and without `wait` from a signal handler.

        `events` ends after the last event.
        """
        if not self.stopping:
            self.stopping = True
            self._running.stop()
        if wait and self._keeper.is_alive() and self._keeper is not threading.current_thread():
            self._keeper.join()

    def fade(self) -> None:
        """Let nothing through any more."""
        self.set(mute=True)

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
                adjust(self._running.memory, self.settings, **given)
                self._running.telling.notes.settings = self.settings
            if self._running.worker is not None:
                self._running.worker.steer(self.settings)

    def state(self) -> LiveState:
        """How things are; from any thread."""
        running = self._running
        worker = running.worker
        return running.meters.state(
            self.settings,
            score=worker.score if worker is not None else None,
            skipped=worker.skipped if worker is not None else 0,
            dropped=self._keeper.dropped,
            openings=running.telling.notes.openings,
            running=running.pair.pid != 0 and not self.stopping,
            joined=running.pair.opened.joined,
        )

    def events(self, timeout_s: float | None = None) -> Iterator[LiveEvent | None]:
        """Events as they come, until the end; None whenever `timeout_s` passed without one."""
        return taken(self._events, timeout_s)

    @property
    def pid(self) -> int:
        """Of the sound process; 0 if there is none just now."""
        return self._running.pair.pid

    @property
    def history(self) -> History:
        """What it heard and decided lately, once it runs."""
        return self._running.history

    @property
    def fault(self) -> BaseException | None:
        """What ended it, if it did not end because of `stop`."""
        return self._keeper.fault

    def _release(self) -> None:
        self.stopping = True
        self._events.put(None)
        self._running.release()


def _check(option: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{option} is {value}", f"use {low} to {high}")
