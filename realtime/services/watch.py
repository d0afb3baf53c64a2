"""`Watch`: notices what goes wrong while nobody looks, and tells outputs, log and systemd.

It stands on both sides of the engine: `over(source)` sees sound come in and how long the engine
waited for it; as an `Output` it hands results on to the real outputs and adds events of its
own, all in the engine's thread.

- **Pace.** Sound that was there before it was asked for is a backlog. A block that had to be
  waited for shows where the newest sound stands against the wall clock; how much later than
  that a block comes is how far behind decisions are.
- **Clock.** The same blocks, over minutes, show a device whose clock runs at another speed
  than the computer's, or that loses samples without saying so.
- **Hang.** The engine does not come back from a block, or a device that is not lost gives
  none. systemd is then not told that we are alive, and starts
  us anew.

The microphone's own troubles (lost, found, silent) are noticed by `sources.device`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from realtime.outputs import Clock, DeviceEvent, Event, Opening, Output, Pace, Reading
from realtime.services.systemd import Notifier
from realtime.sources import Block, DeviceChange, Source

WAITED_S = 0.002  # a block for which the engine waited so long was not there before
BEHIND_S = 2.0  # late by so much is behind; a device keeps ten seconds
CAUGHT_UP_S = 0.5
JUMP_S = 1.0  # a block that comes so late although it was waited for
JUMPS = 3  # of which so many make it the rule
BUCKET_S = 30.0  # of which the earliest block counts: schedulers are late, never early
BUCKETS = 40
SURE = 10  # buckets before a drift is said: 5 minutes
DRIFT_PPM = 1000.0  # 3.6 s an hour; crystals are within 100, a clock being set within 500
STEADY_PPM = 500.0
HANG_S = 30.0

log = logging.getLogger("rt.realtime.watch")


class Watch:
    """Between one source and the outputs.

    Args:
        outputs: the real ones.
        notifier: systemd, or nobody.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outputs = outputs
        self._notifier = notifier or Notifier({})
        self._clock = clock
        self._device = self._lost = self._behind = self._drifting = False
        self._waiting_since: float | None = None
        self._working_since: float | None = None
        self._hung = False
        self._starts = 0
        self._told: deque[Event] = deque()
        self._forget()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        if self._notifier.watchdog_s:
            self._thread = threading.Thread(target=self._beat, name="watchdog", daemon=True)
            self._thread.start()

    # --- before the engine ----------------------------------------------------------------

    def over(self, source: Source, *, device: bool) -> Source:
        """A source that is watched.

        Args:
            source: the real one.
            device: it is to give sound without end; a pipe may pause.
        """
        self._device = device
        self._lost = self._behind = self._drifting = False
        self._forget()
        return _Watched(source, self)

    def asked(self) -> None:
        """The engine asks for a block."""
        self._working_since, self._waiting_since = None, self._clock()

    def arrived(self, item: Block | DeviceChange, rate: int) -> None:
        """The engine gets one."""
        now = self._clock()
        waited = now - (self._waiting_since if self._waiting_since is not None else now)
        self._waiting_since, self._working_since = None, now
        if isinstance(item, DeviceChange):
            if item.state in ("lost", "back"):
                self._lost = item.state == "lost"
                self._forget()
        elif self._device:
            end = (item.position + len(item.audio)) / rate
            self._judge(now - end, waited >= WAITED_S, now, end)

    def left(self) -> None:
        """No source is being read."""
        self._waiting_since = self._working_since = None

    # --- after it -------------------------------------------------------------------------

    def open(self, opening: Opening) -> None:
        """A new input starts; for systemd this is being ready."""
        for output in self._outputs:
            output.open(opening)
        self._notifier.ready()
        self._notifier.status(f"hears {opening.source}")

    def reading(self, reading: Reading) -> None:
        """Hand on, then tell what was noticed."""
        for output in self._outputs:
            output.reading(reading)
        while self._told:
            self._send(self._told.popleft())

    def event(self, event: Event) -> None:
        """Hand on."""
        if isinstance(event, DeviceEvent):
            self._notifier.status(f"{event.name} is {event.state}")
        self._send(event)

    def end(self, t: float) -> None:
        """Hand on."""
        for output in self._outputs:
            output.end(t)

    def close(self, complete: bool) -> None:
        """Stop watching. The real outputs are closed by who made them."""
        self._done.set()
        self._notifier.stopping()

    # --- judgement ------------------------------------------------------------------------

    def _send(self, event: Event) -> None:
        for output in self._outputs:
            output.event(event)

    def _forget(self) -> None:
        """Start to compare the clocks anew."""
        self._newest: float | None = None  # wall clock less sound, of a block just heard
        self._jumps = 0
        self._buckets: deque[tuple[float, float]] = deque(maxlen=BUCKETS)

    def _judge(self, offset: float, fresh: bool, now: float, end: float) -> None:
        """One block: how late it is, and what it says about the clocks.

        Args:
            offset: wall clock less sound.
            fresh: the engine had to wait for it.
            now: wall clock.
            end: end of the block, seconds of sound.
        """
        newest = offset if self._newest is None else self._newest
        late = offset - newest
        if fresh and late >= JUMP_S:
            # this process was stopped while it waited, and old sound comes first; or the device
            # paused, and then the next blocks have to be waited for as well
            self._jumps += 1
        if late < 0 or (fresh and (late < JUMP_S or self._jumps >= JUMPS)):
            newest, late, self._jumps = offset, 0.0, 0
            self._compare(offset, now, end)
        self._newest = newest
        if not self._behind and late > BEHIND_S and not fresh:
            self._behind = True
            log.warning("decisions are %.1f s behind the sound", late)
            self._told.append(Pace(state="behind", seconds=late, t=end))
        elif self._behind and late < CAUGHT_UP_S:
            self._behind = False
            log.warning("decisions keep up with the sound again")
            self._told.append(Pace(state="keeping up", seconds=late, t=end))

    def _compare(self, offset: float, now: float, end: float) -> None:
        buckets = self._buckets
        if buckets and now - buckets[-1][0] < BUCKET_S:
            buckets[-1] = (buckets[-1][0], min(buckets[-1][1], offset))
            return
        if len(buckets) >= SURE:
            (first, low), (last, high) = buckets[0], buckets[-1]
            ppm = 1e6 * (high - low) / (last - first)
            if not self._drifting and abs(ppm) > DRIFT_PPM:
                self._drifting = True
                log.warning(
                    "the device's clock is off by %.0f ppm, or it loses sound silently",
                    ppm,
                )
                self._told.append(Clock(state="drifting", ppm=ppm, t=end))
            elif self._drifting and abs(ppm) < STEADY_PPM:
                self._drifting = False
                log.warning("the device's clock is steady again")
                self._told.append(Clock(state="steady", ppm=ppm, t=end))
        buckets.append((now, offset))

    # --- systemd --------------------------------------------------------------------------

    def stuck(self) -> str:
        """What hangs, or nothing."""
        now, working, waiting = self._clock(), self._working_since, self._waiting_since
        if working is not None and now - working > HANG_S:
            return f"no decision for {now - working:.0f} s"
        if self._device and not self._lost and waiting is not None and now - waiting > HANG_S:
            return f"no sound for {now - waiting:.0f} s"
        return ""

    def _beat(self) -> None:
        """Say that we are alive, while we are. In a thread of its own."""
        while not self._done.wait(self._notifier.watchdog_s / 3):
            why = self.stuck()
            if not why:
                self._notifier.alive()
            elif not self._hung:
                log.error("%s: systemd will start this program anew", why)
            self._hung = bool(why)


class _Watched:
    """A source whose blocks pass by a watch."""

    def __init__(self, source: Source, watch: Watch) -> None:
        self._source, self._watch = source, watch
        self.name, self.rate = source.name, source.rate
        self.channels, self.live = source.channels, source.live

    def blocks(self) -> Iterator[Block | DeviceChange]:
        """The source's blocks."""
        watch = self._watch
        try:
            watch.asked()
            for item in self._source.blocks():
                watch.arrived(item, self.rate)
                yield item
                watch.asked()
        finally:
            watch.left()

    def close(self) -> None:
        """Close the source."""
        self._source.close()
