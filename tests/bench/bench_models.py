"""Shipped models: size, milliseconds a window, and accuracy where there is a test set.

    nice -n 10 python tests/bench/bench_models.py
    python tests/bench/bench_models.py --manifest kws12.csv --root DATA

Every file of `realtime/weights` (or each `--model`), through the Runner that `rt-tag` uses, one
thread. The models take turns, and the windows are those of the bundled sound. Without
`--manifest` accuracy is not measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import realtime
from realtime.errors import RtError, UsageError
from realtime.frontend import finish_window, one_shot
from realtime.library import SUFFIXES, WEIGHTS
from realtime.resample import StreamResampler
from realtime.runners import Runner, open_runner

sys.path.insert(0, str(Path(__file__).parent))
import report

DEMO = Path(realtime.__file__).parent / "sounds" / "demo.flac"
WINDOWS = 50  # in one turn of a model


def windows_of(runner: Runner) -> list[np.ndarray]:
    """Windows of the bundled sound, spread over it; steps of a stateful model in a row."""
    card = runner.card
    sound, rate = soundfile.read(DEMO, dtype="float32")
    resampler = StreamResampler(rate, card.rate)
    x = np.concatenate([resampler.process(sound), resampler.flush()])
    spec = card.input.features
    size = round(card.window_s * card.rate)
    if spec is not None and card.states:  # a step adds its frames, which look back further
        size += spec.frame - spec.hop
    found = []
    for at in np.linspace(0, max(0, len(x) - size), WINDOWS).astype(int):
        part = np.zeros(size, np.float32)
        part[: len(x[at : at + size])] = x[at : at + size]
        if spec is not None:
            frames = one_shot(spec, part)[: card.window_frames]
            part = finish_window(spec, frames)
        found.append(part)
    return found


def measure(runners: dict[str, Runner], rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of every run: on the wall's clock and on the processor's, [runs, 2].

    One thread does it all, so the processor's clock is right where other work runs beside.
    """
    windows = {name: windows_of(runner) for name, runner in runners.items()}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            for window in windows[name]:
                wall, cpu = time.perf_counter(), time.thread_time()
                runner.run(window)
                spent[name].append((time.perf_counter() - wall, time.thread_time() - cpu))
    return {name: 1e3 * np.array(times) for name, times in spent.items()}


def accuracies(runners: dict[str, Runner], args: argparse.Namespace) -> dict[str, Any]:
    """By the code of `rt-eval tag`, of the models that have the clips' labels."""
    if not args.manifest:
        return {}
    from train.judge_tag import judge_tag, rows_of

    rows, root = rows_of(args.manifest, args.split, args.root)
    found = {}
    for name, runner in runners.items():
        try:
            result = judge_tag(runner, rows, root, quiet=True)
        except UsageError:
            print(f"{name}: it has not the clips' labels")
            continue
        kept = ("n", "accuracy", "accuracy_95")
        kept += ("accuracy_without_silence", "accuracy_without_silence_95")
        found[name] = {key: result[key] for key in kept}
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--model", action="append", help="a file, in place of the shipped ones")
    parser.add_argument("--manifest", metavar="CSV", help="labelled clips, for the accuracy")
    parser.add_argument("--root", metavar="DIR", help="folder of the manifest's files")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rounds", type=int, default=10, help=f"of {WINDOWS} windows each")
    args = report.parse(parser, argv)
    machine = report.machine()
    report.show_machine(machine)
    shipped = sorted(p for p in WEIGHTS.glob("*") if p.suffix in SUFFIXES.values())
    runners: dict[str, Runner] = {}
    paths = {}
    for path in [Path(m) for m in args.model] if args.model else shipped:
        try:
            runners[path.name] = open_runner(path, threads=1)
            paths[path.name] = path
        except RtError as e:
            print(f"{path.name}: {e.line()}")
    if not runners:
        print("\nNo model is shipped yet: give one with --model.\n")
        return {"machine": machine, "models": {}}
    accuracy = accuracies(runners, args)
    results: dict[str, Any] = {}
    rows = []
    for name, times in measure(runners, args.rounds).items():
        runner, size = runners[name], paths[name].stat().st_size
        (median, cpu), (slow, cpu_slow) = np.percentile(times, [50, 99], axis=0).tolist()
        results[name] = {
            "runtime": runner.runtime,
            "bytes": size,
            "ms_median": round(median, 4),
            "ms_p99": round(slow, 4),
            "cpu_ms_median": round(cpu, 4),
            "cpu_ms_p99": round(cpu_slow, 4),
            "accuracy": accuracy.get(name, "not measured"),
        }
        row: list[object] = [name, runner.runtime, size / 1e3, median, slow, cpu, cpu_slow]
        if name in accuracy:
            found = accuracy[name]
            row += [100 * found["accuracy_without_silence"], 100 * found["accuracy"]]
        else:
            row += ["not measured", "not measured"]
        rows.append(row)
    head = ["model", "runtime", "KB", "ms median", "ms p99", "CPU ms", "CPU p99"]
    head += ["% without silence", "% with"]
    title = "milliseconds a window, one thread"
    if accuracy:
        count = next(iter(accuracy.values()))["n"]
        title += f"; accuracy on {count} clips of part {args.split}"
    report.show_table(title, head, rows)
    report.save("models", {"machine": machine, "models": results})
    return {"machine": machine, "models": results}


if __name__ == "__main__":
    main()
