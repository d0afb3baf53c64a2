"""Whether the kinds, the work and the profilers' times are those of the model that ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from realtime.library import WEIGHTS
from train.evaluate import main
from train.latency import by_onnx, kinds
from train.latency.judge import shares

KWS12_MACS = 34_000_000  # models/dscnn.py


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr("train.latency.judge.BUDGET_S", 0.02)


def run(capsys, *words: str | Path) -> tuple[int, str, str]:
    status = main(["latency", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


def by_kind(out: str) -> dict[str, dict]:
    return {k["kind"]: k for k in json.loads(out)["kinds"]}


def check_kws12(out: str) -> dict[str, dict]:
    found = json.loads(out)
    kind = by_kind(out)
    assert found["macs"] == pytest.approx(KWS12_MACS, rel=0.01)
    assert kind["convolution"]["in_file"] == 19, "a stem, and nine blocks of two"
    assert kind["convolution"]["layers"] == 19
    assert kind["linear"]["macs"] == 256 * 12
    assert sum(k["macs"] for k in found["kinds"]) == found["macs"]
    assert sum(k["percent"] for k in found["kinds"]) == pytest.approx(100)
    assert sum(k["ms"] for k in found["kinds"]) == pytest.approx(found["profiled_ms"])
    assert kind["convolution"]["percent"] > 50
    assert 0 < found["ms"] <= found["ms_p99"]
    return kind


def test_onnx_model_by_its_runtime(capsys):
    status, out, err = run(capsys, "kws12", "--json")
    assert status == 0, err
    kind = check_kws12(out)
    assert kind["quantise, dequantise"]["layers"] < kind["quantise, dequantise"]["in_file"]


def test_tflite_model_by_its_runtime(capsys):
    pytest.importorskip("ai_edge_litert", reason="needs the tflite extra")
    status, out, err = run(capsys, "kws12", "--runtime", "litert", "--json")
    assert status == 0, err
    if json.loads(out)["profiled_ms"] is None:
        pytest.skip("this LiteRT has no profiler")
    check_kws12(out)


def test_fused_layers_are_said(capsys):
    status, out, err = run(capsys, "kws12-float", "--json")
    assert status == 0, err
    activation = by_kind(out)["activation"]
    assert activation["in_file"] == 19
    assert activation["layers"] == 0
    assert activation["percent"] == 0


def test_states_are_fed_too(capsys):
    status, out, err = run(capsys, "voice-tiny")
    assert status == 0, err
    assert "voice-tiny in onnxruntime" in out
    assert "linear" in out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_network_of_the_catalogue(capsys, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    picture = tmp_path / "kinds.png"
    status, out, err = run(capsys, "dscnn-s", "--json", "--plot", picture)
    assert status == 0, err
    found = json.loads(out)
    assert found["random_weights"]
    assert found["macs"] == pytest.approx(2.66e6, rel=0.01), "as docs/models.md counts"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_fresh_file_holds_every_weight(tmp_path):
    """timm's ResNets begin their blocks at zero, and a file keeps equal tensors once."""
    pytest.importorskip("torch", reason="needs the train extra")
    from models import build, parameters
    from train.latency.fresh import write_fresh

    write_fresh("resnet18", tmp_path / "x.onnx")
    weights = 4 * parameters(build({"network": "resnet18"}, 200))
    assert (tmp_path / "x.onnx").stat().st_size > 0.99 * weights


def test_without_a_profiler_no_time_is_made_up(capsys, monkeypatch):
    pytest.importorskip("ai_edge_litert", reason="needs the tflite extra")
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    status, out, err = run(capsys, "kws12", "--runtime", "litert", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["profiled_ms"] is None
    assert {k["percent"] for k in found["kinds"]} == {None}
    assert found["macs"] == pytest.approx(KWS12_MACS, rel=0.01)
    status, out, _ = run(capsys, "kws12", "--runtime", "litert")
    assert "tells no times of layers" in out


def test_wrong_use(capsys, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08" + b"x" * 40)
    for words, status in (
        (["nothing-of-that-name"], 2),
        ([tmp_path / "none.onnx"], 3),
        ([broken], 3),
        (["kws12", "--threads", "-1"], 2),
        (["kws12", "--plot", tmp_path / "a.xyz"], 2),
    ):
        code, out, err = run(capsys, *words)
        assert code == status, err
        assert out == ""
        assert err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["broken.onnx"]


def test_attention_is_told_from_linear():
    sound, weights = [1, 99, 64], [64, 192]
    assert kinds.onnx_kind("MatMul", [sound, weights]) == "linear"
    assert kinds.onnx_kind("MatMul", [[1, 1, 99, 64], [1, 1, 64, 99]]) == "attention"
    assert kinds.onnx_kind("Softmax", [[1, 1, 99, 99]]) == "attention"
    assert kinds.onnx_kind("Softmax", [[1, 12]]) == "activation"
    assert kinds.onnx_kind("NewThing", [[1, 12]]) == "other"
    assert kinds.tflite_kind("FULLY_CONNECTED", [[1, 49, 20, 32], [64, 32]]) == "convolution"


def test_work_of_operators():
    assert kinds.onnx_macs("Conv", [[1, 8, 9, 9], [4, 8, 3, 3]], [[1, 4, 7, 7]]) == 196 * 72
    assert kinds.onnx_macs("Gemm", [[1, 256], [256, 12]], [[1, 12]]) == 3072
    assert kinds.onnx_macs("GRU", [[5, 1, 3], [1, 12, 3], [1, 12, 4]], [[5, 1, 1, 4]]) == 5 * 84
    assert kinds.onnx_macs("Relu", [[1, 4]], [[1, 4]]) == 0
    depth = [[1, 9, 9, 8], [1, 3, 3, 8]]
    assert kinds.tflite_macs("DEPTHWISE_CONV_2D", depth, [[1, 7, 7, 8]]) == 392 * 9


def test_a_layer_that_waited_does_not_count():
    assert kinds.typical([1.0, 1.0, 2.0, 900.0]) == pytest.approx(4 / 3)


def test_one_layer_alone_has_all_the_time():
    file = [kinds.Layer("Conv", "convolution", macs=10), kinds.Layer("Relu", "activation")]
    found = shares(file, [kinds.Layer("FusedConv", "convolution", ms=2.0)])
    assert [(s.kind, s.percent, s.layers, s.in_file, s.macs) for s in found] == [
        ("convolution", 100.0, 1, 1, 10),
        ("activation", 0.0, 0, 1, 0),
    ]


def test_layers_of_the_shipped_file():
    found = by_onnx.file_layers(WEIGHTS / "kws12-tiny.onnx")
    assert sum(layer.macs for layer in found) == pytest.approx(7_000_000, rel=0.02)
