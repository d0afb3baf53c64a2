"""Runners: what they compute, and what they refuse, by name, before any audio."""

import sys

import msgspec
import numpy as np
import pytest

from realtime.card import InputSpec, StateSpec
from realtime.errors import CardError, MissingExtra, RunnerError, UsageError
from realtime.features import FeatureSpec
from realtime.runners import model_kind, open_runner
from realtime.runners.plan import Plan

rng = np.random.default_rng(5)


def expected(kit, window):
    weights, bias = kit.band_weights(kit.band_card())
    return 1 / (1 + np.exp(-(window.reshape(-1) @ weights + bias)))


def random_window(card):
    return rng.normal(-4, 3, (card.window_frames, 32)).astype(np.float32)


def test_onnx_scores(kit, band_model):
    runner = open_runner(band_model)
    window = random_window(runner.card)
    scores = runner.run(window)
    assert scores.dtype == np.float32
    assert scores.shape == (3,)
    np.testing.assert_allclose(scores, expected(kit, window), atol=1e-5)
    assert runner.runtime.startswith("onnxruntime ")
    assert runner.card == kit.band_card()


def test_kind_is_told_by_content_not_suffix(kit, tmp_path, band_model):
    disguised = tmp_path / "model.tflite"
    disguised.write_bytes(band_model.read_bytes())
    assert model_kind(disguised) == "onnx"
    assert open_runner(disguised).runtime.startswith("onnxruntime")


@pytest.mark.parametrize("integer", [False, True])
def test_tflite_scores(kit, tmp_path, integer):
    card = kit.band_card()
    runner = open_runner(kit.write_tflite(tmp_path / "m.tflite", card, integer=integer))
    assert runner.card == card
    assert "litert" in runner.runtime
    for _ in range(3):
        window = random_window(card)
        atol = 0.04 if integer else 1e-5
        np.testing.assert_allclose(runner.run(window), expected(kit, window), atol=atol)


def test_tflite_loads_quietly(kit, tmp_path, capfd):
    open_runner(kit.write_tflite(tmp_path / "m.tflite", kit.band_card()))
    assert capfd.readouterr().err == ""


def test_card_beside_and_given(kit, tmp_path):
    card = kit.band_card(name="beside")
    assert open_runner(kit.write_tflite(tmp_path / "m.tflite", None, beside=card)).card == card
    own = tmp_path / "own.json"
    own.write_text(kit.band_card(name="given").to_json())
    path = kit.write_onnx(tmp_path / "m.onnx", kit.band_card())
    assert open_runner(path, card=own).card.name == "given"
    assert open_runner(path, card=kit.band_card(name="object")).card.name == "object"
    bare = kit.write_onnx(tmp_path / "bare.onnx", None)
    (tmp_path / "model.json").write_text(kit.band_card(name="folder").to_json())
    assert open_runner(bare).card.name == "folder"


def test_no_card(kit, tmp_path):
    path = kit.write_onnx(tmp_path / "bare.onnx", None)
    with pytest.raises(CardError, match="carries no card") as e:
        open_runner(path)
    assert "--card" in e.value.hint


def test_state_goes_round_and_reset_zeroes_it(kit, tmp_path):
    card = kit.sum_card()
    runner = open_runner(kit.write_stateful_onnx(tmp_path / "s.onnx", card))
    window = np.full((card.window_frames, 32), 0.25, np.float32)
    assert [float(runner.run(window)[0]) for _ in range(3)] == [0.25, 0.5, 0.75]
    runner.reset()
    assert float(runner.run(window)[0]) == 0.25


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"labels": ("a", "b")}, "labels"),
        ({"labels": tuple("abcd")}, "labels"),
        ({"window_s": 0.7}, "window_s"),
        ({"states": (StateSpec(name="memory", shape=(1,)),)}, "states.memory"),
        ({"output": "logits"}, "field output is logits"),
    ],
)
def test_contradictions_name_the_field(kit, tmp_path, changes, field):
    path = kit.write_onnx(tmp_path / "m.onnx", None, weights=None)
    card = kit.band_card(**changes)
    with pytest.raises((CardError, RunnerError), match=field):
        open_runner(path, card=card)


