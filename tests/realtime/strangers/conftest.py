"""Look-alikes of models from elsewhere: their tensors' names, shapes and types, and no more.

Each tells loud from quiet: its first score is high for a loud window, its second for a quiet
one, and all others are low. The cards are those of docs/card.md, with as many labels as needed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent / "rt-tag"
FENCE = r"<!-- stranger: {} -->\n```\w+\n(.*?)```"


class Tag:
    """Runs the installed rt-tag on a model with a card."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, model: Path, card: dict[str, Any] | None, clip: Path) -> Any:
        words = [BIN, "--model", model, clip, "--json"]
        if card is not None:
            path = self.folder / "card.json"
            path.write_text(json.dumps(card))
            words += ["--card", path]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("RT_")}
        return subprocess.run(
            [str(w) for w in words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environ | {"XDG_CONFIG_HOME": "/nonexistent"},
            timeout=100,
        )

    def starts(self, model: Path, card: dict[str, Any], clip: Path) -> list[str]:
        """The labels of the events, of which each has its stop."""
        done = self(model, card, clip)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        labels: dict[str, list[str]] = {"start": [], "stop": []}
        for line in lines:
            labels[line["event"]].append(line["label"])
        assert sorted(labels["start"]) == sorted(labels["stop"])
        return labels["start"]

    def refused(self, model: Path, card: dict[str, Any] | None, clip: Path) -> str:
        """The one line of an error of status 3."""
        done = self(model, card, clip)
        assert done.returncode == 3, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert not done.stdout
        return str(done.stderr)


@pytest.fixture
def tag(tmp_path) -> Tag:
    """The real command."""
    if not BIN.exists():
        pytest.skip("the command is not installed")
    return Tag(tmp_path)


def text_of(name: str) -> str:
    """A fence of docs/card.md."""
    page = (PROJECT / "docs/card.md").read_text("utf-8")
    found = re.search(FENCE.format(re.escape(name)), page, re.DOTALL)
    assert found, f"docs/card.md has no {name}"
    return found[1]


@pytest.fixture
def page_card():
    """A card of docs/card.md, with as many labels as its model has scores."""

    def read(name: str, labels: int) -> dict[str, Any]:
        text = text_of(name)
        assert text.count("\n") <= 14
        card: dict[str, Any] = json.loads(text)
        card["labels"] = ["loud", "quiet", *(f"other {i}" for i in range(2, labels))][:labels]
        card["decision"] = {}
        return card

    return read


@pytest.fixture
def page_text():
    """A fence of docs/card.md as it is."""
    return text_of


@pytest.fixture
def clip(write_wav):
    """A sound that is loud for a while and then silent."""

    def write(seconds: float, rate: int) -> Path:
        rng = np.random.default_rng(4)
        loud = 0.1 * rng.standard_normal(round(seconds * rate))
        sound = np.concatenate([loud, np.zeros_like(loud)]).clip(-1, 1)
        return write_wav("clip.flac", sound.astype(np.float32), rate)

    return write


def column(labels: int, steep: float, middle: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights [labels, 1] and bias [labels] that make scores of a level."""
    weights, bias = np.zeros((labels, 1), np.float32), np.full(labels, -9.0, np.float32)
    weights[:2, 0] = [steep, -steep][:labels]
    bias[:2] = [-steep * middle, steep * middle][:labels]
    return weights, bias


class OnnxKit:
    """Small ONNX models."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.helper = onnx.helper
        self.numbers = onnx.numpy_helper.from_array

    def value(self, name: str, shape: Any, kind: str = "FLOAT") -> Any:
        return self.helper.make_tensor_value_info(
            name, getattr(self.onnx.TensorProto, kind), shape
        )

    def save(
        self, path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any],
        constants: dict[str, np.ndarray], opset: int = 17, others: list[Any] | None = None,
    ) -> Path:  # fmt: skip
        weights = [self.numbers(v, k) for k, v in constants.items()]
        graph = self.helper.make_graph(nodes, "g", inputs, outputs, weights)
        imports = [self.helper.make_opsetid("", opset), *(others or [])]
        model = self.helper.make_model(graph, opset_imports=imports, ir_version=8)
        path.write_bytes(model.SerializeToString())
        return path

    def scores(
        self, level: str, labels: int, out: str, steep: float, middle: float, logits: bool
    ) -> tuple[list[Any], dict[str, np.ndarray]]:
        """Nodes from a level [1, 1] to scores [1, labels]."""
        weights, bias = column(labels, steep, middle)
        node = self.helper.make_node
        last = out if logits else "logits"
        nodes = [node("Gemm", [level, "w", "b"], [last], transB=1)]
        if not logits:
            nodes.append(node("Sigmoid", [last], [out]))
        return nodes, {"w": weights, "b": bias}


@pytest.fixture
def onnx_kit() -> OnnxKit:
    return OnnxKit(pytest.importorskip("onnx", reason="making models needs onnx"))


class Flat:
    """A TFLite file from its parts; tensors are known by their names."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as tfl

        self.tfl = tfl
        self.graph = tfl.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.codes: list[Any] = []
        self.buffers: list[bytes] = [b""]
        self.names: list[str] = []

    def tensor(
        self, name: str, shape: Any, data: np.ndarray | None = None, kind: str = "FLOAT32",
        signature: Any = None, scale: float | None = None, zero: int = 0,
    ) -> str:  # fmt: skip
        t = self.tfl.TensorT()
        t.name, t.shape = name.encode(), list(shape)
        t.type = getattr(self.tfl.TensorType, kind)
        t.buffer = 0
        if data is not None:
            t.buffer = len(self.buffers)
            self.buffers.append(data.tobytes())
        if signature is not None:
            t.shapeSignature = list(signature)
        if scale is not None:
            t.quantization = self.tfl.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [scale], [zero]
        self.graph.tensors.append(t)
        self.names.append(name)
        return name

    def op(
        self, kind: str, inputs: list[str], outputs: list[str], options: Any = None,
        custom: str = "",
    ) -> None:  # fmt: skip
        code = self.tfl.OperatorCodeT()
        code.builtinCode = getattr(self.tfl.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        if custom:
            code.customCode = custom.encode()
        o = self.tfl.OperatorT()
        o.opcodeIndex = len(self.codes)
        self.codes.append(code)
        o.inputs, o.outputs = ([self.names.index(n) for n in ns] for ns in (inputs, outputs))
        if options is not None:
            o.builtinOptions = options
            o.builtinOptionsType = getattr(
                self.tfl.BuiltinOptions, type(options).__name__.removesuffix("T")
            )
        self.graph.operators.append(o)

    def level(self, sound: str) -> str:
        """Mean of the absolute values of a sound, [1, 1]."""
        self.tensor("row shape", [2], np.array([1, -1], np.int32), "INT32")
        self.tensor("row", [1, 1], signature=[1, -1])
        self.op("RESHAPE", [sound, "row shape"], ["row"])
        self.tensor("sizes", [1, 1], signature=[1, -1])
        self.op("ABS", ["row"], ["sizes"], self.tfl.AbsOptionsT())
        self.tensor("along", [1], np.array([1], np.int32), "INT32")
        self.tensor("level", [1, 1])
        options = self.tfl.ReducerOptionsT()
        options.keepDims = True
        self.op("MEAN", ["sizes", "along"], ["level"], options)
        return "level"

    def dense(self, x: str, out: str, weights: np.ndarray, bias: np.ndarray) -> None:
        self.tensor(f"{out} w", weights.shape, weights)
        self.tensor(f"{out} b", bias.shape, bias)
        self.tensor(out, [1, len(bias)])
        options = self.tfl.FullyConnectedOptionsT()
        options.keepNumDims = False
        self.op("FULLY_CONNECTED", [x, f"{out} w", f"{out} b"], [out], options)

    def save(
        self, path: Path, inputs: dict[str, str], outputs: dict[str, str],
        signature: bool = False,
    ) -> Path:  # fmt: skip
        """Names in the signature to names of tensors, in order."""
        import flatbuffers

        model = self.tfl.ModelT()
        model.version, model.subgraphs, model.operatorCodes = 3, [self.graph], self.codes
        self.graph.inputs = [self.names.index(n) for n in inputs.values()]
        self.graph.outputs = [self.names.index(n) for n in outputs.values()]
        model.buffers = []
        for content in self.buffers:
            buffer = self.tfl.BufferT()
            buffer.data = np.frombuffer(content, np.uint8) if content else None
            model.buffers.append(buffer)
        if signature:
            found = self.tfl.SignatureDefT()
            found.signatureKey, found.subgraphIndex = b"serving_default", 0
            found.inputs, found.outputs = (
                [self._map(k, v) for k, v in ends.items()] for ends in (inputs, outputs)
            )
            model.signatureDefs = [found]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path

    def _map(self, name: str, tensor: str) -> Any:
        entry = self.tfl.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), self.names.index(tensor)
        return entry


@pytest.fixture
def flat() -> Flat:
    pytest.importorskip("ai_edge_litert", reason="TFLite models need ai-edge-litert")
    pytest.importorskip("flatbuffers", reason="making TFLite models needs flatbuffers")
    return Flat()


@pytest.fixture
def level_column():
    """`column`."""
    return column
