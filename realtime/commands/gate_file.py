"""`rt-gate IN OUT`: one input into one output. Called by `realtime.commands.gate`.

What becomes of OUT when the run does not reach its end:

- Ctrl-C on a file: OUT is not written, for a part of a copy would pass for the whole.
- Ctrl-C on a pipe, which may have no other end: OUT is what came until then.
- IN is damaged: OUT is what could be read, and the exit status is that of the damage.
- anything else, as a full disk: OUT is not written.

Where OUT is not written, what had that name before is still there.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from realtime.commands.common import Interrupts, say
from realtime.errors import AudioError
from realtime.gate.external import ExternalKey
from realtime.gate.settings import GateOptions, GateSettings
from realtime.gate.stream import GateStream
from realtime.outputs.audio import SUBTYPES, Kind, Sink, open_sink
from realtime.outputs.gate import GateOutput
from realtime.runners import Runner
from realtime.sources import Block, Source, open_source
from realtime.sources.pcm import ENCODINGS, Encoding
from realtime.start import INTERRUPTED

BLOCK_S = 0.5  # of a file; a pipe is passed on as it comes
LONG_S = 300.0  # from here on it pays to load numba: that costs what two minutes of sound do

log = logging.getLogger("rt.realtime.gate")


class Closing(Protocol):
    """Has an end."""

    def close(self, complete: bool) -> None:
        """No more."""
        ...


class Run:
    """One input into one output.

    Args:
        args: the command line.
        options: what was said about the sound.
        settings: the gate.
        runner: the model, for the learned gate.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        options: GateOptions,
        settings: GateSettings,
        runner: Runner | None,
    ) -> None:
        self.args, self.options, self.settings, self.runner = args, options, settings, runner
        self.name, self.target = args.inputs
        self.source: Source | None = None
        self.key: ExternalKey | None = None
        self.cpu_s = 0.0

    def run(self) -> int:
        """Gate; the exit status."""
        outputs: list[GateOutput] = []
        made: list[Closing] = []
        complete = False
        try:
            with Interrupts(self.stop) as signals:
                try:
                    for output in self.open_outputs():
                        outputs.append(output)
                        made.append(output)
                    stream, sink = self.open(outputs)
                    made.insert(0, sink)
                    signals.running = True
                    fault = self.gate(stream, sink, outputs)
                except KeyboardInterrupt:
                    return INTERRUPTED
                finally:
                    signals.running = False
            # a copy that was broken off would pass for the whole; a recording ends some time
            complete = not signals.came or self.is_live
            if not complete:
                say(f"interrupted: {self.target} was not written")
        finally:
            close_all(made, complete)
        self.report(stream)
        if fault is not None:
            raise fault
        return INTERRUPTED if signals.came else 0

    def open_outputs(self) -> Iterator[GateOutput]:
        """What was asked for; files are made here, before any sound is read."""
        if self.args.plot:
            from realtime.outputs.gate_plot import GatePlot

            yield GatePlot(self.args.plot)
        if self.args.trace:
            from realtime.outputs.gate_trace import GateTrace

            yield GateTrace(self.args.trace)
        if self.args.json:
            from realtime.outputs.jsonl import JsonLines

            yield JsonLines(sys.stdout)

    def open(self, outputs: Sequence[GateOutput]) -> tuple[GateStream, Sink]:
        """Open sound in and sound out; the gate between them."""
        self.source = source = open_source(
            self.name,
            rate=self.options.rate or None,
            channels=self.options.channels or None,
            format=self.options.format or None,
            block_s=BLOCK_S,
        )
        if self.settings.key:
            self.key = ExternalKey(open_source(self.settings.key), source.rate)
        stream = GateStream(
            self.settings,
            source.rate,
            source.channels,
            self.runner,
            key_channels=self.key.channels if self.key is not None else 0,
            outputs=outputs,
            compiled=is_long(source),
        )
        kind, encoding = kind_of(source, self.options.format)
        return stream, open_sink(self.target, kind, encoding)

    def gate(
        self, stream: GateStream, sink: Sink, outputs: Sequence[GateOutput]
    ) -> AudioError | None:
        """Read the source to its end; what stopped it before, if something did."""
        if self.source is None:
            raise RuntimeError("not open")
        opening = stream.opening(self.source.name, live=self.source.live)
        for output in outputs:
            output.open(opening)
        began = time.process_time()
        fault: AudioError | None = None
        try:
            for block in self.source.blocks():
                if isinstance(block, Block):
                    key = self.key.take(len(block.audio)) if self.key is not None else None
                    sink.write(stream.process(block.audio, key))
        except AudioError as e:
            fault = e
        finally:
            self.stop()
        sink.write(stream.flush())
        self.cpu_s = time.process_time() - began
        for output in outputs:
            output.end(stream.position / stream.rate)
        return fault

    @property
    def is_live(self) -> bool:
        """Whether the input is somebody's live sound, which has no end of its own."""
        return self.source is not None and self.source.live

    def stop(self) -> None:
        """End the input soon; from a signal handler too."""
        if self.source is not None:
            self.source.close()
        if self.key is not None:
            self.key.close()

    def report(self, stream: GateStream) -> None:
        """How it went, on stderr: after losses, with -v, and for people who look on."""
        losses = []
        if stream.cleaned:
            losses.append(f"{stream.cleaned} samples were NaN, infinite or absurd")
        if stream.bad_scores:
            losses.append(f"{stream.bad_scores} decisions had scores that are no numbers")
        seconds = stream.position / stream.rate
        share = stream.open_samples / max(1, stream.position)
        parts = [
            f"{self.name}: {seconds:.1f} s",
            f"{stream.openings} opening{'' if stream.openings == 1 else 's'}",
            f"open {100 * share:.0f} % of the time",
            f"{100 * self.cpu_s / max(seconds, 1e-9):.1f} % of one core",
            *losses,
        ]
        if losses or log.isEnabledFor(logging.INFO) or sys.stderr.isatty():
            say(", ".join(parts))


def close_all(parts: Sequence[Closing], complete: bool) -> None:
    """Close all, whatever one of them raises; after a fault the others are not complete."""
    fault: BaseException | None = None
    for part in parts:
        try:
            part.close(complete)
        except BaseException as e:  # it is raised again, when the others are closed
            fault = fault or e
            complete = False
    if fault is not None:
        raise fault


def is_long(source: Source) -> bool:
    """Whether a source is known to be long; of a pipe nobody knows."""
    frames = getattr(source, "frames", None)
    return frames is not None and frames > LONG_S * source.rate


def kind_of(source: Source, format: str) -> tuple[Kind, Encoding]:  # noqa: A002
    """What the output is to be: the input's kind of file, and its sample type as raw PCM."""
    from realtime.sources.pipe import PipeSource
    from realtime.sources.wav import WavSource

    if isinstance(source, PipeSource):
        encoding = source.encoding
        subtype = SUBTYPES[encoding.name]
        return Kind(source.rate, source.channels, "", subtype), encoding
    if not isinstance(source, WavSource):
        raise TypeError(f"a source of type {type(source).__name__}")
    names = {subtype: name for name, subtype in SUBTYPES.items() if name in ENCODINGS}
    names["DOUBLE"] = "f32"
    encoding = ENCODINGS[format or names.get(source.subtype, "s16")]
    kind = Kind(source.rate, source.channels, source.container, source.subtype, source.frames)
    return kind, encoding
