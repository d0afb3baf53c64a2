"""What the gate costs: its sample-exact part in a sound callback, the learned gate in files.

    nice -n 10 python tests/bench/bench_gate.py

In a callback, compiled and in NumPy: 48 kHz stereo in blocks of 128 samples, 375 callbacks a
second: bursts of noise that open and close the gate about three times a second. Each part has
the stream to itself, time and again, and each block counts with its best round, so that other
work on the machine counts as little as may be. The slowest blocks are those in which the gate
changes and a new ramp is laid out.

In files: `rt-gate IN OUT --trace` without reading and writing, in its blocks of half a second.
Three ways to score take turns block by block; again each block counts with its best round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realtime.gate import kernels
from realtime.gate.key import KeyFilter
from realtime.gate.level import LevelGate
from realtime.gate.plain_ears import RuntimeEars
from realtime.gate.ramp import Delay, Ramp
from realtime.gate.settings import GateOptions, settle
from realtime.gate.stream import GateStream
from realtime.library import find_model
from realtime.outputs.gate import GateReading
from realtime.runners import open_runner

sys.path.insert(0, str(Path(__file__).parent))
import report

RATE, CHANNELS, BLOCK = 48_000, 2, 128
SECONDS, ROUNDS = 4, 20
LOOKAHEAD = RATE // 50  # 20 ms, the most there is
FORMS = {"numba": True, "numpy": False}
PARTS = {
    "level": "LevelGate",
    "unlinked": "LevelGate, a gate for each channel",
    "key": "KeyFilter, high- and low-pass, 24 dB",
    "delay": "Delay, 20 ms",
    "ramp": "Ramp alone, as after a network",
    "gain": "gain times sound",
}
FILES = {"16 kHz mono": (16_000, 1), "48 kHz stereo": (48_000, 2)}
WAYS = {"runtime": "ONNX Runtime, step by step", "numpy": "NumPy, eight steps at a time"}
WAYS |= {"numba": "compiled"}
FILE_ROUNDS = 6
GATE = ("level", "key", "delay", "gain")  # what a level gate with everything on runs

Step = Callable[[np.ndarray], object]


def bursts() -> list[np.ndarray]:
    """Noise in bursts of 150 ms, every 300 ms."""
    n = SECONDS * RATE // BLOCK * BLOCK
    rng = np.random.default_rng(0)
    loud = np.arange(n) % (RATE * 3 // 10) < RATE * 15 // 100
    sound = rng.normal(0, 1, (n, CHANNELS)) * np.where(loud, 0.2, 0.001)[:, None]
    return list(sound.astype(np.float32).reshape(-1, BLOCK, CHANNELS))


def steps(compiled: bool, blocks: list[np.ndarray]) -> dict[str, Step]:
    """What each part does with a block."""

    def level(link: bool) -> LevelGate:
        return LevelGate(RATE, CHANNELS, -30, -36, 5, 50, 50, -60, link=link, compiled=compiled)

    openings = [
        [change[:2] for change in found]
        for gate in (level(True),)
        for _, found in map(gate.process, blocks)
    ]
    ramp, turn = Ramp(RATE, 5, 50, -60, compiled=compiled), iter(())

    def ramped(block: np.ndarray) -> object:
        nonlocal turn
        changes = next(turn, None)
        if changes is None:
            turn = iter(openings)
            changes = next(turn)
        return ramp.process(len(block), changes)

    gains = np.full(BLOCK, 0.5, np.float32)
    return {
        "level": level(True).process,
        "unlinked": level(False).process,
        "key": KeyFilter(RATE, CHANNELS, 100, 8000, 24, compiled).process,
        "delay": Delay(LOOKAHEAD, CHANNELS).process,
        "ramp": ramped,
        "gain": lambda block: block * gains[:, np.newaxis],
    }


def measure(compiled: bool, blocks: list[np.ndarray]) -> dict[str, dict[str, float]]:
    """Microseconds a block, and the share of a core, of each part."""
    parts = steps(compiled, blocks)
    times = {name: np.zeros((ROUNDS, len(blocks))) for name in parts}
    clock = time.perf_counter_ns
    for turn in range(ROUNDS):
        for name, step in parts.items():
            row = times[name][turn]
            for i, block in enumerate(blocks):
                begin = clock()
                step(block)
                row[i] = clock() - begin
    found = {}
    for name, nanoseconds in times.items():
        best = nanoseconds.min(axis=0) / 1e3
        found[name] = {
            "median_us": round(float(np.median(best)), 2),
            "slowest_us": round(float(best.max()), 2),
            "core_pct": round(float(best.sum()) / (SECONDS * 1e4), 3),
        }
    return found


class Trace:
    """An output that keeps what would be written."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def sound(self, before: np.ndarray, after: np.ndarray) -> None:
        pass

    def event(self, event: object) -> None:
        pass

    def reading(self, r: GateReading) -> None:
        self.rows.append(f"{r.t:.4f},{r.score:.4f},{r.open:d},{r.gain_db:.2f},{r.level_db:.2f}")


