"""The page: how sound becomes events. `Engine.run` reads a source to its end.

    source ─▶ mono ─▶ resample ─▶ hops ─▶ front end ─▶ window ─▶ runner ─▶ decider ─▶ outputs
    blocks    one      card's     one      frames      rolls     scores    starts,
    at its    channel  rate       decision  of a hop    by a hop            stops
    own rate

A wav file, a pipe and a microphone walk the same path; a file gives the same events each time.

**Time** is samples at the model's rate since the input's first sample, seconds only in what
goes to outputs. It is the input's own clock: where samples were lost it jumps with them. A
decision stands at the end of its window; nothing later had been heard.

**The ends of an input.** Before the first sample there is silence: windows are full from the
start, the first decision comes after one hop, and a clip of one window's length has been seen
exactly once as a whole. After the last sample come hops of silence until no window holds more
than one hop of sound, so a word at the very end, or one shorter than the window, is still
decided; what is decided there stands at the end of the input, never after it, and gives no
readings except one that completes the last hop.

**Lost samples.** A gap no longer than the window is filled with silence. A longer one, and
the loss of a device, ends a stretch of sound as the end of the input does (open events stop),
and the next begins as the input did.

**Threads.** All of this runs in the caller's thread, in hops. A device is recorded by a process
of its own (`sources.capture`), whose callback only queues samples and never waits; if this
thread falls behind, the queue overruns, the source counts what was lost, and it comes out as
`Dropped`.
`Engine.stop` may be called from a signal handler or another thread.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.card import Decision
from realtime.decide import Change, Decider
from realtime.errors import AudioError
from realtime.outputs import DeviceEvent, Dropped, Event, Opening, Output, Reading, Start, Stop
from realtime.report import Report
from realtime.resample import StreamResampler
from realtime.runners import Runner
from realtime.sources import Block, DeviceChange, Source
from realtime.window import Window, level_db

Array = NDArray[np.float32]

LOUDEST = 1e6  # beyond, a float sample is no sound; integer-scaled files stay under
TIMED_HOPS = 4096  # hops whose durations are kept for the report

log = logging.getLogger("rt.realtime.engine")


class Engine:
    """A model, a decider and outputs, ready for one source after another.

    Args:
        runner: the model.
        outputs: who takes the results. The engine opens and ends inputs on them; the caller
            closes them.
        decision: in place of the card's.
        thresholds: label to threshold, over the card's.
        hop_s: seconds between decisions, in place of the card's.

    Raises:
        UsageError: `hop_s` does not fit the model.
    """

    def __init__(
        self,
        runner: Runner,
        outputs: Sequence[Output] = (),
        *,
        decision: Decision | None = None,
        thresholds: Mapping[str, float] | None = None,
        hop_s: float | None = None,
    ) -> None:
        self.runner = runner
        self.card = runner.card
        self.outputs = outputs
        self.decider = Decider(self.card, decision, thresholds)
        self._window = Window(self.card, hop_s)
        self._source: Source | None = None
        self._stopped = False

    def run(self, source: Source) -> Report:
        """Read a source to its end, or until `stop`.

        Raises:
            AudioError: the source failed; what it gave before has been heard to its end.
            OutputError: an output failed.
        """
        self._source = source
        self._begin(source)
        fault: AudioError | None = None
        try:
            if self._stopped:
                source.close()
            for block in source.blocks():
                began = time.perf_counter()
                if isinstance(block, DeviceChange):
                    self._change_device(block)
                else:
                    self._mind_the_gap(block)
                    self._hear(self._resampler.process(self._mono(block.audio)))
                self._report.busy_s += time.perf_counter() - began
        except AudioError as e:
            fault = e
        except BaseException:
            source.close()
            raise
        began = time.perf_counter()
        self._end_stretch()
        self._report.busy_s += time.perf_counter() - began
        self._source = None
        report = self._finish_report()
        for output in self.outputs:
            output.end(report.seconds)
        if fault is not None:
            raise fault
        return report

    def stop(self) -> None:
        """End the input soon, as if it were over, and every later one; from any thread."""
        self._stopped = True
        source = self._source
        if source is not None:
            source.close()

    # --- one input ------------------------------------------------------------------------

    def _begin(self, source: Source) -> None:
        self._rate = source.rate
        self._cpu_began = time.process_time()
        self._report = Report(source=source.name, hop_s=self._window.hop / self.card.rate)
        self._durations: deque[float] = deque(maxlen=TIMED_HOPS)
        self._expected = 0  # next sample of the source
        self._waiting: deque[tuple[int, Event]] = deque()  # kept until decisions reach them
        opening = Opening(
            source=source.name,
            model=self.card.name,
            labels=self.card.labels,
            thresholds=self.decider.thresholds,
            background=self.decider.decision.background,
            rate=self.card.rate,
            hop_s=self._report.hop_s,
            live=source.live,
            input_rate=source.rate,
        )
        for output in self.outputs:
            output.open(opening)
        self._begin_stretch(0)

    def _begin_stretch(self, position: int) -> None:
        """Start hearing at a position of the source, after silence."""
        self._resampler = StreamResampler(self._rate, self.card.rate)  # or as they are
        self._expected = position
        self._origin = self._at_card_rate(position)
        self._heard = 0  # samples of this stretch in decided hops
        self._hop = np.empty(self._window.hop, np.float32)
        self._fill = 0
        self._fresh = True
        self._window.reset()
        self.runner.reset()
        self.decider.reset()

    def _end_stretch(self) -> None:
        """Give the last samples their decisions, with silence after them; stop what is open."""
        if self._fresh:
            self._release(self._origin)
            return
        self._hear(self._resampler.flush())
        end = self._origin + self._heard + self._fill
        if self._fill:
            short = self._fill
            self._hop[short:] = 0.0
            self._decide(self._hop, end, shown=short)
        for _ in range(self._window.tail_hops):
            self._decide(np.zeros(self._window.hop, np.float32), end, shown=0)
        self._emit(self.decider.finish(end))
        self._release(end)
        self._fresh = True

    # --- sound ----------------------------------------------------------------------------

    def _mono(self, audio: Array) -> Array:
        """Mean of the channels, without NaN and Inf: [samples, channels] to [samples]."""
        self._expected += len(audio)
        if not len(audio):
            return np.zeros(0, np.float32)
        # max passes NaN on, so one comparison finds all three
        if not float(np.abs(audio).max()) <= LOUDEST:
            bad = ~(np.abs(audio) <= LOUDEST)
            if not self._report.cleaned:
                log.warning(
                    "%s: samples that are NaN, infinite or beyond all sound, the first at "
                    "%.3f s; they are taken as silence",
                    self._report.source,
                    (self._expected - len(audio) + int(bad.any(axis=1).argmax())) / self._rate,
                )
            self._report.cleaned += int(bad.sum())
            audio = np.where(bad, np.float32(0), audio)
        if audio.shape[1] == 1:
            return np.ascontiguousarray(audio[:, 0], dtype=np.float32)
        mean: Array = audio.mean(axis=1, dtype=np.float32)
        return mean

    def _mind_the_gap(self, block: Block) -> None:
        """Keep the input's clock where samples were lost."""
        gap = block.position - self._expected
        lost = block.dropped or max(gap, 0)
        if lost:
            self._report.dropped += lost
            self._wait(block.position, Dropped(t=block.position / self._rate, frames=lost))
        if gap <= 0:
            return
        if gap <= self._window.seconds * self._rate and not self._fresh:
            self._hear(self._resampler.process(np.zeros(gap, np.float32)))
            self._expected += gap
        else:
            self._end_stretch()
            self._begin_stretch(block.position)

    def _change_device(self, change: DeviceChange) -> None:
        event = DeviceEvent(
            state=change.state, name=change.name, t=change.position / self._rate
        )
        self._wait(change.position, event)
        if change.state == "lost":
            self._end_stretch()
            self._begin_stretch(change.position)
        elif self._fresh:
            self._release(self._at_card_rate(change.position))

    # --- decisions ------------------------------------------------------------------------

    def _hear(self, audio: Array) -> None:
        """Cut sound at the model's rate into hops, and decide on each that is full."""
        if len(audio):
            self._fresh = False
        while len(audio):
            took = min(len(audio), self._window.hop - self._fill)
            self._hop[self._fill : self._fill + took] = audio[:took]
            self._fill += took
            audio = audio[took:]
            if self._fill == self._window.hop:
                self._heard += self._fill
                self._fill = 0
                self._decide(self._hop, self._origin + self._heard, shown=self._window.hop)

    def _decide(self, hop: Array, at: int, shown: int) -> None:
        """One hop in, one decision out.

        Args:
            hop: the next samples, float32 [hop].
            at: the instant of the decision.
            shown: samples of the hop that are sound of the input; 0 gives no reading.
        """
        began = time.perf_counter()
        scores = self.runner.run(self._window.push(hop))
        if not np.isfinite(scores).all():
            if not self._report.bad_scores:
                log.warning("%s gives scores that are no numbers; taken as 0", self.card.name)
            self._report.bad_scores += 1
            scores = np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)
        changes = self.decider.update(scores, at)
        self._release(at - 1)  # what happens at this instant comes after this decision
        if shown:
            reading = Reading(
                t=at / self.card.rate,
                scores=self.decider.scores,
                level_db=level_db(hop[:shown]),
                audio=hop[:shown].copy(),
            )
            for output in self.outputs:
                output.reading(reading)
        self._emit(changes)
        self._report.decisions += 1
        self._durations.append(time.perf_counter() - began)

    # --- results --------------------------------------------------------------------------

    def _emit(self, changes: list[Change]) -> None:
        for change in changes:
            t = change.at / self.card.rate
            event: Event
            if change.kind == "start":
                self._report.starts += 1
                event = Start(label=change.label, t=t, score=change.score)
            else:
                event = Stop(label=change.label, t=t, peak=change.score)
            self._send(event)

    def _wait(self, position: int, event: Event) -> None:
        """Keep an event until decisions have reached its time, so that lines stay in order."""
        self._waiting.append((self._at_card_rate(position), event))

    def _release(self, at: int) -> None:
        while self._waiting and self._waiting[0][0] <= at:
            self._send(self._waiting.popleft()[1])

    def _send(self, event: Event) -> None:
        for output in self.outputs:
            output.event(event)

    def _at_card_rate(self, position: int) -> int:
        return position * self.card.rate // self._rate

    def _finish_report(self) -> Report:
        report = self._report
        while self._waiting:  # a device that did not come back
            self._send(self._waiting.popleft()[1])
        report.cpu_s = time.process_time() - self._cpu_began
        report.seconds = self._expected / self._rate
        if self._durations:
            middle, slow = np.percentile(np.array(self._durations) * 1e3, [50, 99])
            report.latency_ms = (float(middle), float(slow))
        report.interrupted = self._stopped
        return report
