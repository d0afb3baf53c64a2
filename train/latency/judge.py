"""The judge: milliseconds of a window, and what they go to."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from models.catalogue import CATALOGUE
from realtime.card import Card
from realtime.library import find_model, names
from realtime.runners import Runner, model_kind, open_runner
from train.latency import by_litert, by_onnx, fresh
from train.latency.kinds import KINDS, Layer

WARM_UP = 0.1  # share of the runs
BUDGET_S = 2.0  # for the timed runs, and again for the profiled ones
FEWEST, MOST = 20, 1000  # runs

log = logging.getLogger("rt.train.latency")


class Share(msgspec.Struct, frozen=True):
    """One kind of layer.

    Args:
        kind: one of `train.latency.kinds.KINDS`.
        percent: of the time that the runtime's profiler gives to layers; None without one.
        ms: the same in milliseconds of one run.
        layers: operators that the runtime runs.
        in_file: operators in the model's file, before the runtime fuses them.
        macs: multiply-accumulates of one run.
    """

    kind: str
    percent: float | None
    ms: float | None
    layers: int | None
    in_file: int
    macs: int


class Latency(msgspec.Struct, frozen=True):
    """What `rt-eval latency` found.

    Args:
        model: name on the card.
        runtime: with its version.
        threads: inside one run; 0 is the runtime's choice.
        random_weights: the model is a network of the catalogue, with none of its own.
        model_bytes: size of the file.
        window_s: seconds of sound that one run takes in.
        ms: median milliseconds of a run, the runner's Python included.
        ms_p99: 99th percentile.
        cpu_ms: median of the processor's own time of the run, with one thread; else None.
        runs: timed.
        macs: multiply-accumulates of one run.
        profiled_ms: milliseconds of one run under the profiler; None without one.
        kinds: those that occur, in the order of `KINDS`.
    """

    model: str
    runtime: str
    threads: int
    random_weights: bool
    model_bytes: int
    window_s: float
    ms: float
    ms_p99: float
    cpu_ms: float | None
    runs: int
    macs: int
    profiled_ms: float | None
    kinds: tuple[Share, ...]


def judge_latency(
    model: str, card: str | Card | None = None, runtime: str | None = None, threads: int = 1
) -> Latency:
    """Time a model, and read its runtime's profiler.

    Args:
        model: a shipped name, an .onnx or .tflite file, or a name of the catalogue.
        card: in place of the model's own.
        runtime: "onnx" or "litert", to choose between the files of a shipped name.
        threads: inside one run; 0 leaves it to the runtime.

    Raises:
        RtError: as `realtime.runners.open_runner` and `train.latency.fresh.write_fresh`.
    """
    with _file(model, card, runtime) as (path, found):
        runner = open_runner(path, found, runtime, threads)
        times = _times(runner)
        reader = by_onnx if model_kind(path) == "onnx" else by_litert
        file = reader.file_layers(path)
        runs = _runs(float(np.median(times[:, 0])))
        run = reader.run_layers(path, threads, runs, file)
        milliseconds = np.percentile(times[:, 0], [50, 99])
        return Latency(
            model=runner.card.name,
            runtime=runner.runtime,
            threads=threads,
            random_weights=model in CATALOGUE and isinstance(found, Card),
            model_bytes=path.stat().st_size,
            window_s=runner.card.window_s,
            ms=float(milliseconds[0]),
            ms_p99=float(milliseconds[1]),
            cpu_ms=float(np.median(times[:, 1])) if threads == 1 else None,
            runs=len(times),
            macs=sum(layer.macs for layer in file),
            profiled_ms=sum(layer.ms for layer in run) if run else None,
            kinds=shares(file, run),
        )


def shares(file: list[Layer], run: list[Layer]) -> tuple[Share, ...]:
    """Layers by their kinds.

    Args:
        file: as the file holds them.
        run: as the runtime runs them; empty if it does not tell.
    """
    total = sum(layer.ms for layer in run)
    found = []
    for kind in KINDS:
        held = [layer for layer in file if layer.kind == kind]
        ran = [layer for layer in run if layer.kind == kind]
        ms = sum(layer.ms for layer in ran)
        if held or ran:
            found.append(
                Share(
                    kind=kind,
                    percent=100 * ms / total if total else None,
                    ms=ms if total else None,
                    layers=len(ran) if run else None,
                    in_file=len(held),
                    macs=sum(layer.macs for layer in held),
                )
            )
    return tuple(found)


@contextmanager
def _file(
    model: str, card: str | Card | None, runtime: str | None
) -> Iterator[tuple[Path, str | Card | None]]:
    """The model's file and card; one made for the occasion of a network of the catalogue."""
    if model in CATALOGUE and model not in names() and not Path(model).exists():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{model}.onnx"
            yield path, fresh.write_fresh(model, path)
    else:
        yield find_model(model, runtime or ""), card


def _times(runner: Runner) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Milliseconds of every run, on the wall's clock and on the processor's: [runs, 2]."""
    card = runner.card
    spec = card.input.features
    size = round(card.window_s * card.rate)
    shape = (size,) if spec is None else (card.window_frames, spec.width)
    window = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    began = time.perf_counter()
    runner.run(window)
    runs = _runs(1e3 * (time.perf_counter() - began))
    warm = max(2, round(WARM_UP * runs))
    spent = []
    for _ in range(warm + runs):
        wall, cpu = time.perf_counter(), time.thread_time()
        runner.run(window)
        spent.append((time.perf_counter() - wall, time.thread_time() - cpu))
    return 1e3 * np.array(spent[warm:])


def _runs(ms: float) -> int:
    """How many runs fit the budget."""
    return int(min(MOST, max(FEWEST, 1e3 * BUDGET_S / max(ms, 1e-3))))
