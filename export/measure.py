"""Time and memory of a model file, in a process of its own: no torch in memory, one thread."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from realtime.runners import open_runner

WARM_UP, RUNS = 50, 400
LIMIT_S = 120.0

log = logging.getLogger("rt.export.measure")


class Speed(msgspec.Struct, frozen=True):
    """What one run of a model takes.

    Args:
        ms: median of the milliseconds of a run, one thread, the runner's Python included.
        ms_p99: 99th percentile.
        memory_mb: most memory the process held, runtime and Python included; 0 if unknown.
        runtime: name and version.
    """

    ms: float
    ms_p99: float
    memory_mb: float
    runtime: str


def measure(path: Path) -> Speed | None:
    """Run a model in a fresh process; None if that fails, with a warning."""
    code = "from export.measure import _child; _child()"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, str(path)],
            capture_output=True,
            check=True,
            timeout=LIMIT_S,
        )
        return msgspec.json.decode(done.stdout, type=Speed)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as e:
        log.warning("%s was not timed: %s", path.name, e)
        return None


def _child() -> None:
    """The fresh process: open, run, say."""
    runner = open_runner(sys.argv[1], threads=1)
    card = runner.card
    spec = card.input.features
    if spec is None:
        shape: tuple[int, ...] = (round(card.window_s * card.rate),)
    else:
        shape = (card.window_frames, spec.width)
    window = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    times = []
    for _ in range(WARM_UP + RUNS):
        began = time.perf_counter()
        runner.run(window)
        times.append(time.perf_counter() - began)
    ms = np.array(times[WARM_UP:]) * 1e3
    result = {
        "ms": round(float(np.median(ms)), 3),
        "ms_p99": round(float(np.percentile(ms, 99)), 3),
        "memory_mb": _peak_mb(),
        "runtime": runner.runtime,
    }
    sys.stdout.write(json.dumps(result))


def _peak_mb() -> float:
    """Most resident memory in MB. Not getrusage: its figure begins with the parent's."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    except (OSError, ValueError, IndexError):
        pass
    return 0.0
