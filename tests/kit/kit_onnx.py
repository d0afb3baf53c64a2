"""Small ONNX models of the tagger's kind, with their cards inside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit_bands import BAND_SPEC, band_card, band_weights

from realtime.card import Card, StateSpec


def write_onnx(
    path: Path,
    card: Card | None,
    *,
    weights: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    shape: Sequence[int | str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A linear model over the flattened window as ONNX, with its card inside."""
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    shown = card or band_card()
    if weights is None or bias is None:
        weights, bias = band_weights(shown)
    if shape is None:
        shape = [1, 1, shown.window_frames, BAND_SPEC.width]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["flat"], axis=1),
            helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
        ],
        "bands",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, weights.shape[1]])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    return save_onnx(onnx, graph, path, card, metadata)


def write_stateful_onnx(path: Path, card: Card) -> Path:
    """score = sigmoid-less running sum: state' = state + mean(sound); one label."""
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper

    frames, width = card.window_frames, BAND_SPEC.width
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["sound"], ["mean"], keepdims=0),
            helper.make_node("Add", ["sum", "mean"], ["next"]),
            helper.make_node("Identity", ["next"], ["scores"]),
        ],
        "sums",
        [
            helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, 1, frames, width]),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
    )
    return save_onnx(onnx, graph, path, card, None)


def sum_card(**changes: Any) -> Card:
    """The card of `write_stateful_onnx`."""
    return band_card(
        **{
            "labels": ("sum",),
            "scores": "sigmoid",
            "window_s": 0.02,
            "hop_s": 0.02,
            "states": (StateSpec(name="sum", shape=(1,)),),
            **changes,
        }
    )


def save_onnx(
    onnx: Any, graph: Any, path: Path, card: Card | None, metadata: dict[str, str] | None
) -> Path:
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
    )
    found = dict(metadata or {})
    if card is not None:
        found["rt.card"] = card.to_json()
    onnx.helper.set_model_props(model, found)
    path.write_bytes(model.SerializeToString())
    return path
