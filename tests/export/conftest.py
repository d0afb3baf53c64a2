"""Checkpoints of random weights that are sure of what they say, as trained ones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realtime.card import FORMAT, Card, InputSpec
from realtime.features import FeatureSpec

SPEC = FeatureSpec(
    kind="mel", rate=16_000, frame=480, mels=40, log_floor=1e-5, mean=-4.0, std=4.0
)
LABELS = ("yes", "no", "up", "unknown")


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a checkpoint of a network by its description, whose last layer is `last`."""
    torch = pytest.importorskip("torch", reason="needs the train extra")
    pytest.importorskip("safetensors", reason="needs the train extra")
    from export import calibrate
    from models import build
    from models.checkpoint import save_checkpoint

    def make(
        shape: dict[str, Any], last: str, spec: FeatureSpec = SPEC, spoil: Any = None
    ) -> Path:
        torch.set_num_threads(1)  # two wait for each other on a busy machine
        torch.manual_seed(1)
        network = build(shape, len(LABELS))
        layout = "bct" if spec.kind == "waveform" else "bctf"
        card = Card(
            format=FORMAT,
            name="trial",
            task="tag",
            input=InputSpec(kind="features", features=spec, layout=layout),
            rate=spec.rate,
            window_s=1.0,
            hop_s=0.1,
            labels=LABELS,
            scores="logit_softmax",
            licence="CC0",
            measured=({"figure": "none"},),
            recipe={"name": "trial"},
            digest=spec.digest(),
        )
        clips = calibrate.take_clips(card, [], "train", 20, "demo")
        windows = torch.from_numpy(clips.windows)[:, None]
        network.train()
        with torch.no_grad():
            for _ in range(30 if shape["network"] == "dscnn" else 2):
                network(windows)
            network.eval()
            logits = network(windows)
            layer = network.get_submodule(last)
            layer.bias -= logits.mean(0)
            layer.weight *= 3.0 / logits.std()
            layer.bias *= 3.0 / logits.std()
            if spoil is not None:
                spoil(network)
        path = tmp_path_factory.mktemp("checkpoint") / "best.safetensors"
        tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
        save_checkpoint(path, tensors, shape, card)
        return path

    return make


@pytest.fixture(scope="session")
def checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    """A DS-CNN."""
    shape = {"network": "dscnn", "stem": 8, "stages": [[12, 1, 2], [16, 2, 2]]}
    return make_checkpoint(shape, "classifier")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run rt-export: exit status, stdout, stderr."""
    from export import command

    def run(*words: object) -> tuple[int, str, str]:
        status = command.main([str(w) for w in words])
        out, err = capsys.readouterr()
        return status, out, err

    return run
