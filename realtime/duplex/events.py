"""What a live gate tells, beside the openings of `realtime.outputs.gate`: a public surface."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import msgspec

from realtime.outputs import DeviceEvent, Dropped
from realtime.outputs.gate import Closed, Opened

AWAKE_S = 0.5  # the longest wait at a time, where none is asked for


class Started(msgspec.Struct, frozen=True, tag="start", tag_field="event"):
    """Sound runs.

    Args:
        t: seconds since the start: 0.
        input: name of the input device.
        output: name of the output device.
        rate: Hz of the input, and of all that the gate does.
        rate_out: Hz of the output.
        channels: of the input.
        output_channels: of the output.
        block: samples that the output waits for the decision on the newest sound.
        lookahead_ms: milliseconds that it waits to open before what opens it.
        latency_ms: milliseconds that the gate adds: block, look-ahead and, where the output has
            a clock of its own, what is kept in reserve for that: as measured, for it varies.
        clocks: 1, or 2 where the output has one of its own.
        compiled: whether the sound path is compiled.
        key: what decides, if it is not the sound itself: name of a device, and channels.
    """

    t: float
    input: str
    output: str
    rate: int
    rate_out: int
    channels: int
    output_channels: int
    block: int
    lookahead_ms: float
    latency_ms: float
    clocks: int
    compiled: bool
    key: str = ""


class Latency(msgspec.Struct, frozen=True, tag="latency", tag_field="event"):
    """Where two clocks meet the gate now adds another time than was told, milliseconds."""

    latency_ms: float
    t: float


class Overload(msgspec.Struct, frozen=True, tag="overload", tag_field="event"):
    """Decisions are late and the level gate serves: "begin", "end"."""

    state: str
    t: float


class Ended(msgspec.Struct, frozen=True, tag="end", tag_field="event"):
    """The run is over, with its counts.

    Args:
        t: seconds since the start.
        openings: how often the gate opened.
        overloads: how often decisions were late,
        overload_s: and for how many seconds altogether.
        tardy: openings and closings that came later than their place in the sound.
        dropped: samples of the input that nobody heard: the device was away.
        skipped: samples on which nothing was decided, because decisions were too late.
        cleaned: samples that were NaN, infinite or absurd.
        overflows: times the driver said that it lost input, not how much,
        underflows: or had no output to play.
        slips: times that the joint of two clocks had too little sound or too much.
    """

    t: float
    openings: int
    overloads: int
    overload_s: float
    tardy: int
    dropped: int
    skipped: int
    cleaned: int
    overflows: int
    underflows: int
    slips: int


LiveEvent = Started | Opened | Closed | DeviceEvent | Dropped | Latency | Overload | Ended


def taken(
    events: queue.SimpleQueue[LiveEvent | None], timeout_s: float | None
) -> Iterator[LiveEvent | None]:
    """Events as they come, until None ends them; None when `timeout_s` passed without one."""
    while True:
        try:
            # A wait without end would sleep through a signal that came just before it.
            event = events.get(timeout=AWAKE_S if timeout_s is None else timeout_s)
        except queue.Empty:
            if timeout_s is not None:
                yield None
            continue
        if event is None:
            return
        yield event
