"""Every type that a file can be of: it agrees in the real runner, or there is no file."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
onnx = pytest.importorskip("onnx", reason="needs the export extra")
pytest.importorskip("onnxscript", reason="needs the export extra")

from realtime.features import FeatureSpec  # noqa: E402
from realtime.runners import open_runner  # noqa: E402

FEW = ("--clips", "10", "--json")


def loud_channel(network):
    """The same function of its input, with one channel a thousand times as large inside."""
    block = network.blocks[2]
    block.depth_norm.weight[0] *= 1000
    block.depth_norm.bias[0] *= 1000
    block.pointwise.weight[:, 0] /= 1000


@pytest.fixture(scope="module")
def uneven(make_checkpoint):
    """A DS-CNN that is badly made for eight bits in the middle."""
    shape = {"network": "dscnn", "stem": 8, "stages": [[12, 1, 2], [16, 2, 2]]}
    return make_checkpoint(shape, "classifier", spoil=loud_channel)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("a.onnx", "float16", "int8 or dynamic"),
        ("a.onnx", "int8-full", "FILE.tflite"),
    ],
)
def test_what_a_format_does_not_have(call, checkpoint, tmp_path, name, kind, says):
    status, _, err = call(checkpoint, "-o", tmp_path / name, "--type", kind)
    assert status == 2
    assert kind in err
    assert says in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_options_of_static_types_alone(call, checkpoint, tmp_path):
    for words in (["--sensitivity"], ["--keep-float", "stem"]):
        status, _, err = call(checkpoint, "-o", tmp_path / "a.onnx", *words)
        assert status == 2
        assert f"{words[0]} with --type float" in err


def test_a_transformer_with_dynamic_int8(call, make_checkpoint, tmp_path):
    pytest.importorskip("timm", reason="needs the train extra")
    shape = {
        "network": "ast", "backbone": "deit_tiny_distilled_patch16_224",
        "frames": 98, "mels": 40, "layers": 1,
    }  # fmt: skip
    source = make_checkpoint(shape, "head")
    out = tmp_path / "ast.onnx"
    status, text, err = call(source, "-o", out, "--type", "dynamic", *FEW)
    assert status == 0, err
    report = json.loads(text)
    assert report["kind"] == "ONNX dynamic"
    assert report["agreement"]["mean"] < 0.02
    assert report["metric"] == {
        "name": "agreement", "before": 1.0, "after": report["agreement"]["top"],
    }  # fmt: skip
    kinds = [n.op_type for n in onnx.load(out).graph.node]
    assert kinds.count("MatMulInteger") >= 4
    assert out.stat().st_size < 0.4 * source.stat().st_size
    entry = open_runner(out).card.measured[1]
    assert entry["metric"] == "agreement"
    assert entry["memory_mb"] > 10
    assert entry["ms_p99"] >= entry["ms_per_window"] > 0


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_a_network_that_hears_samples(call, make_checkpoint, tmp_path, kind):
    spec = FeatureSpec(kind="waveform", rate=8_000, frame=80, hop=80)
    shape = {"network": "waveform", "stem": 8, "stages": [[8, 1], [16, 1]]}
    source = make_checkpoint(shape, "head.0", spec=spec)
    out = tmp_path / "m.onnx"
    status, text, err = call(source, "-o", out, "--type", kind, *FEW)
    assert status == 0, err
    assert json.loads(text)["agreement"]["windows"] > 1
    runner = open_runner(out)
    assert runner.run(np.zeros((100, 80), np.float32)).shape == (4,)


def test_layers_that_int8_costs_too_much_stay_float(call, uneven, tmp_path):
    out = tmp_path / "u_q.onnx"
    status, text, err = call(uneven, "-o", out, *FEW)
    assert status == 0, err
    report = json.loads(text)
    costs = {c["layer"]: c for c in report["layers"]}
    assert list(costs) == sorted(costs, key=lambda name: -costs[name]["mean"])
    assert {"stem", "blocks.0.depthwise", "blocks.3.pointwise", "classifier"} <= set(costs)
    worst = list(costs)[:3]
    assert {"blocks.2.depthwise", "blocks.2.pointwise"} & set(worst)
    kept = [c["layer"] for c in report["layers"] if c["kept"]]
    assert worst[0] in kept
    assert len(kept) < len(costs)
    assert f"float: {worst[0]}" in report["method"] or worst[0] == "stem"
    assert report["agreement"]["mean"] <= 0.02
    status, _, err = call(uneven, "-o", tmp_path / "n_q.onnx", "--keep-float", "none", *FEW)
    assert status == 7, "without the pass it does not agree"
    assert [p.name for p in tmp_path.iterdir()] == ["u_q.onnx"]


def test_layers_by_name_stay_float(call, checkpoint, tmp_path):
    out = tmp_path / "t_q.onnx"
    names = "blocks.1.depthwise,classifier"
    status, text, err = call(
        checkpoint, "-o", out, "--keep-float", names, "--sensitivity", *FEW
    )
    assert status == 0, err
    report = json.loads(text)
    kept = {c["layer"] for c in report["layers"] if c["kept"]}
    assert {"blocks.1.depthwise", "classifier"} <= kept
    assert "blocks.2.depthwise" not in kept
    assert "--keep-float " + names in open_runner(out).card.measured[1]["command"]
    graph = onnx.load(out).graph
    floats = {w.name for w in graph.initializer if w.data_type == onnx.TensorProto.FLOAT}
    plain = [n for n in graph.node if n.op_type == "Conv" and n.input[1] in floats]
    assert len(plain) == 2  # the first, and the one that was named
    status, _, err = call(checkpoint, "-o", out, "--keep-float", "blocks.1.deepwise")
    assert status == 2
    assert "did you mean blocks.1.depthwise?" in err


def test_a_layer_that_is_not_there_is_told_before_any_sound_is_read(call, checkpoint, tmp_path):
    """The sounds cannot be read, which nobody gets to."""
    for i in range(4):
        (tmp_path / f"data/{i % 2}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"data/{i % 2}/{i}.wav").write_text("no sound")
    base = (checkpoint, "-o", tmp_path / "t_q.onnx", "--data", tmp_path / "data")
    for layer, says in (("nosuch", "it has stem"), ("stm", "did you mean stem?")):
        status, _, err = call(*base, "--keep-float", f"classifier,{layer}")
        assert status == 2, err
        assert f"--keep-float {layer}: the network has no such layer" in err
        assert says in err
        assert err.count("\n") == 1
    status, _, err = call(*base, "--keep-float", "classifier")
    assert status == 4, err


def test_the_table_of_layers_is_shown(call, checkpoint, tmp_path):
    status, text, err = call(
        checkpoint, "-o", tmp_path / "t_q.onnx", "--sensitivity", "--clips", "10"
    )
    assert status == 0, err
    assert "blocks.3.pointwise" in text
    assert "agreement" in text
    assert "at most" in text


def folder_of(tmp_path, content):
    for name in ("yes/a.wav", "no/a.wav", "yes/b.wav", "no/b.wav"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"


def test_calibration_without_sound(call, checkpoint, tmp_path):
    out = tmp_path / "t_q.onnx"
    empty = tmp_path / "empty"
    (empty / "yes").mkdir(parents=True)
    lists = {part: tmp_path / f"{part}.csv" for part in ("train", "val")}
    for part, path in lists.items():
        path.write_text(f"file,label,group,split,role\na.wav,yes,1,{part},clip\n")
    for data, want, says in (
        (empty, 2, "no sound of part train or val"),
        (lists["val"], 2, "no sound of part train to calibrate"),
        (lists["train"], 2, "no sound of part val to compare"),
        (folder_of(tmp_path, b"this is no sound"), 4, "could be read"),
    ):
        status, text, err = call(checkpoint, "-o", out, "--data", data)
        assert status == want, err
        line = [x for x in err.splitlines() if "error" in x]
        assert len(line) == 1
        assert says in line[0]
        assert text == ""
        assert not out.exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("where", ["export.job.measure", "export.job.verify.compare"])
def test_ctrl_c_leaves_nothing(call, checkpoint, tmp_path, monkeypatch, where):
    def interrupted(*_):
        os.kill(os.getpid(), signal.SIGINT)
        return pytest.fail("nobody came")

    monkeypatch.setattr(where, interrupted)
    assert call(checkpoint, "-o", tmp_path / "t.onnx", "--clips", "10")[0] == 130
    assert not list(tmp_path.iterdir())


def test_a_wrong_scale_is_refused(call, checkpoint, tmp_path, monkeypatch):
    """Ranges that are a hundred times too wide: every scale of the file is wrong."""
    from export.quantize import Spans

    cover = Spans.cover
    monkeypatch.setattr(
        Spans, "cover", lambda self, share: {
            k: (100 * a, 100 * b) for k, (a, b) in cover(self, share).items()
        },
    )  # fmt: skip
    status, _, err = call(
        checkpoint, "-o", tmp_path / "t_q.onnx", "--keep-float", "none", "--clips", "10"
    )
    assert status == 7
    assert "does not agree" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["float16", "int8", "int8-full", "dynamic"])
def test_tflite(call, checkpoint, tmp_path, kind):
    pytest.importorskip("litert_torch", reason="needs the export extra on x86-64")
    out = tmp_path / "t.tflite"
    words = ["--sensitivity"] if kind.startswith("int8") else []
    status, text, err = call(checkpoint, "-o", out, "--type", kind, *words, *FEW)
    assert status == 0, err
    report = json.loads(text)
    assert report["agreement"]["mean"] <= (0.002 if kind == "float16" else 0.02)
    if words:
        names = {c["layer"] for c in report["layers"]}
        assert {"stem", "blocks.0.depthwise", "blocks.3.pointwise", "classifier"} == {
            n for n in names if n in ("stem", "classifier") or n.endswith("0.depthwise")
            or n.endswith("3.pointwise")
        }  # fmt: skip
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    net = interpreter.Interpreter(model_path=str(out))
    net.allocate_tensors()
    ends = {d["dtype"] for d in (*net.get_input_details(), *net.get_output_details())}
    assert ends == {np.int8 if kind == "int8-full" else np.float32}
    runner = open_runner(out)
    scores = runner.run(np.zeros((runner.card.window_frames, 40), np.float32))
    assert scores.sum() == pytest.approx(1.0, abs=1e-5)
    again = tmp_path / "again.tflite"
    words = (checkpoint, "-o", again, "--type", kind, "--tolerance", "1e-12", *FEW)
    assert call(*words)[0] == 7
    assert not again.exists()
