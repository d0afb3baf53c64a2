"""Checkpoints of random weights that are sure of what they say, as trained ones are."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit_export import LABELS, SPEC, trial_card

from realtime.features import FeatureSpec


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
        card = trial_card(spec)
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


MADE: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def convert_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same network is converted once: a converter takes seconds, its file is the same."""
    pytest.importorskip("torch", reason="needs the train extra")
    from export import gate, to_onnx, to_tflite, twin

    def once(convert: Callable[..., Any]) -> Callable[..., Any]:
        def found(network: Any, inputs: Any, outputs: Any, name: str) -> Any:
            shapes = {name: tuple(tensor.shape) for name, tensor in inputs.items()}
            key = hashlib.sha256(f"{convert.__name__} {network} {shapes} {outputs}".encode())
            for tensor in network.state_dict().values():
                key.update(tensor.numpy().tobytes())
            if key.hexdigest() not in MADE:
                MADE[key.hexdigest()] = convert(network, inputs, outputs, name)
            return copy.deepcopy(MADE[key.hexdigest()])

        return found

    for convert, modules in (
        (to_onnx.onnx_of, (to_onnx, gate, twin)),
        (to_tflite.tflite_of, (to_tflite, gate, twin)),
    ):
        for module in modules:
            monkeypatch.setattr(module, convert.__name__, once(convert))
