"""`Report`: how one input went. Made by the engine, told on stderr by the commands."""

from __future__ import annotations

import msgspec


class Report(msgspec.Struct):
    """How one input went.

    Args:
        source: its name.
        seconds: seconds of audio, lost ones included.
        decisions: runs of the model.
        starts: events that started.
        dropped: samples lost, at the source's rate.
        cleaned: samples that were NaN, infinite or absurd, and became zero.
        bad_scores: decisions with a score that was no number.
        cpu_s: seconds of processor time from the first to the last block, all threads.
        busy_s: seconds of work by the clock, reading the source left out.
        hop_s: seconds between decisions.
        latency_ms: milliseconds from a hop's last sample to its outputs: median and 99th
            percentile over the last few thousand hops.
        interrupted: `stop` ended it.
    """

    source: str
    seconds: float = 0.0
    decisions: int = 0
    starts: int = 0
    dropped: int = 0
    cleaned: int = 0
    bad_scores: int = 0
    cpu_s: float = 0.0
    busy_s: float = 0.0
    hop_s: float = 0.0
    latency_ms: tuple[float, float] = (0.0, 0.0)
    interrupted: bool = False
