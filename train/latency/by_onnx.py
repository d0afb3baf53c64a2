"""ONNX Runtime's own profiler: what a file holds, and what the runtime made of it.

Two sessions. One runs the file as it is written, no operators fused, and tells the shapes,
of which the multiply-accumulates are counted. The other is the session that serves rt-tag,
with the profiler on, and tells the times.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from realtime.runners.onnx import FATAL_ONLY, session_options
from train.latency.kinds import Layer, onnx_kind, onnx_macs, typical

EVENTS = 40_000  # of a profile; each is some 600 bytes of JSON
NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
}


def file_layers(path: Path) -> list[Layer]:
    """The operators of a file, with their work."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    # packed weights are not among the inputs that the profiler shows
    options.add_session_config_entry("session.disable_prepacking", "1")
    layers = []
    for event in _profile(path, options, 0, 1):
        op, inputs, outputs = _shown(event)
        layers.append(Layer(op, onnx_kind(op, inputs), macs=onnx_macs(op, inputs, outputs)))
    return layers


def run_layers(path: Path, threads: int, runs: int, file: list[Layer]) -> list[Layer]:
    """The operators that the runtime runs, with their times.

    Args:
        path: the file.
        threads: as for the runner.
        runs: how many; fewer where the model has very many operators.
        file: its `file_layers`.
    """
    runs = max(3, min(runs, EVENTS // max(1, len(file))))
    spent: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for event in _profile(path, session_options(threads, path), max(2, runs // 10), runs):
        op, inputs, _ = _shown(event)
        spent[event["name"], op, onnx_kind(op, inputs)].append(event["dur"] / 1e3)
    return [Layer(op, kind, ms=typical(times)) for (_, op, kind), times in spent.items()]


def _profile(path: Path, options: Any, warm: int, runs: int) -> list[dict[str, Any]]:
    """The profiler's events of operators, without those of the first `warm` runs."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        feed = _feed(session)
        for _ in range(warm + runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_bytes())
    begun = sorted(e["ts"] for e in events if e["name"] == "model_run")[warm]
    return [
        e
        for e in events
        if e["cat"] == "Node" and e["name"].endswith("_kernel_time") and e["ts"] >= begun
    ]


def _feed(session: Any) -> dict[str, Any]:
    """Noise for the first input, zeros for the others, which are states."""
    rng = np.random.default_rng(0)
    feed = {}
    for i, tensor in enumerate(session.get_inputs()):
        shape = [n if isinstance(n, int) else 1 for n in tensor.shape]
        values = rng.standard_normal(shape) if i == 0 else np.zeros(shape)
        feed[tensor.name] = values.astype(NUMBERS[tensor.type])
    return feed


def _shown(event: dict[str, Any]) -> tuple[str, list[list[int]], list[list[int]]]:
    """An event's operator, and the shapes of its inputs and outputs."""
    args = event["args"]
    inputs, outputs = (
        [shape for tensor in args.get(f"{side}_type_shape", ()) for shape in tensor.values()]
        for side in ("input", "output")
    )
    return args["op_name"], inputs, outputs