def test_wrong_input_name_and_layout(kit, tmp_path, band_model):
    card = kit.band_card()
    named = msgspec.structs.replace(card, input=msgspec.structs.replace(card.input, name="x"))
    with pytest.raises(CardError, match=r"input\.name is x.*") as e:
        open_runner(band_model, card=named)
    assert "sound" in e.value.hint
    turned = msgspec.structs.replace(
        card, input=msgspec.structs.replace(card.input, layout="btf")
    )
    with pytest.raises(RunnerError, match=r"shape \[1, 1, 48, 32\] .*layout"):
        open_runner(band_model, card=turned)


def test_state_shape_is_checked(kit, tmp_path):
    path = kit.write_stateful_onnx(tmp_path / "s.onnx", kit.sum_card())
    card = kit.sum_card(states=(StateSpec(name="sum", shape=(2,)),))
    with pytest.raises(RunnerError, match=r"states\.sum\.shape"):
        open_runner(path, card=card)
    card = kit.sum_card(states=(StateSpec(name="sum", shape=(1,), type="int8"),))
    with pytest.raises(RunnerError, match=r"states\.sum\.type"):
        open_runner(path, card=card)
    with pytest.raises(RunnerError, match="neither the sound"):
        open_runner(path, card=kit.sum_card(states=()))


def test_open_shapes_are_checked_by_a_trial(kit, tmp_path):
    path = kit.write_onnx(tmp_path / "m.onnx", kit.band_card(), shape=["n", 1, "t", 32])
    assert open_runner(path).run(np.zeros((48, 32), np.float32)).shape == (3,)
    with pytest.raises(RunnerError, match="does not run"):
        open_runner(path, card=kit.band_card(window_s=0.7))


def test_foreign_card_on_tflite(kit, tmp_path):
    foreign = kit.band_card(window_s=0.3, labels=("a",))
    path = kit.write_tflite(tmp_path / "m.tflite", kit.band_card())
    with pytest.raises(RunnerError, match="window_s"):
        open_runner(path, card=foreign)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"just some text, not a model at all", "neither an ONNX nor a TFLite"),
        (b"\x08\x07\x12\x04junk" + b"\xff" * 400, "no ONNX model"),
        (b"\x1c\x00\x00\x00TFL3" + b"\x07" * 400, "no TFLite model"),
    ],
)
def test_corrupt_files(kit, tmp_path, content, says, capfd):
    path = tmp_path / "m.bin"
    path.write_bytes(content)
    with pytest.raises(RunnerError, match=says) as e:
        open_runner(path, card=kit.band_card())
    assert "\n" not in e.value.line()
    assert capfd.readouterr().err == ""


def test_truncated_models(kit, tmp_path, band_model):
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(band_model.read_bytes()[:-300])
    with pytest.raises((RunnerError, CardError)):
        open_runner(cut)
    whole = kit.write_tflite(tmp_path / "m.tflite", None)
    for share in (0.3, 0.9):
        part = tmp_path / "part.tflite"
        part.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        with pytest.raises(RunnerError):
            open_runner(part, card=kit.band_card())


def test_missing_file_folder_and_runtime(kit, tmp_path, band_model):
    with pytest.raises(RunnerError, match="No such file"):
        open_runner(tmp_path / "no.onnx")
    with pytest.raises(RunnerError, match="directory"):
        open_runner(tmp_path)
    with pytest.raises(RunnerError, match="runtime litert was asked for"):
        open_runner(band_model, runtime="litert")
    with pytest.raises(UsageError, match="no runtime"):
        open_runner(band_model, runtime="tensorrt")
    with pytest.raises(UsageError, match="-1 threads"):
        open_runner(band_model, threads=-1)


