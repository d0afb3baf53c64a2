"""`rt-gate` on live sound: from device to device until Ctrl-C, with a meter or JSON lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from realtime.commands.common import Interrupts, say
from realtime.commands.gate_file import close_all
from realtime.duplex import BLOCK
from realtime.duplex.events import Ended, LiveEvent, Started
from realtime.duplex.live import LiveGate
from realtime.duplex.state import LiveState
from realtime.errors import UsageError
from realtime.gate.settings import GateSettings
from realtime.outputs.gate import GateOutput
from realtime.outputs.jsonl import JsonLines
from realtime.runners import Runner
from realtime.start import INTERRUPTED

if TYPE_CHECKING:
    from realtime.duplex.meter import LiveMeter

FRAMES_PER_S = 10  # of the meter


def run_live(
    settings: GateSettings,
    runner: Runner | None,
    *,
    device: str | int | None = None,
    output_device: str | int | None = None,
    rate: int | None = None,
    block: int = BLOCK,
    channels: int | None = None,
    output_channels: int | None = None,
    virtual_mic: str | None = None,
    trace: str | None = None,
    plot: str | None = None,
    json: bool = False,
) -> int:
    """Gate an input device into an output device until Ctrl-C or SIGTERM.

    Args:
        settings: the gate, with the card's values already filled in.
        runner: the model, opened; None is the level gate alone.
        device: input: index, name or unique part of a name; None for the default.
        output_device: output, likewise.
        rate: Hz; None for the input's own.
        block: samples that the output waits for a decision, and that drivers are asked for.
        channels: input channels; None for as many as there are, up to two.
        output_channels: None for as many as the input has, or what the device needs.
        virtual_mic: make a virtual microphone of this name and play into it; None for none.
        trace: file for a row of each decision.
        plot: file for a picture of the run.
        json: JSON lines on stdout, as wherever that is no terminal; otherwise a meter.

    Returns:
        The exit status: 130, as nothing but an interrupt ends a live run.

    Raises:
        UsageError: options that make no sense.
        DeviceNotFound: no device, or none or several of that name.
        AudioError: PortAudio is missing, or a device cannot be opened.
        MissingExtra: neither PipeWire nor PulseAudio is there for a virtual microphone.
    """
    if virtual_mic and output_device is not None:
        raise UsageError(
            "--virtual-mic and --output-device are two outputs", "leave one of them out"
        )
    with contextlib.ExitStack() as stack:
        played: Any = output_device
        environment = {}
        if virtual_mic:
            from realtime.duplex.virtual_mic import VirtualMic

            mic = stack.enter_context(VirtualMic(virtual_mic))
            played, environment = mic.outputs, mic.environment
        outputs = stack.enter_context(_outputs(trace, plot))
        gate = LiveGate(
            settings,
            runner,
            device=device,
            output_device=played,
            rate=rate,
            block=block,
            channels=channels,
            output_channels=output_channels,
            environment=environment,
            outputs=outputs,
        )
        with Interrupts(lambda: gate.stop(wait=False)) as signals:
            gate.start()
            signals.running = True
            stack.callback(gate.stop)
            show(gate, json or not sys.stdout.isatty())
        if gate.fault is not None:
            raise gate.fault
    return INTERRUPTED


@contextlib.contextmanager
def _outputs(trace: str | None, plot: str | None) -> Iterator[list[GateOutput]]:
    """Files that are made before any sound runs, and are complete unless the run fails."""
    made: list[GateOutput] = []
    complete = False
    try:
        if plot:
            from realtime.outputs.gate_plot import GatePlot

            made.append(GatePlot(plot))
        if trace:
            from realtime.duplex.live_trace import LiveTrace

            made.append(LiveTrace(trace))
        yield made
        complete = True
    finally:
        close_all(made, complete)


class Shown(Protocol):
    """What can be shown: a `LiveGate`, or what keeps one."""

    def events(self, timeout_s: float | None = None) -> Iterator[LiveEvent | None]:
        """As those of `LiveGate`."""
        ...

    def state(self) -> LiveState:
        """As that of `LiveGate`."""
        ...


def show(gate: Shown, json: bool) -> None:
    """Show events, and the meter, until the end."""
    lines = JsonLines(sys.stdout) if json else None
    meter: LiveMeter | None = None
    if not json:
        from realtime.duplex.meter import LiveMeter

        meter = LiveMeter(sys.stdout)
        # the drawing must not keep the worker waiting for the interpreter
        sys.setswitchinterval(0.001)
    pace = 1.0 / FRAMES_PER_S if meter is not None and meter.drawn else None
    began, cpu = time.monotonic(), time.process_time()
    next_frame = 0.0
    try:
        for event in gate.events(pace):
            if isinstance(event, Started):
                say(_started(event))
            if event is not None and lines is not None:
                lines.event(event)
            if meter is None:
                continue
            if event is not None:
                meter.event(event)
            if pace is not None and time.monotonic() >= next_frame:
                next_frame = time.monotonic() + pace
                meter.show(gate.state())
            if isinstance(event, Ended):
                meter.close()
    finally:
        if meter is not None:
            meter.close()
    seconds = time.monotonic() - began
    say(_report(gate, (time.process_time() - cpu) / seconds))


def _started(event: Started) -> str:
    """What runs, and what it adds."""
    parts = [f"block {event.block} samples", f"look-ahead {event.lookahead_ms:g} ms"]
    rates = f"{event.rate} Hz"
    if event.clocks > 1:
        parts.append("a reserve for two clocks")
        if event.rate_out != event.rate:
            rates += f" to {event.rate_out} Hz"
    decides = f"; {event.key} decides" if event.key else ""
    wide = f"{event.channels} to {event.output_channels} channels"
    if event.channels == event.output_channels:
        wide = f"{event.channels} channel{'s' if event.channels > 1 else ''}"
    return (
        f"{event.input} to {event.output}, {rates}, {wide}; adds "
        f"{'about ' if event.clocks > 1 else ''}{event.latency_ms:.1f} ms ({', '.join(parts)})"
        f"{decides}"
    )


def _report(gate: Shown, own: float) -> str:
    """How it went."""
    state = gate.state()
    sound = state.sound_cpu_s / max(state.t, 1e-9)
    parts = [
        f"{state.t:.1f} s",
        f"{state.openings} opening{'' if state.openings == 1 else 's'}",
        f"{100 * (own + sound):.1f} % of one core ({100 * sound:.1f} % of it sound)",
    ]
    if state.overloads:
        parts.append(f"{state.overloads} overloads, {state.overload_s:.1f} s by level")
    for number, what in (
        (state.tardy, "openings or closings late"),
        (state.dropped, "samples lost with a device"),
        (state.skipped, "samples not decided on"),
        (state.cleaned, "samples were NaN, infinite or absurd"),
        (state.slips, "slips between two clocks"),
        (state.overflows, "times the driver reported lost input"),
        (state.underflows, "times it reported a gap in the output"),
    ):
        if number:
            parts.append(f"{number} {what}")
    return ", ".join(parts)
