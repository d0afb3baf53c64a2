"""The model that names tones as TFLite."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from kit_bands import BAND_SPEC, band_card, band_weights

from realtime.card import Card


def write_tflite(
    path: Path, card: Card | None, *, integer: bool = False, beside: Card | None = None
) -> Path:
    """The model of `band_model` as TFLite: one fully connected layer, float or int8."""
    pytest.importorskip("ai_edge_litert", reason="making TFLite models needs ai-edge-litert")
    pytest.importorskip("flatbuffers", reason="making TFLite models needs flatbuffers")
    import flatbuffers
    from ai_edge_litert import schema_py_generated as tfl

    shown = card or beside or band_card()
    weights, bias = band_weights(shown)
    rows = weights.T.copy()  # [labels, frames * width]

    def tensor(
        name: str, shape: Sequence[int], buffer: int, kind: int, scale: float, zero: int
    ):
        t = tfl.TensorT()
        t.name, t.shape, t.buffer, t.type = name.encode(), list(shape), buffer, kind
        if scale:
            t.quantization = tfl.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [scale], [zero]
        return t

    whole = [1, 1, shown.window_frames, BAND_SPEC.width]
    if integer:
        byte, word = tfl.TensorType.INT8, tfl.TensorType.INT32
        scale_w = float(np.abs(rows).max()) / 127
        data = [
            np.rint(rows / scale_w).astype(np.int8).tobytes(),
            np.rint(bias / (0.1 * scale_w)).astype(np.int32).tobytes(),
        ]
        kinds = [(byte, 0.1, 0), (byte, scale_w, 0), (word, 0.1 * scale_w, 0), (byte, 0.12, 10)]
    else:
        data = [rows.tobytes(), bias.tobytes()]
        kinds = [(tfl.TensorType.FLOAT32, 0.0, 0)] * 4
    graph = tfl.SubGraphT()
    named = [("sound", whole, 0), ("w", rows.shape, 1), ("b", bias.shape, 2)]
    named.append(("scores", [1, len(bias)], 0))
    graph.tensors = [tensor(*n, *k) for n, k in zip(named, kinds, strict=True)]
    graph.inputs, graph.outputs = [0], [3]
    operator = tfl.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    operator.builtinOptionsType = tfl.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = tfl.FullyConnectedOptionsT()
    graph.operators = [operator]
    code = tfl.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = tfl.BuiltinOperator.FULLY_CONNECTED
    code.version = 4 if integer else 1
    model = tfl.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = []
    for content in [b"", *data]:
        buffer = tfl.BufferT()
        buffer.data = np.frombuffer(content, np.uint8) if content else None
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    if card is not None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("rt.card.json", card.to_json())
    if beside is not None:
        path.with_name(path.name + ".card.json").write_text(beside.to_json())
    return path