def test_missing_backend_names_the_mend(kit, tmp_path, band_model, monkeypatch):
    path = kit.write_tflite(tmp_path / "m.tflite", kit.band_card())
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as e:
        open_runner(path)
    assert e.value.hint == "pipx inject rt-tag ai-edge-litert"
    with pytest.raises(MissingExtra) as e:
        open_runner(band_model)
    assert "onnxruntime" in e.value.hint


@pytest.mark.parametrize(
    ("layout", "shape"),
    [("bctf", (1, 1, 48, 32)), ("bcft", (1, 1, 32, 48)), ("btfc", (1, 48, 32, 1)),
     ("btf", (1, 48, 32)), ("bft", (1, 32, 48))],
)  # fmt: skip
def test_layouts(kit, layout, shape):
    card = kit.band_card()
    card = msgspec.structs.replace(
        card, input=msgspec.structs.replace(card.input, layout=layout)
    )
    plan = Plan(card, "m")
    window = random_window(card)
    laid = plan.arrange(window)
    assert laid.shape == plan.input_shape == shape
    back = laid.reshape([n for n in shape if n != 1])
    np.testing.assert_array_equal(back.T if back.shape == (32, 48) else back, window)
    with pytest.raises(ValueError, match="window of shape"):
        plan.arrange(window[:-1])


def test_waveforms_are_scaled_once(kit):
    card = kit.band_card(input=InputSpec(kind="waveform", layout="bt", scale=32768.0))
    plan = Plan(card, "m")
    window = np.full(8000, 0.5, np.float32)
    assert plan.arrange(window).shape == (1, 8000)
    assert plan.arrange(window)[0, 0] == 16384.0
    assert window[0] == 0.5
    spec = FeatureSpec(kind="waveform", rate=16000, hop=160, scale=2.0)
    card = kit.band_card(input=InputSpec(kind="features", features=spec, layout="bct"))
    plan = Plan(card, "m")
    assert plan.window_shape == (50, 160)
    assert plan.arrange(np.ones((50, 160), np.float32)).shape == (1, 1, 8000)


@pytest.mark.parametrize(
    ("kind", "raw", "out"),
    [
        ("sigmoid", [0.2, 0.9], [0.2, 0.9]),
        ("softmax", [0.2, 0.8], [0.2, 0.8]),
        ("logit", [0.0, 800.0], [0.5, 1.0]),
        ("logit", [-800.0, np.log(3)], [0.0, 0.75]),
        ("logit_softmax", [1000.0, 1000.0], [0.5, 0.5]),
        ("logit_softmax", [0.0, np.log(3)], [0.25, 0.75]),
    ],
)
def test_activations(kit, kind, raw, out):
    plan = Plan(kit.band_card(labels=("a", "b"), scores=kind), "m")
    scores = plan.probabilities(np.array([raw]))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, out, atol=1e-6)


def test_a_gate_keeps_its_states_in_place(gate_model):
    """Tensors tied to arrays give the bits that the plain way gives."""
    rng = np.random.default_rng(3)
    rows = rng.normal(-9, 3, (50, 1, 40)).astype(np.float32)
    tied, plain = open_runner(gate_model), open_runner(gate_model)
    assert tied._bound is not None
    plain._bound = None
    for _ in range(2):
        found = [(tied.run(row), plain.run(row)) for row in rows]
        for a, b in found:
            assert np.array_equal(a, b)
            assert a.shape == (3,)
        assert len({float(a[0]) for a, _ in found}) == 50
        assert found[0][0] is not found[1][0]  # each step has scores of its own
        tied.reset()
        plain.reset()


def test_a_runtime_that_writes_elsewhere_is_used_the_plain_way(gate_model, monkeypatch):
    from realtime.runners import onnx

    class Elsewhere(onnx._Bound):
        def run(self, sound):
            return super().run(sound) + 1

    monkeypatch.setattr(onnx, "_Bound", Elsewhere)
    assert open_runner(gate_model)._bound is None
