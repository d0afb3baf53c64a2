"""Small ONNX gates: one frame a step, states as inputs and outputs."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from kit_bands import RATE
from kit_onnx import save_onnx

from realtime.card import Card, Decision, InputSpec, StateSpec
from realtime.features import FeatureSpec

GATE_SPEC = FeatureSpec(
    kind="mel", rate=RATE, frame=400, hop=160, fft=512, mels=40, log_floor=1e-8
)


def gate_card(**changes: Any) -> Card:
    """The card of `write_gate_onnx`: one frame in, three scores out, two states."""
    card = Card(
        format=1,
        name="loud",
        task="gate",
        input=InputSpec(kind="features", features=GATE_SPEC, layout="btf"),
        rate=RATE,
        window_s=0.01,
        hop_s=0.01,
        labels=("open", "open_10ms", "open_20ms"),
        thresholds={"default": 0.5},
        scores="sigmoid",
        states=(
            StateSpec(name="mean", shape=(1, 1), output="next_mean"),
            StateSpec(name="count", shape=(1, 1, 2), output="next_count"),
        ),
        output="scores",
        decision=Decision(hysteresis=0.1),
        licence="CC0-1.0",
        lookahead_ms=(0.0, 10.0, 20.0),
    )
    return msgspec.structs.replace(card, **changes)


def write_gate_onnx(path: Path, card: Card) -> Path:
    """A gate that opens when the mean log energy of the bands, smoothed, is over -9.

    White noise of amplitude 0.1 has about -1 there, of 0.001 about -10, silence -18. The second
    and third score are a little readier to open. `embedding` is neither score nor state.
    """
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    mels = GATE_SPEC.mels
    constants = {
        "w": np.full((mels, 1), 1.0 / mels),
        "keep": np.array([[0.5]]),
        "slope": np.array([[1.0]]),
        "floor": np.array([[18.0]]),  # so that states of zero are silence
        "bias": np.array([[-9.0, -8.5, -8.0]]),
        "one": np.array([[[1.0, 0.0]]]),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["flat"], axis=1),
            helper.make_node("Gemm", ["flat", "w", "floor"], ["level"]),
            helper.make_node("Add", ["mean", "level"], ["both"]),
            helper.make_node("Mul", ["both", "keep"], ["next_mean"]),
            helper.make_node("Mul", ["next_mean", "slope"], ["steep"]),
            helper.make_node("Add", ["steep", "bias"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
            helper.make_node("Add", ["count", "one"], ["next_count"]),
            helper.make_node("Concat", ["level", "next_mean"], ["embedding"], axis=1),
        ],
        "loud",
        [
            helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, 1, mels]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("count", TensorProto.FLOAT, [1, 1, 2]),
        ],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 2]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info("next_mean", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("next_count", TensorProto.FLOAT, [1, 1, 2]),
        ],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
    )
    return save_onnx(onnx, graph, path, card, None)


def learnable_card(**changes: Any) -> Card:
    """The card of `write_learnable_onnx`."""
    spec = msgspec.structs.replace(GATE_SPEC, mean=-8.0, std=4.0)
    states = (StateSpec(name="slow", shape=(1, spec.mels), output="next_slow"),)
    return gate_card(
        **{
            "name": "ears",
            "input": InputSpec(kind="features", features=spec, layout="btf", name="sound"),
            "scores": "logit",
            "states": states,
            "trained_on": ("nothing at all",),
            **changes,
        }
    )


def write_learnable_onnx(
    path: Path, card: Card, hidden: int = 16, turned: bool = False
) -> Path:
    """A gate whose head can be learned: it hears the frame, and the frame less its past.

    Its own head is random. `turned` stores the head's matrices the other way round, as
    quantizing does.
    """
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    bands, scores = GATE_SPEC.mels, len(card.labels)
    rng = np.random.default_rng(5)
    constants = {
        "keep": np.array([[0.9]]),
        "take": np.array([[0.1]]),
        "head.hidden.weight": rng.normal(0, 0.1, (hidden, 2 * bands)),
        "head.hidden.bias": np.zeros(hidden),
        "head.score.weight": rng.normal(0, 0.3, (scores, hidden)),
        "head.score.bias": np.zeros(scores),
    }
    if turned:
        for name in ("head.hidden.weight", "head.score.weight"):
            constants[name] = np.ascontiguousarray(constants[name].T)
    gemm = {"transB": 0 if turned else 1}
    hidden_of, score_of = (
        ["head.hidden.weight", "head.hidden.bias"], ["head.score.weight", "head.score.bias"],
    )  # fmt: skip
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["now"], axis=1),
            helper.make_node("Sub", ["now", "slow"], ["change"]),
            helper.make_node("Mul", ["slow", "keep"], ["kept"]),
            helper.make_node("Mul", ["now", "take"], ["taken"]),
            helper.make_node("Add", ["kept", "taken"], ["next_slow"]),
            helper.make_node("Concat", ["now", "change"], ["embedding"], axis=1),
            helper.make_node("Gemm", ["embedding", *hidden_of], ["before"], **gemm),
            helper.make_node("Relu", ["before"], ["hidden"]),
            helper.make_node("Gemm", ["hidden", *score_of], ["scores"], **gemm),
        ],
        "ears",
        [
            helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, 1, bands]),
            helper.make_tensor_value_info("slow", TensorProto.FLOAT, [1, bands]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, scores]),
            helper.make_tensor_value_info("next_slow", TensorProto.FLOAT, [1, bands]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 2 * bands]),
        ],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
    )
    return save_onnx(onnx, graph, path, card, {"of": "a test"})
