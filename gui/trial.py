"""What a lesson is about, and what came of it: `Task`, `Trial`, `Outcome`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

OPTIONS: Final = {
    "threshold_db": "--threshold-db",
    "close_db": "--close-db",
    "hold_ms": "--hold-ms",
    "key_highpass": "--key-highpass",
    "key_lowpass": "--key-lowpass",
}


class Task(msgspec.Struct, frozen=True):
    """What shall be learned.

    Attributes:
        opens: files of the wanted sound.
        closeds: files of everything else.
        base: a learned gate that goes on; None makes a new one.
    """

    opens: tuple[Path, ...]
    closeds: tuple[Path, ...]
    base: Path | None = None


class Trial(msgspec.Struct, frozen=True):
    """A gate on what was held back.

    Attributes:
        gate: "learned", "level", or "before": the gate that went on to learn.
        audio: what it lets through, float32 [samples].
        spans: seconds in which it was open.
    """

    gate: str
    audio: NDArray[np.float32]
    spans: tuple[tuple[float, float], ...]


class Outcome(msgspec.Struct, frozen=True):
    """What came of a lesson.

    Attributes:
        task: what was asked for.
        gate: the new gate's file, in a folder that goes away.
        report: of `rt-gate learn --json`.
        audio: what was held back, float32 [samples].
        rate: Hz.
        wanted: seconds in which an ideal gate is open.
        trials: gates on it.
    """

    task: Task
    gate: Path
    report: dict[str, Any]
    audio: NDArray[np.float32]
    rate: int
    wanted: tuple[tuple[float, float], ...]
    trials: tuple[Trial, ...]


def level_settings(report: dict[str, Any]) -> dict[str, float]:
    """The level gate that the report compares with, tuned for any levels; empty if none."""
    for row in report.get("held_back", []):
        if row["levels"] == "any" and not row["lookahead_ms"]:
            found = row["level_settings"]
            return {k: float(v) for k, v in found.items() if k in OPTIONS and _in_force(k, v)}
    return {}


def level_options(settings: dict[str, float]) -> list[str]:
    """Settings of a level gate as options of rt-gate."""
    return [text for k, v in settings.items() for text in (OPTIONS[k], f"{v:g}")]


def _in_force(key: str, value: float) -> bool:
    return bool(value) or not key.startswith("key_")


def spans_of(events: Sequence[dict[str, Any]], end_s: float) -> tuple[tuple[float, float], ...]:
    """Openings of a gate from its events."""
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for event in events:
        if event["event"] == "open":
            since = event["t"]
        elif event["event"] == "close" and since is not None:
            spans.append((since, event["t"]))
            since = None
    if since is not None:
        spans.append((since, end_s))
    return tuple(spans)


def read_wav(path: str) -> tuple[NDArray[np.float32], int]:
    """A mono sound file: float32 [samples], and Hz."""
    import soundfile

    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(audio[:, 0]), rate
