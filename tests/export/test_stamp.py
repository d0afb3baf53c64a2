"""Cards in model files, without any network."""

from __future__ import annotations

import io
import zipfile

import pytest

from export.stamp import stamp
from realtime.card import FORMAT, Card, InputSpec, parse_card

CARD = Card(
    format=FORMAT,
    name="é",
    task="tag",
    input=InputSpec(kind="waveform", layout="bt"),
    rate=16_000,
    window_s=1.0,
    hop_s=0.5,
    labels=("a", "b"),
)
FLAT = b"\x1c\0\0\0TFL3" + bytes(range(200))


def in_tflite(model: bytes) -> Card:
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        assert archive.testzip() is None
        return parse_card(archive.read("rt.card.json"), "x")


def test_tflite_keeps_the_model_and_gives_the_card_back():
    stamped = stamp(FLAT, CARD)
    assert stamped.startswith(FLAT)
    assert in_tflite(stamped) == CARD
    assert stamp(FLAT, CARD) == stamped


def test_stamping_again_replaces_the_card_and_keeps_other_files():
    file = io.BytesIO(FLAT)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", "a\nb")
    twice = stamp(stamp(file.getvalue(), CARD), CARD)
    assert twice.startswith(FLAT)
    assert len(twice) == len(stamp(file.getvalue(), CARD))
    with zipfile.ZipFile(io.BytesIO(twice)) as archive:
        assert sorted(archive.namelist()) == ["labels.txt", "rt.card.json"]


def test_onnx_replaces_the_card_and_keeps_other_properties():
    onnx = pytest.importorskip("onnx", reason="needs the export extra")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [out]))
    onnx.helper.set_model_props(model, {"other": "1", "rt.card": "old"})
    stamped = onnx.load_from_string(stamp(model.SerializeToString(), CARD))
    props = {p.key: p.value for p in stamped.metadata_props}
    assert props["other"] == "1"
    assert parse_card(props["rt.card"], "x") == CARD
