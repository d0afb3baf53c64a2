"""Each route, from a checkpoint of random weights to a file that the real runner reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from kit_export import LABELS, trial_card

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("safetensors", reason="needs the train extra")

from export import calibrate, quantize, verify  # noqa: E402
from export.stamp import stamp  # noqa: E402
from models.checkpoint import load_model  # noqa: E402
from realtime.errors import ParityError  # noqa: E402
from realtime.runners import open_runner  # noqa: E402


def check_route(checkpoint: Path, out: Path, call, kind: str) -> None:
    status, text, err = call(checkpoint, "-o", out, "--clips", "40", "--json")
    assert status == 0, err
    report = json.loads(text)
    assert report["kind"].endswith(kind)
    assert report["model_bytes"] == out.stat().st_size
    assert report["agreement"]["mean"] <= verify.LIMITS[kind].mean
    assert not list(out.parent.glob(".*"))

    runner = open_runner(out)
    card = runner.card
    assert card.name == "trial"
    assert card.labels == LABELS
    assert card.recipe == {"name": "trial"}
    assert card.measured[0] == {"figure": "none"}
    entry = card.measured[1]
    assert entry["command"].startswith("rt-export best.safetensors -o ")
    assert str(out.parent) not in out.read_bytes().decode("latin-1")
    assert abs(entry["model_kb"] - report["model_bytes"] / 1000) < 0.11
    scores = runner.run(np.zeros((card.window_frames, 40), np.float32))
    assert scores.shape == (4,)
    assert scores.sum() == pytest.approx(1.0, abs=1e-5)


def test_onnx_float(checkpoint, tmp_path, call):
    pytest.importorskip("onnxscript", reason="needs the export extra")
    check_route(checkpoint, tmp_path / "trial.onnx", call, "float")


@pytest.mark.parametrize("name", ["ears.onnx", "ears_q.onnx"])
def test_an_embedding_as_a_second_output(checkpoint, tmp_path, call, name):
    pytest.importorskip("onnxscript", reason="needs the export extra")
    ort = pytest.importorskip("onnxruntime")
    out = tmp_path / name
    status, _, err = call(checkpoint, "--embedding", "-o", out, "--clips", "40")
    assert status == 0, err
    session = ort.InferenceSession(out)
    assert [(o.name, o.shape) for o in session.get_outputs()] == [
        ("scores", [1, 4]), ("embedding", [1, 16]),
    ]  # fmt: skip
    card = open_runner(out).card
    clips = calibrate.take_clips(card, [], "val", 10, "demo")
    network, _ = load_model(checkpoint)
    want, have = [], []
    for window in clips.windows:
        scores, embedding = session.run(None, {"features": window[None, None]})
        have.append(scores[0])
        with torch.no_grad():
            want.append(network.classifier(torch.from_numpy(embedding))[0].numpy())
    np.testing.assert_allclose(have, want, atol=1e-4 if name == "ears.onnx" else 0.5)


def test_only_taggers_in_onnx_give_an_embedding(checkpoint, tmp_path, call):
    pytest.importorskip("litert_torch", reason="needs the export extra on x86-64")
    out = tmp_path / "ears.tflite"
    status, _, err = call(checkpoint, "--embedding", "-o", out)
    assert (status, out.exists()) == (2, False)
    assert "--embedding" in err


def test_onnx_int8_and_its_smallness(checkpoint, tmp_path, call):
    onnx = pytest.importorskip("onnx", reason="needs the export extra")
    pytest.importorskip("onnxscript", reason="needs the export extra")
    out = tmp_path / "trial_q.onnx"
    check_route(checkpoint, out, call, "int8")
    model = onnx.load(out)
    kinds = [n.op_type for n in model.graph.node]
    assert kinds.count("QuantizeLinear") > 5
    assert "BatchNormalization" not in kinds
    assert kinds[0] == "Conv", "the first layer stays float"
    assert [p.key for p in model.metadata_props] == ["rt.card"]
    assert not any(n.metadata_props or n.doc_string for n in model.graph.node)
    assert out.stat().st_size < 20_000


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["trial.tflite", "trial_q.tflite"])
def test_tflite(checkpoint, tmp_path, call, name):
    pytest.importorskip("litert_torch", reason="needs the export extra on x86-64")
    check_route(checkpoint, tmp_path / name, call, "int8" if "_q" in name else "float")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    mapped = interpreter.Interpreter(model_path=str(tmp_path / name))
    held = interpreter.Interpreter(model_content=(tmp_path / name).read_bytes())
    for net in (mapped, held):
        net.allocate_tensors()
        net.invoke()


def test_a_model_that_disagrees_is_refused_and_not_left(
    checkpoint, tmp_path, call, monkeypatch
):
    onnx = pytest.importorskip("onnx", reason="needs the export extra")
    pytest.importorskip("onnxscript", reason="needs the export extra")
    out = tmp_path / "trial.onnx"
    out.write_bytes(b"what was there before")

    def spoiled(model, card):
        proto = onnx.load_from_string(model)
        for weight in proto.graph.initializer:
            values = onnx.numpy_helper.to_array(weight)
            if values.shape == (len(LABELS),):  # the last layer's bias
                weight.CopyFrom(onnx.numpy_helper.from_array(values[::-1] + 1, weight.name))
        return stamp(proto.SerializeToString(), card)

    monkeypatch.setattr("export.job.stamp", spoiled)
    status, text, err = call(checkpoint, "-o", out, "--clips", "40")
    assert status == ParityError.status == 7
    assert "does not agree" in err
    assert text == ""
    assert out.read_bytes() == b"what was there before"
    assert [p.name for p in tmp_path.iterdir()] == ["trial.onnx"]


def test_tolerance_refuses_what_the_default_takes(checkpoint, tmp_path, call):
    pytest.importorskip("onnxscript", reason="needs the export extra")
    out = tmp_path / "trial.onnx"
    words = (checkpoint, "-o", out, "--clips", "10", "--tolerance", "1e-12")
    assert call(*words)[0] == 7
    assert not list(tmp_path.iterdir())


def test_wrong_use(checkpoint, tmp_path, call, monkeypatch):
    def status(*words) -> tuple[int, str]:
        code, _, err = call(*words)
        assert "Traceback" not in err
        return code, err

    text = tmp_path / "text.safetensors"
    text.write_text("no checkpoint")
    good = tmp_path / "a.onnx"
    assert status(checkpoint, "-o", tmp_path / "a.pt")[0] == 2
    assert status(checkpoint)[0] == 2
    assert status(checkpoint, "-o", good, "--clips", "1")[0] == 2
    assert status(checkpoint, "-o", good, "--data", tmp_path / "none.csv")[0] == 2
    for share in ("nan", "0", "-0.1", "2"):
        assert status(checkpoint, "-o", good, f"--tolerance={share}")[0] == 2, share
    assert status(text, "-o", good)[0] == 3
    assert status(tmp_path / "missing.safetensors", "-o", good)[0] == 3
    assert status(checkpoint, "-o", tmp_path / "no" / "a.onnx")[0] == 6
    folder = tmp_path / "b.onnx"
    folder.mkdir()
    code, err = status(checkpoint, "-o", folder)
    assert code == 6
    assert "is a folder" in err
    folder.rmdir()
    monkeypatch.setattr("export.quiet.find_spec", lambda name: None)
    code, err = status(checkpoint, "-o", tmp_path / "a.tflite")
    assert code == 5
    assert "litert-torch" in err
    assert "rt-tag[export]" in err
    assert [p.name for p in tmp_path.iterdir()] == ["text.safetensors"]


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ('{"network": ', "describes no network"),
        ("[1]", "describes no network"),
        ('{"network": "dscn"}', "no network 'dscn'"),
        ('{"network": "dscnn", "stems": 8}', "stems"),
        ('{"network": "dscnn", "stem": 8}', "Missing key"),
        (None, "holds no card"),
    ],
)
def test_checkpoints_of_no_network(call, tmp_path, network, says):
    from safetensors.torch import save_file

    header = {"rt.card": trial_card().to_json()}
    header |= {"rt.network": network} if network else {}
    path = tmp_path / "best.safetensors"
    save_file({"model.x": torch.zeros(1)}, path, header)
    status, _, err = call(path, "-o", tmp_path / "a.onnx")
    assert status == 3, err
    assert says in err
    assert err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_spans_cover_a_share_of_windows():
    low = np.linspace(-1, 0, 101, dtype=np.float32)
    spans = quantize.Spans({"a": low}, {"a": 10 + low})
    assert spans.cover(1.0)["a"] == (-1, 10)
    assert spans.cover(0.9)["a"] == pytest.approx((-0.9, 9.9))


def test_one_event_may_become_two_but_none_may_appear():
    whole = [verify.Found("off", 14.2, 15.0, 0.9)]
    second = verify.Found("off", 14.7, 15.0, 0.9)
    assert verify._among(second, whole, 0.25)
    assert not verify._among(verify.Found("off", 15.4, 15.6, 0.9), whole, 0.25)
    assert not verify._among(verify.Found("on", 14.2, 15.0, 0.9), whole, 0.25)


def test_scores_that_are_no_numbers_are_no_agreement():
    class Fixed:
        runtime = "none"
        card = trial_card(scores="softmax")

        def __init__(self, value: float) -> None:
            self.value = value

        def run(self, window):
            return np.full(4, self.value, np.float32)

        def reset(self) -> None:
            pass

    clips = calibrate.Clips(np.zeros((3, 1, 1), np.float32), np.full(3, -1), "none")
    found = verify.compare(Fixed(0.25), Fixed(float("nan")), clips, margin=0.1)
    assert found.mean == 1.0
    with pytest.raises(ParityError):
        verify.require(found, verify.LIMITS["int8"], "fixed")
