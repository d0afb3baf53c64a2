"""LiteRT's own profiler: what a TFLite file holds, and what LiteRT and XNNPACK run of it.

LiteRT's Python classes have no profiler; its C interface has, in the library that comes with
the package. It is called from a process of its own, so that a library of another version, or
none, costs the reading and nothing else. The functions are those of litert/c (google-ai-edge/
LiteRT, Apache-2.0), as ai-edge-litert 2.3 has them. XNNPACK counts whole microseconds.
"""

from __future__ import annotations

import ctypes
import json
import logging
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from train.latency.kinds import (
    HEAVY_TFLITE,
    HEAVY_XNNPACK,
    Layer,
    tflite_kind,
    tflite_macs,
    typical,
    xnnpack_kind,
)

LIBRARY = "libLiteRt.so"
LIMIT_S = 120.0
OPERATOR, INSIDE_DELEGATE = 2, 8  # kinds of event
ON_CPU = 1
HANDLE = ctypes.c_void_p
ROOM = 512  # bytes, for a structure that is only handed on

log = logging.getLogger("rt.train.latency.by_litert")


def file_layers(path: Path) -> list[Layer]:
    """The operators of a file, with their work."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    net = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    net.allocate_tensors()
    shapes = {t["index"]: [int(n) for n in t["shape"]] for t in net.get_tensor_details()}
    layers = []
    for op in net._get_ops_details():
        name = op["op_name"]
        inputs, outputs = ([shapes.get(i, []) for i in op[s]] for s in ("inputs", "outputs"))
        macs = tflite_macs(name, inputs, outputs)
        layers.append(Layer(name, tflite_kind(name, inputs), macs=macs))
    return layers


def run_layers(path: Path, threads: int, runs: int, file: list[Layer]) -> list[Layer]:
    """The operators that are run, with their times; none where this LiteRT tells none.

    Args:
        path: the file.
        threads: as for the runner; 0 leaves it to LiteRT.
        runs: how many.
        file: its `file_layers`.
    """
    code = "from train.latency.by_litert import _child; _child()"
    words = [sys.executable, "-P", "-c", code, str(path), str(threads), str(runs)]
    try:
        done = subprocess.run(words, capture_output=True, check=True, timeout=LIMIT_S)
        events = msgspec.json.decode(done.stdout, type=list[tuple[str, int, int, float]])
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as e:
        log.info("LiteRT's profiler told nothing: %s", e)
        return []
    return _named(events, file)


def _named(events: list[tuple[str, int, int, float]], file: list[Layer]) -> list[Layer]:
    """Events as layers.

    XNNPACK runs what has weights in the file's order, and calls a convolution of one pixel a
    fully connected layer: such an event is of the kind that its operator has in the file, as
    long as there are as many of them.
    """
    heavy = [layer.kind for layer in file if layer.name in HEAVY_TFLITE]
    told = [i for i, (name, type_, _, _) in enumerate(events) if _is_heavy(name, type_)]
    kinds = dict(zip(told, heavy, strict=True)) if len(told) == len(heavy) else {}
    layers = []
    for i, (name, type_, _, ms) in enumerate(events):
        kind = tflite_kind(name, []) if type_ == OPERATOR else xnnpack_kind(name)
        layers.append(Layer(name, kinds.get(i, kind), ms=ms))
    return layers


def _is_heavy(name: str, type_: int) -> bool:
    return name in HEAVY_TFLITE if type_ == OPERATOR else name.startswith(HEAVY_XNNPACK)


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("total", "in_use", "private")]


class _Event(ctypes.Structure):
    _fields_ = [
        ("tag", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("before", _Memory),
        ("after", _Memory),
        ("index", ctypes.c_uint64),
        ("graph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    ]


class _LiteRT:
    """A model in LiteRT's C interface, with its profiler on. Never freed: the process ends.

    Args:
        path: a TFLite file.
        threads: of XNNPACK; 0 leaves it to LiteRT.

    Raises:
        RuntimeError: a function did not do what it should.
    """

    def __init__(self, path: str, threads: int) -> None:
        import ai_edge_litert

        self._library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / LIBRARY))
        self._kept: list[Any] = []  # what the library may still look at
        self.environment = self._make("CreateEnvironment", ctypes.c_int(0), self._room())
        model = self._make("CreateModelFromFile", self.environment, path.encode())
        options = self._make("CreateOptions")
        self._call("SetOptionsHardwareAccelerators", options, ctypes.c_int(ON_CPU))
        self._add(options, b"runtime_options_string", b"enable_profiling = true\n")
        if threads:
            self._add(options, b"xnnpack", f"num_threads = {threads}\n".encode())
        self.model = self._make("CreateCompiledModel", self.environment, model, options)
        self.signature = self._make("GetModelSignature", model, ctypes.c_size_t(0))
        self.inputs, self.outputs = self._buffers("Input"), self._buffers("Output")

    def run(self) -> None:
        """Once, on zeros."""
        sides = [x for b in (self.inputs, self.outputs) for x in (ctypes.c_size_t(len(b)), b)]
        self._call("RunCompiledModel", self.model, ctypes.c_size_t(0), *sides)

    def profile(self, runs: int) -> list[tuple[str, int, int, float]]:
        """Name, type, index and milliseconds of a run of every operator, in order."""
        profiler = self._make("CompiledModelGetProfiler", self.model)
        spent: dict[tuple[str, int, int], list[float]] = defaultdict(list)
        for _ in range(runs):  # the profiler keeps so many events only
            self._call("ResetProfiler", profiler)
            self._call("StartProfiler", profiler)
            self.run()
            self._call("StopProfiler", profiler)
            count = ctypes.c_int()
            self._call("GetNumProfilerEvents", profiler, ctypes.byref(count))
            events = (_Event * count.value)()
            self._call("GetProfilerEvents", profiler, count, events)
            for e in events:
                if e.type in (OPERATOR, INSIDE_DELEGATE):
                    key = e.tag.decode(errors="replace"), e.type, e.index
                    spent[key].append(e.elapsed_us / 1e3)
        return [(*key, typical(times)) for key, times in spent.items()]

    def _buffers(self, side: str) -> Any:
        count = ctypes.c_size_t()
        self._call(f"GetNumSignature{side}s", self.signature, ctypes.byref(count))
        buffers = (HANDLE * count.value)()
        for i in range(count.value):
            n = ctypes.c_size_t(i)
            tensor = self._make(f"GetSignature{side}TensorByIndex", self.signature, n)
            kind = self._room()
            self._call("GetRankedTensorType", tensor, kind)
            wanted = f"GetCompiledModel{side}BufferRequirements"
            needs = self._make(wanted, self.model, ctypes.c_size_t(0), n)
            create = "CreateManagedTensorBufferFromRequirements"
            buffer = self._make(create, self.environment, kind, needs)
            self._call("ClearTensorBuffer", buffer)
            buffers[i] = buffer.value
        return buffers

    def _add(self, options: Any, name: bytes, text: bytes) -> None:
        """Add options in TOML, as the interface hands them through."""
        keep = ctypes.CFUNCTYPE(None, HANDLE)(lambda _: None)
        held = ctypes.create_string_buffer(name), ctypes.create_string_buffer(text), keep
        self._kept.append(held)
        made = self._make("CreateOpaqueOptions", held[0], ctypes.cast(held[1], HANDLE), keep)
        self._call("AddOpaqueOptions", options, made)

    def _make(self, name: str, *args: Any) -> ctypes.c_void_p:
        """Call a function whose last argument takes a handle."""
        handle = HANDLE()
        self._call(name, *args, ctypes.byref(handle))
        return handle

    def _call(self, name: str, *args: Any) -> None:
        status = getattr(self._library, f"LiteRt{name}")(*args)
        if status:
            raise RuntimeError(f"LiteRt{name}: status {status}")

    def _room(self) -> Any:
        return (ctypes.c_char * ROOM)()


def _child() -> None:
    """The process of its own: run, and say it as JSON."""
    path, threads, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    net = _LiteRT(path, threads)
    for _ in range(max(2, runs // 10)):
        net.run()
    sys.stdout.write(json.dumps(net.profile(runs)))
