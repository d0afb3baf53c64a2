"""A network as a list of plain operations: the runtime's scores, or none of it."""

import numpy as np
import pytest

from realtime.gate import scoring
from realtime.gate.ears import functions
from realtime.gate.many import Many
from realtime.library import find_model
from realtime.runners import open_runner
from realtime.runners.graph import Node, read_graph
from realtime.runners.program import run
from realtime.runners.steps import steps_of
from realtime.runners.steps_maker import StepsMaker

onnx = pytest.importorskip("onnx", reason="making models needs onnx")


def made(path):
    runner = open_runner(path)
    with open(path, "rb") as file:  # noqa: PTH123  a path of any kind
        return runner, steps_of(file.read(), runner.card, *runner.names)


@pytest.fixture
def jit():
    pytest.importorskip("numba")
    functions()
    return scoring.step


def both(runner, network, step, frames):
    """Scores of the runtime and of the program."""
    array, here, there = network.array.copy(), network.sound, network.scores
    told, own = [], []
    for frame in frames:
        array[here.at : here.at + here.size] = frame
        step(network.program, array)
        x = array[there.at : there.at + there.size].copy()
        own.append(1 / (1 + np.exp(-x)) if runner.card.scores == "logit" else x)
        told.append(runner.run(frame[None]).copy())
    return np.array(told), np.array(own)


def test_a_small_gate(gate_model, rng_frames):
    runner, network = made(gate_model)
    frames = rng_frames(20, runner.card)
    told, own = both(runner, network, run, frames)  # as plain Python
    np.testing.assert_allclose(own, told, atol=1e-6)
    assert np.ptp(told) > 0.1
    first, last = network.states.at, network.states.at + network.states.size
    assert not network.array[first:last].any()


def small(out):
    """A shipped gate with its matrices as int8."""
    weights = pytest.importorskip("export.weights", reason="export is not installed")
    data = weights.onnx_weights(find_model("voice-tiny").read_bytes(), lambda name: True)
    out.write_bytes(data)
    assert b"DequantizeLinear" in data
    return out


def test_weights_of_eight_bits(tmp_path, rng_frames):
    """The runtime computes with the floats that they stand for, and so does the program."""
    path = small(tmp_path / "small.onnx")
    runner, network = made(path)
    assert network.array.nbytes < 0.4 * made(find_model("voice-tiny"))[1].array.nbytes
    frames = rng_frames(20, runner.card)
    told, own = both(runner, network, run, frames)
    np.testing.assert_allclose(own, told, atol=1e-6)
    many = Many(network)
    x = np.concatenate([many.run(frames[at : at + 5]).copy() for at in range(0, 20, 5)])
    shown = 1 / (1 + np.exp(-x)) if runner.card.scores == "logit" else x
    np.testing.assert_allclose(shown, told, atol=1e-6)


@pytest.mark.parametrize("change", ["offset", "axis"])
def test_weights_of_eight_bits_that_it_does_not_know(tmp_path, change):
    model = onnx.load(small(tmp_path / "small.onnx"))
    node = next(n for n in model.graph.node if n.op_type == "DequantizeLinear")
    if change == "axis":
        node.attribute[0].i = 1
    else:
        scales = next(w for w in model.graph.initializer if w.name == node.input[1])
        zeros = np.zeros(scales.dims[0], np.int8)
        model.graph.initializer.append(onnx.numpy_helper.from_array(zeros, "offset"))
        node.input.append("offset")
    runner = open_runner(tmp_path / "small.onnx")
    assert steps_of(model.SerializeToString(), runner.card, *runner.names) is None


@pytest.mark.slow
def test_the_shipped_gate(jit, rng_frames):
    runner, network = made(find_model("voice"))
    told, own = both(runner, network, jit, rng_frames(300, runner.card))
    np.testing.assert_allclose(own, told, atol=1e-5)


@pytest.mark.parametrize("kind", ["HardSigmoid", "Erf"])
def test_what_it_does_not_know(gate_model, tmp_path, kind):
    model = onnx.load(gate_model)
    next(n for n in model.graph.node if n.op_type == "Sigmoid").op_type = kind
    onnx.save(model, tmp_path / "other.onnx")
    assert made(tmp_path / "other.onnx")[1] is None


def test_states_that_change_places(gate_model, tmp_path):
    """One state's next value is another state: copied one by one they would mix."""
    model = onnx.load(gate_model)
    mean = next(n for n in model.graph.node if "next_mean" in n.output)
    mean.op_type = "Identity"
    del mean.input[1:]
    mean.input[0] = "mean"
    onnx.save(model, tmp_path / "same.onnx")
    assert made(tmp_path / "same.onnx")[1] is None


@pytest.mark.parametrize("data", [b"", b"\x08\x07", b"\x3a\xff\xff", b"no model at all"])
def test_bytes_that_are_no_model(data):
    with pytest.raises((ValueError, IndexError)):
        read_graph(data)


@pytest.fixture
def rng_frames():
    def frames(count, card):
        width = card.input.features.width
        return np.random.default_rng(0).normal(-6, 4, (count, width)).astype(np.float32)

    return frames


@pytest.mark.parametrize(
    ("one", "other", "size"),
    [((1, 4), (1, 4), 4), ((1, 4), (1,), 4), ((1, 1, 4), (1, 4), 4), ((1, 4), (4, 1), 0)],
)
def test_a_row_and_a_column_are_not_added_in_pairs(one, other, size):
    """As many numbers, and yet the runtime makes a table of them."""
    values = {"a": np.ones(one, np.float32), "b": np.ones(other, np.float32)}
    maker = StepsMaker(values)
    add = Node("Add", ["a", "b"], ["sum"], {})
    if size:
        maker.add(add)
        assert maker.place("sum").shape == (values["a"] + values["b"]).shape
        assert maker.place("sum").size == size
    else:
        with pytest.raises(ValueError, match="Add"):
            maker.add(add)