def file_streams(model: str, rate: int, channels: int) -> dict[str, GateStream]:
    """A gate for each way to score."""
    made = {}
    for way in WAYS:
        if way == "numba" and not kernels.available():
            continue
        runner = open_runner(find_model(model), None, None, 1)
        own, _ = settle(GateOptions(), {}, runner.card)
        compiled = way == "numba"
        stream = GateStream(own, rate, channels, runner, outputs=[Trace()], compiled=compiled)
        if way == "runtime":
            stream._path._scorer._ears = RuntimeEars(runner)  # type: ignore[attr-defined]
        made[way] = stream
    return made


def files(model: str, rate: int, channels: int) -> dict[str, float]:
    """Milliseconds of the processor for a second of a file, by way to score."""
    rng = np.random.default_rng(0)
    n, size = SECONDS * rate, rate // 2
    loud = np.arange(n) % (rate * 3 // 10) < rate * 15 // 100
    sound = rng.normal(0, 1, (n, channels)) * np.where(loud, 0.2, 0.001)[:, None]
    blocks = list(sound.astype(np.float32).reshape(-1, size, channels))
    streams = file_streams(model, rate, channels)
    times = {way: np.zeros((FILE_ROUNDS, len(blocks))) for way in streams}
    for turn in range(FILE_ROUNDS):
        for i, block in enumerate(blocks):
            for way, stream in streams.items():
                begin = time.thread_time_ns()
                stream.process(block)
                times[way][turn, i] = time.thread_time_ns() - begin
    return {w: round(float(t.min(axis=0).sum()) / 1e6 / SECONDS, 2) for w, t in times.items()}


def all_files() -> dict[str, dict[str, dict[str, float]]]:
    """`files` for each model and kind of sound."""
    return {
        model: {name: files(model, *kind) for name, kind in FILES.items()}
        for model in ("voice", "voice-tiny")
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    report.parse(report.options(__doc__ or ""), argv)
    machine = report.machine()
    report.show_machine(machine)
    blocks = bursts()
    forms = {name: c for name, c in FORMS.items() if not c or kernels.available()}
    begin = time.perf_counter()
    kernels.warm()
    warm_s = round(time.perf_counter() - begin, 2)
    found = {name: measure(compiled, blocks) for name, compiled in forms.items()}
    for name, parts in found.items():
        rows = [[PARTS[part], *figures.values()] for part, figures in parts.items()]
        total = sum(parts[part]["core_pct"] for part in GATE)
        rows.append(["a level gate with all of it", None, None, round(total, 3)])
        head = [name, "median us", "slowest us", "% of a core"]
        report.show_table(f"{RATE} Hz, {CHANNELS} channels, blocks of {BLOCK}", head, rows)
    print(f"\n  numba and the kernels were loaded in {warm_s} s")
    per_file = all_files()
    rows = [
        [f"{model}, {name}", *(told.get(way) for way in WAYS)]
        for model, kinds in per_file.items()
        for name, told in kinds.items()
    ]
    report.show_table("Files", ["ms for a second", *WAYS.values()], rows)
    results = {"machine": machine, "warm_s": warm_s, "per_block": found, "files": per_file}
    report.save("gate", results)
    return results


if __name__ == "__main__":
    main()
