"""A twin's file, in the real runner, says what the twin says in torch."""

from __future__ import annotations

import functools

import msgspec
import numpy as np
import pytest
from kit_export import SPEC, trial_card

torch = pytest.importorskip("torch", reason="needs the train extra")

from export.sounds import DEMO, read_mono  # noqa: E402
from export.stamp import stamp  # noqa: E402
from export.twin import twin_to_onnx, twin_to_tflite  # noqa: E402
from export.verify import events_of  # noqa: E402
from models import build  # noqa: E402
from models.streaming import TwinRunner, twin_of  # noqa: E402
from realtime.card import Card, Decision  # noqa: E402
from realtime.errors import RunnerError  # noqa: E402
from realtime.frontend import one_shot  # noqa: E402
from realtime.runners import open_runner  # noqa: E402

NETWORKS = {
    "dscnn": {"network": "dscnn", "stem": 8, "stages": [[12, 1, 2], [16, 2, 1]]},
    "crnn": {
        "network": "crnn", "mels": 40, "channels": 8, "units": 8,
        "pools": [[2, 4], [2, 4], [1, 2]],
    },
}  # fmt: skip


def tagger(name: str):
    torch.set_num_threads(1)  # two wait for each other on a busy machine
    torch.manual_seed(2)
    labels = ("yes", "no", "up")
    network = build(NETWORKS[name], len(labels))
    card = trial_card(
        labels=labels, thresholds={"default": 0.4}, decision=Decision(exclusive=True)
    )
    frames = torch.from_numpy(steps_of(97, sound()))
    with torch.no_grad():
        network.train()(frames[:, None])
        network.eval()
        last = list(network.parameters())[-2:]
        for parameter in last:
            parameter.mul_(3 / network(frames[:, None]).std(0).mean())
        last[1] -= network(frames[:, None]).mean(0)
    return network, card


def twin(name: str):
    return twin_of(*tagger(name), instants=6)


def sound() -> np.ndarray:
    return read_mono(DEMO, SPEC.rate)


def steps_of(frames: int, audio: np.ndarray) -> np.ndarray:
    """Running sound, so many frames a step: float32 [steps, frames, mels]."""
    found = one_shot(SPEC, audio)
    return found[: len(found) // frames * frames].reshape(-1, frames, found.shape[1])


def check(model: bytes, card: Card, source: TwinRunner, path) -> None:
    path.write_bytes(stamp(model, card))
    runner = open_runner(path)
    assert runner.card.states == card.states
    steps = steps_of(card.window_frames, sound())
    ours, theirs = (np.stack([r.run(step) for step in steps]) for r in (runner, source))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert theirs.std(0).min() > 0.02, "scores that never change show nothing"
    events = [[(e.label, e.t, e.stop) for e in events_of(r, DEMO)] for r in (runner, source)]
    assert events[0] == events[1]
    assert len(events[0]) > 3


@functools.cache  # the exporter takes its time
def onnx_of(name: str):
    pytest.importorskip("onnxscript", reason="needs the export extra")
    network, card = twin(name)
    return *twin_to_onnx(network, card), TwinRunner(network, card)


def test_command(tmp_path, capsys):
    pytest.importorskip("onnxscript", reason="needs the export extra")
    from export import command
    from models.checkpoint import save_checkpoint

    checkpoint, out = tmp_path / "best.safetensors", tmp_path / "trial_stream.onnx"
    network, card = tagger("dscnn")
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    save_checkpoint(checkpoint, tensors, NETWORKS["dscnn"], card)
    words = [str(checkpoint), "-o", str(out), "--clips", "10", "--stream"]
    assert command.main([*words, "--type", "int8"]) == 2
    assert command.main([*words, "7"]) == 2
    assert not out.exists()
    assert command.main(words) == 0, capsys.readouterr().err
    made = open_runner(out).card
    assert made.name == "trial-stream"
    assert made.window_frames == 8
    assert made.measured[-1]["command"].endswith("--clips 10 --stream 0")


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx(name, tmp_path):
    check(*onnx_of(name), tmp_path / "trial_stream.onnx")


def test_states_that_the_card_tells_otherwise(tmp_path):
    model, card, _ = onnx_of("dscnn")
    first, *rest = card.states
    wrong = msgspec.structs.replace(first, shape=(*first.shape[:-1], first.shape[-1] + 1))
    path = tmp_path / "wrong.onnx"
    path.write_bytes(stamp(model, msgspec.structs.replace(card, states=(wrong, *rest))))
    with pytest.raises(RunnerError, match=r"states\.past0\.shape"):
        open_runner(path)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", NETWORKS)
def test_tflite(name, tmp_path):
    pytest.importorskip("litert_torch", reason="needs the export extra on x86-64")
    network, card = twin(name)
    model, named = twin_to_tflite(network, card)
    check(model, named, TwinRunner(network, card), tmp_path / "trial_stream.tflite")
