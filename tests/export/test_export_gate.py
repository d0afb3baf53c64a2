"""A gate of random weights through every route: the real runner agrees, its head is float."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
onnx = pytest.importorskip("onnx", reason="needs the export extra")

from export import command  # noqa: E402
from export.gate import HEAD  # noqa: E402
from models import build  # noqa: E402
from models.checkpoint import save_checkpoint  # noqa: E402
from realtime.card import FORMAT, Card, InputSpec  # noqa: E402
from realtime.features import FeatureSpec  # noqa: E402
from realtime.runners import open_runner  # noqa: E402

torch.set_num_threads(1)  # two wait for each other on a busy machine

SPEC = FeatureSpec(kind="mel", rate=16_000, mels=20, log_floor=1e-8, mean=-6.0, std=5.0)
SHAPE = {
    "network": "gate",
    "mels": 20,
    "channels": [12, 16],
    "units": [16, 20],
    "head": 12,
    "kinds": 3,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    torch.manual_seed(1)
    network = build(SHAPE, 2)
    card = Card(
        format=FORMAT,
        name="trial-gate",
        task="gate",
        input=InputSpec(kind="features", features=SPEC, layout="btf"),
        rate=SPEC.rate,
        window_s=0.01,
        hop_s=0.01,
        labels=("open", "open_20ms"),
        lookahead_ms=(0.0, 20.0),
        scores="logit",
        digest=SPEC.digest(),
    )
    path = tmp_path_factory.mktemp("gate") / "best.safetensors"
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    save_checkpoint(path, tensors, SHAPE, card)
    return path


@pytest.mark.parametrize("name", ["g.onnx", "g_q.onnx", "g.tflite", "g_q.tflite"])
def test_every_route_agrees_and_carries_its_card(checkpoint, tmp_path, capsys, name) -> None:
    if name.endswith("tflite"):
        pytest.importorskip("litert_torch", reason="needs the export extra on x86-64")
    out = tmp_path / name
    assert command.main([str(checkpoint), "-o", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["agreement"]["mean"] < (0.01 if "_q" in name else 1e-5)
    runner = open_runner(out)
    assert [s.name for s in runner.card.states] == ["frames", "channels", "lower", "upper"]
    assert runner.card.lookahead_ms == (0.0, 20.0)
    frames = np.random.default_rng(1).standard_normal((5, 1, 20)).astype(np.float32)
    first = [runner.run(f) for f in frames]
    assert not np.allclose(first[0], runner.run(frames[0]))  # it remembers
    runner.reset()
    assert np.array_equal(first, [runner.run(f) for f in frames])


@pytest.mark.parametrize("name", ["g.onnx", "g_q.onnx"])
def test_the_head_can_be_found_and_is_float(checkpoint, tmp_path, name) -> None:
    out = tmp_path / name
    assert command.main([str(checkpoint), "-o", str(out)]) == 0
    model = onnx.load(out)
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    for part in HEAD:
        assert weights[f"head.{part}"].dtype == np.float32
    assert sorted(weights["head.hidden.weight"].shape) == [12, 52]
    assert "embedding" in [o.name for o in model.graph.output]
    assert not any("/" in n.name for n in model.graph.node)
