"""Models that cannot be used: one line that says why, status 3, before any sound."""

from __future__ import annotations

import numpy as np
import pytest

CARD = {
    "format": 1, "name": "x", "task": "tag", "input": {"kind": "waveform", "layout": "bt"},
    "rate": 16000, "window_s": 0.1, "hop_s": 0.1, "labels": ["loud", "quiet"],
}  # fmt: skip


def small(kit, path, nodes, constants, others=None):
    return kit.save(
        path,
        nodes,
        [kit.value("sound", [1, 1600])],
        [kit.value("scores", [1, 2])],
        constants,
        others=others,
    )


def test_an_operator_that_nobody_has(tag, onnx_kit, clip, tmp_path):
    node = onnx_kit.helper.make_node
    nodes = [node("Listen", ["sound"], ["scores"], domain="com.example")]
    others = [onnx_kit.helper.make_opsetid("com.example", 1)]
    model = small(onnx_kit, tmp_path / "m.onnx", nodes, {}, others)
    line = tag.refused(model, CARD, clip(0.2, 16_000))
    assert "operator com.example:Listen, which ONNX Runtime does not know" in line


@pytest.mark.parametrize("name", ["FlexErf", "TFLite_Detection_PostProcess2"])
def test_a_tflite_with_operators_of_tensorflow(tag, flat, clip, tmp_path, name):
    flat.tensor("sound", [1, 1600])
    flat.tensor("scores", [1, 2])
    flat.op("CUSTOM", ["sound"], ["scores"], custom=name)
    model = flat.save(tmp_path / "m.tflite", {"sound": "sound"}, {"scores": "scores"})
    line = tag.refused(model, CARD, clip(0.2, 16_000))
    assert f"has the operator {name}" in line
    assert "built-in operators" in line


@pytest.mark.parametrize("scale", [0.0, float("nan"), -0.1])
def test_a_tflite_with_a_wrong_scale(tag, flat, level_column, clip, tmp_path, scale):
    flat.tensor("sound", [1, 1600], kind="INT8", scale=scale)
    flat.tensor("real", [1, 1600])
    flat.op("DEQUANTIZE", ["sound"], ["real"], flat.tfl.DequantizeOptionsT())
    flat.dense(flat.level("real"), "scores", *level_column(2, 1.0, 0.1))
    model = flat.save(tmp_path / "m.tflite", {"sound": "sound"}, {"scores": "scores"})
    line = tag.refused(model, CARD, clip(0.2, 16_000))
    assert "scale" in line


def test_an_onnx_with_a_wrong_scale(tag, onnx_kit, clip, tmp_path):
    node = onnx_kit.helper.make_node
    nodes = [
        node("QuantizeLinear", ["sound", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["real"]),
        node("MatMul", ["real", "w"], ["scores"]),
    ]
    constants = {
        "scale": np.array(np.nan, np.float32),
        "zero": np.array(0, np.int8),
        "w": np.ones((1600, 2), np.float32),
    }
    model = small(onnx_kit, tmp_path / "m.onnx", nodes, constants)
    line = tag.refused(model, CARD, clip(0.2, 16_000))
    assert "no numbers" in line
    assert "scale" in line


def test_raw_scores_that_are_called_probabilities(tag, onnx_kit, clip, tmp_path):
    node = onnx_kit.helper.make_node
    nodes = [
        node("MatMul", ["sound", "w"], ["sum"]),
        node("Add", ["sum", "b"], ["scores"]),
    ]
    constants = {"w": np.zeros((1600, 2), np.float32), "b": np.array([-4.0, 2.0], np.float32)}
    model = small(onnx_kit, tmp_path / "m.onnx", nodes, constants)
    line = tag.refused(model, CARD, clip(0.2, 16_000))
    assert "gives -4 and card field scores is sigmoid" in line
    assert "logit" in line
    assert tag(model, CARD | {"scores": "logit"}, clip(0.2, 16_000)).returncode == 0


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ([], "neither the sound"),
        ([{"name": "sum", "shape": [2]}], "states.sum.shape"),
        ([{"name": "sum", "shape": [1], "output": "after"}], "states.sum.output"),
        ([{"name": "memory", "shape": [1]}], "states.memory"),
    ],
)
def test_states_that_disagree_with_the_card(tag, kit, clip, tmp_path, states, says):
    import json

    model = kit.write_stateful_onnx(tmp_path / "s.onnx", kit.sum_card())
    card = json.loads(kit.sum_card().to_json()) | {"states": states}
    assert says in tag.refused(model, card, clip(0.2, 16_000))


@pytest.mark.parametrize("layout", ["bctfx", "bf", "btt", ""])
def test_axes_that_cannot_be(tag, onnx_kit, clip, tmp_path, layout):
    nodes = [onnx_kit.helper.make_node("Identity", ["sound"], ["scores"])]
    model = small(onnx_kit, tmp_path / "m.onnx", nodes, {})
    card = CARD | {"input": {"kind": "waveform", "layout": layout}}
    assert "input.layout" in tag.refused(model, card, clip(0.2, 16_000))
