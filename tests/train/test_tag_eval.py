"""`rt-eval tag` on folders and manifests, one model and several, long clips and short ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from realtime.runners import open_runner
from train.clip_scores import ClipScores
from train.ensemble import find_weights, fuse
from train.evaluate import main
from train.manifest import Row, write_manifest

Told = Callable[..., dict[str, Any]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """What `rt-eval ... --json` says."""

    def run(*args: object, status: int = 0) -> dict[str, Any]:
        assert main([*map(str, args), "--json"]) == status
        out: dict[str, Any] = json.loads(capsys.readouterr().out)
        return out

    return run


@pytest.fixture
def tones(kit: Any, tmp_path: Path) -> Path:
    """Label folders of tones of two seconds, four windows of the model."""
    for label in kit.labels:
        (tmp_path / "tones" / label).mkdir(parents=True)
        for i, level in enumerate((0.3, 0.1)):
            sound = kit.tones((label, 1.2), ("", 0.8), level=level)
            soundfile.write(tmp_path / "tones" / label / f"{i}.wav", sound, kit.rate)
    return tmp_path / "tones"


@pytest.fixture
def mixed(kit: Any, tmp_path: Path) -> Path:
    """A manifest of clips with several labels, one or none; val and test."""
    rows = []
    for i, labels in enumerate([("low", "high"), ("middle",), (), ("low",), ("high",)] * 2):
        sound = sum((kit.tones((x, 0.5)) for x in labels), kit.tones(("", 0.5)))
        soundfile.write(tmp_path / f"{i}.wav", sound / 2, kit.rate)
        split = "test" if i < 5 else "val"
        rows.append(Row(f"{i}.wav", ";".join(labels), str(i), split, "clip"))
    write_manifest(tmp_path / "mixed.csv", rows)
    return tmp_path / "mixed.csv"


def test_clips_of_one_label(band_model: Path, tones: Path, told: Told, tmp_path: Path) -> None:
    (tones / "low" / "broken.wav").write_text("no sound")
    out = told("tag", band_model, tones)
    assert out["n"] == 6
    assert out["accuracy"] == out["mAP"] == out["lwlrap"] == out["f1_macro"] == 1.0
    assert out["d_prime"] is None  # infinite
    assert out["confusion"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    assert out["per_label_ap"] == {"low": 1.0, "middle": 1.0, "high": 1.0}
    assert [line.split(":")[0] for line in out["unreadable"]] == ["low/broken.wav"]


def test_long_clips_are_heard_in_windows(band_model: Path, kit: Any, tmp_path: Path) -> None:
    """Mean, maximum and loudest window: what the windows give, worked out one by one."""
    from train.clip_scores import score_clip, window_of

    runner = open_runner(band_model)
    clip = kit.tones(("low", 0.6), ("high", 0.5))
    parts = [clip[at : at + 8000] for at in (0, 4000, 8000, len(clip) - 8000)]
    each = np.stack([runner.run(window_of(runner.card, p)) for p in parts])
    assert score_clip(runner, clip, "mean", []) == pytest.approx(each.mean(0), abs=1e-6)
    assert score_clip(runner, clip, "max", []) == pytest.approx(each.max(0), abs=1e-6)
    spent: list[float] = []
    padded = np.concatenate([clip[:8000], np.zeros(16000, np.float32)])
    assert score_clip(runner, padded, "mean", spent)[0] > 0.55
    assert len(spent) == 2  # the windows of digital silence have no say
    assert score_clip(runner, clip, "loudest", spent).shape == (3,)
    assert len(spent) == 3


def test_clips_of_several_labels(band_model: Path, mixed: Path, told: Told) -> None:
    out = told("tag", band_model, mixed, "--choose", "val")
    assert out["n"] == 5
    assert "accuracy" not in out
    assert out["mAP"] == out["lwlrap"] == 1.0
    assert out["per_label_ap"] == {"low": 1.0, "middle": 1.0, "high": 1.0}
    assert out["per_label"]["low"]["n"] == 2
    assert out["f1_micro_chosen"] == out["f1_macro_chosen"] == 1.0
    assert set(out["thresholds"]) == set(out["labels"])


def test_folders_of_parts(band_model: Path, tones: Path, told: Told, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "set" / part).mkdir(parents=True)
    (tones / "low").rename(tmp_path / "set/train/low")
    for label in ("middle", "high"):
        (tones / label).rename(tmp_path / "set/test" / label)
    assert told("tag", band_model, tmp_path / "set")["n"] == 4
    assert told("tag", band_model, tmp_path / "set", "--split", "train")["n"] == 2


def test_chosen_thresholds_go_into_the_model(
    band_model: Path, mixed: Path, told: Told, tmp_path: Path
) -> None:
    for name in ("other.onnx", "card.json"):
        out = told("tag", band_model, mixed, "--choose", "val", "-o", tmp_path / name)
        card = open_runner(*((tmp_path / name,) if name == "other.onnx" else (
            band_model, tmp_path / name))).card  # fmt: skip
        assert card.thresholds == pytest.approx(out["thresholds"], abs=1e-6)
    again = told("tag", tmp_path / "other.onnx", mixed)
    assert again["f1_micro"] == out["f1_micro_chosen"]


def test_a_checkpoint_keeps_its_weights(
    kit: Any, tmp_path: Path, told: Told, mixed: Path
) -> None:
    pytest.importorskip("torch", reason="needs the train extra")
    from models import build
    from models.checkpoint import load_model, save_checkpoint

    network = {"network": "dscnn", "stem": 4, "stages": [[8, 2, 1]]}
    module = build(network, 3)
    tensors = {f"model.{k}": v for k, v in module.state_dict().items()}
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, tensors, network, kit.band_card())
    out = told("tag", path, mixed, "--choose", "val", "-o", path)
    after, card = load_model(path)
    assert card.thresholds == pytest.approx(out["thresholds"], abs=1e-6)
    assert all(bool((v == module.state_dict()[k]).all()) for k, v in after.state_dict().items())


def test_several_models(
    band_model: Path, kit: Any, mixed: Path, tones: Path, told: Told, tmp_path: Path
) -> None:
    card = kit.band_card(name="reversed", labels=kit.labels[::-1])
    weights, bias = kit.band_weights(kit.band_card())
    other = kit.write_onnx(
        tmp_path / "r.onnx", card, weights=weights[:, ::-1].copy(), bias=bias
    )
    alone = told("tag", band_model, mixed)
    for how in ("mean", "weighted", "vote"):
        out = told("tag", band_model, other, mixed, "--choose", "val", "--fuse", how)
        assert out["model"] == f"{how} of bands, reversed"
        assert out["per_label"] == alone["per_label"]
        assert out["model_bytes"] > alone["model_bytes"]
    out = told("tag", band_model, other, tones, "--fuse", "vote")
    assert out["accuracy"] == 1.0
    stranger = kit.write_onnx(tmp_path / "s.onnx", kit.band_card(labels=("low", "mid", "high")))
    assert main(["tag", str(band_model), str(stranger), str(tones)]) == 2


def heard(scores: list[list[float]], truth: list[list[int]]) -> ClipScores:
    n = len(scores[0])
    return ClipScores(
        model="m", labels=[str(i) for i in range(n)], scores=np.array(scores, np.float32),
        truth=np.array(truth, bool), files=[], thresholds=np.full(n, 0.5), softmax=False,
        ms_per_window=1.0, unreadable=[],
    )  # fmt: skip


def test_hand_worked_fusion() -> None:
    truth = [[1, 0, 0], [0, 1, 0]]
    a = heard([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], truth)
    b = heard([[0.2, 0.7, 0.1], [0.5, 0.4, 0.1]], truth)
    c = heard([[0.5, 0.2, 0.3], [0.1, 0.8, 0.1]], truth)
    mean = fuse([a, b, c], "mean").scores
    assert mean[0] == pytest.approx([1.3 / 3, 1.2 / 3, 0.5 / 3])
    assert mean.argmax(1).tolist() == [0, 1]
    assert fuse([a, b, c], "vote").scores.argmax(1).tolist() == [0, 0]  # two of three
    weighted = fuse([a, b, c], "weighted", np.array([0.0, 1.0, 0.0]))
    assert weighted.scores == pytest.approx(b.scores)
    many = [
        msgspec.structs.replace(p, truth=np.array([[1, 1, 0], [0, 0, 0]], bool))
        for p in (a, b, c)
    ]
    # each label by itself: [2, 1, 0] and [2, 1, 0] of three models at their thresholds
    votes = fuse(many, "vote")
    assert (votes.scores >= votes.thresholds).tolist() == [[True, False, False]] * 2


def test_weights_go_to_who_is_right() -> None:
    truth = np.eye(4, dtype=int)[np.arange(40) % 4].tolist()
    right = heard((0.9 * np.array(truth) + 0.025).tolist(), truth)
    guess = heard(np.full((40, 4), 0.25).tolist(), truth)
    assert find_weights([right, guess]) == pytest.approx([1.0, 0.0], abs=0.01)
    assert find_weights([right, right]) == pytest.approx([0.5, 0.5])
    # two models, each sure of its own half of the clips and at a loss in the other's
    half = np.where(np.arange(40)[:, None] < 20, right.scores, guess.scores)
    other = np.where(np.arange(40)[:, None] < 20, guess.scores, right.scores)
    both = [heard(s.tolist(), truth) for s in (half, other)]
    assert find_weights(both) == pytest.approx([0.5, 0.5], abs=1e-3)


def test_a_picture(
    band_model: Path, tones: Path, mixed: Path, tmp_path: Path, told: Told
) -> None:
    pytest.importorskip("matplotlib", reason="the plot extra")
    for data in (tones, mixed):
        told("tag", band_model, data, "--plot", tmp_path / "p.png")
        assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("-o", "card.json"), "none are chosen"),
        (("--choose", "test"), "is what is judged on"),
        (("--choose", "val", "-o", "x.tflite"), "cannot be written there"),
        (("--split", "train"), "no labelled clips in split train"),
        (("--ontology", "nowhere.json"), "nowhere.json: No such file"),
    ],
)
def test_wrong_options(
    band_model: Path, mixed: Path, args: tuple[str, ...], says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert main(["tag", str(band_model), str(mixed), *args]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
