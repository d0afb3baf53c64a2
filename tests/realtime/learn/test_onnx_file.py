"""The small reader of ONNX files against the onnx package."""

import numpy as np
import pytest

from realtime.errors import RunnerError
from realtime.learn.onnx_file import OnnxFile
from realtime.protobuf import fields, message

onnx = pytest.importorskip("onnx", reason="the witness is the onnx package")


@pytest.fixture
def data(learnable_model):
    return learnable_model.read_bytes()


def weights_of(data):
    found = onnx.load_from_string(data).graph.initializer
    return {w.name: onnx.numpy_helper.to_array(w) for w in found}


def test_the_file_comes_out_as_it_came_in(data):
    assert OnnxFile(data, "ears").to_bytes() == data


def test_weights_are_those_of_the_onnx_package(data):
    file = OnnxFile(data, "ears")
    for name, value in weights_of(data).items():
        np.testing.assert_array_equal(file.weight(name), value)
    assert file.weight("no such weight") is None


def test_another_weight_and_nothing_else_changes(data):
    file = OnnxFile(data, "ears")
    new = np.random.default_rng(0).normal(size=(16, 80)).astype(np.float32)
    file.replace("head.hidden.weight", new)
    after = file.to_bytes()
    onnx.checker.check_model(onnx.load_from_string(after))
    before, found = weights_of(data), weights_of(after)
    np.testing.assert_array_equal(found.pop("head.hidden.weight"), new)
    before.pop("head.hidden.weight")
    assert found.keys() == before.keys()
    for name, value in found.items():
        np.testing.assert_array_equal(value, before[name])
    old, now = onnx.load_from_string(data), onnx.load_from_string(after)
    assert old.graph.node == now.graph.node
    assert old.graph.output == now.graph.output


def test_weights_that_are_no_raw_bytes(data):
    model = onnx.load_from_string(data)
    for weight in model.graph.initializer:
        if weight.name == "head.score.bias":
            weight.ClearField("raw_data")
            weight.float_data.extend([1.0, 2.0, 3.0])
    file = OnnxFile(model.SerializeToString(), "ears")
    np.testing.assert_array_equal(file.weight("head.score.bias"), [1, 2, 3])
    file.replace("head.score.bias", np.array([4, 5, 6], np.float32))
    np.testing.assert_array_equal(weights_of(file.to_bytes())["head.score.bias"], [4, 5, 6])


def test_metadata_is_set_and_kept(data):
    file = OnnxFile(data, "ears")
    card = file.metadata["rt.card"]
    file.set_metadata("rt.card", "another")
    file.set_metadata("long", "x" * 100_000)
    model = onnx.load_from_string(file.to_bytes())
    assert {p.key: p.value for p in model.metadata_props} == {
        "of": "a test", "rt.card": "another", "long": "x" * 100_000,
    }  # fmt: skip
    assert file.metadata["rt.card"] == "another" != card


def test_a_weight_of_another_shape_is_refused(data):
    file = OnnxFile(data, "ears")
    with pytest.raises(ValueError, match="shape"):
        file.replace("head.score.bias", np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="nothing"):
        file.replace("nothing", np.zeros(4, np.float32))


@pytest.mark.parametrize("cut", [0, 1, 100, 5000])
def test_a_file_that_breaks_off(data, cut):
    with pytest.raises(RunnerError, match="no ONNX model"):
        OnnxFile(data[:cut], "broken.onnx")


def test_no_onnx_at_all():
    with pytest.raises(RunnerError, match="no ONNX model"):
        OnnxFile(b"\xff" * 50, "noise.onnx")


def test_fields_with_every_wire_type():
    data = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1a\x03abc" + b"\x25" + bytes(4)
    found = list(fields(data))
    assert [(f.number, f.wire, len(f.content)) for f in found] == [
        (1, 0, 2), (2, 1, 8), (3, 2, 3), (4, 5, 4),
    ]  # fmt: skip
    assert message(found) == data
