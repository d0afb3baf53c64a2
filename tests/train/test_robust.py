"""Clips in noise at the ratio that was asked for, and the least favourable change."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from train.evaluate import main
from train.robust.noise import Noises, in_noise


def test_noise_at_its_ratio() -> None:
    rate, rng = 16_000, np.random.default_rng(1)
    clip = np.zeros(rate, np.float32)
    clip[4000:8000] = 0.5 * np.sin(np.arange(4000) * 0.3)
    noise = rng.normal(0, 0.1, rate).astype(np.float32)
    sound = np.square(clip[3840:8000]).mean()  # to whole frames of 20 ms
    for snr in (20.0, 0.0):
        added = in_noise(clip, noise, snr, rate) - clip
        assert 10 * np.log10(sound / np.square(added).mean()) == pytest.approx(snr, abs=0.2)
    assert not in_noise(np.zeros(rate, np.float32), noise, 0.0, rate).any()


def test_robust_command(
    band_model: Path, kit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A noise in the model's own bands is worse than one outside, and loud worse than faint."""
    for label in kit.labels:
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(3):
            sound = kit.tones((label, 0.5), level=0.2 - 0.05 * i)
            soundfile.write(tmp_path / "data" / label / f"{i}.wav", sound, kit.rate)
    t = np.arange(32_000) / kit.rate
    for kind, hz in (("inside", 400.0), ("outside", 60.0)):
        (tmp_path / "noise" / kind).mkdir(parents=True)
        soundfile.write(
            tmp_path / "noise" / kind / "n.wav", 0.1 * np.sin(2 * np.pi * hz * t), kit.rate
        )
    args = ["robust", str(band_model), str(tmp_path / "data"), "--json"]
    args += ["--noise", str(tmp_path / "noise"), "--snr", "60,-20"]
    assert main(args) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["figure"] == "accuracy"
    assert out["clean"] == out["by_snr"]["60"] == 1.0
    assert out["by_kind"]["inside"]["-20"] < 0.5
    assert out["by_kind"]["outside"]["-20"] > out["by_kind"]["inside"]["-20"]
    assert out["by_snr"]["-20"] == pytest.approx(
        np.mean([row["-20"] for row in out["by_kind"].values()])
    )
    assert main(args) == 0
    assert json.loads(capsys.readouterr().out) == out


def test_noise_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    soundfile.write(tmp_path / "b.wav", np.full(100, 0.1), 16_000)
    noises = Noises(tmp_path)
    for number in range(8):
        assert len(noises.piece(tmp_path.name, number, 5000, 16_000, 1)) == 5000
    assert [line.split(":")[0] for line in noises.unreadable] == [str(tmp_path / "a.wav")]


def test_the_change_of_a_linear_network_is_the_known_one() -> None:
    """Of a linear loss the worst change is eps sign(w), and eps w / |w|."""
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from train.robust.attack import pgd

    w = torch.tensor([0.5, -2.0, 1.0, 0.25])
    x = torch.tensor([[0.1, 0.2, -0.3, 0.0], [0.0, 0.0, 0.0, 0.4]])
    delta = pgd(lambda z: z @ w, x, 0.01, "inf", 20)
    assert torch.allclose(delta, 0.01 * w.sign().expand(2, 4), atol=1e-6)
    delta = pgd(lambda z: z @ w, x, 0.01, "2", 40)
    assert (delta.norm(dim=1) <= 0.01 + 1e-7).all()
    assert (delta @ w > 0.98 * 0.01 * w.norm()).all()  # less a rest of the random start
    # full scale is the end: what would leave it is cut off
    loud = torch.tensor([[1.0, -1.0, 0.0, 0.0]])
    delta = pgd(lambda z: z @ w, loud, 0.01, "inf", 20)
    assert torch.allclose(delta, torch.tensor([[0.0, 0.0, 0.01, 0.01]]), atol=1e-6)


def test_attack_command(kit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network that was fitted to tones: aimed changes mislead it, random ones do not."""
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from models import build
    from models.checkpoint import save_checkpoint
    from train.robust.attack import Target

    torch.manual_seed(3)
    for label in kit.labels:
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(2):
            sound = kit.tones((label, 0.5), level=0.02 + 0.03 * i)
            soundfile.write(tmp_path / "data" / label / f"{i}.wav", sound, kit.rate)
    network = {"network": "dscnn", "stem": 4, "stages": [[8, 2, 1]]}
    card = kit.band_card(scores="logit_softmax")
    module = build(network, 3)
    target = Target(module.requires_grad_(True), card)
    module.requires_grad_(True)
    sounds = torch.stack(
        [torch.from_numpy(kit.tones((k, 0.5), level=0.05)) for k in kit.labels]
    )
    adam = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(60):
        adam.zero_grad()
        target.loss(sounds + 1e-4 * torch.randn(sounds.shape), torch.eye(3)).sum().backward()
        adam.step()
    path = tmp_path / "m.safetensors"
    save_checkpoint(
        path, {f"model.{k}": v for k, v in module.state_dict().items()}, network, card
    )
    for norm, eps in (("inf", "0.00001,0.02"), ("2", "0.001,2")):
        args = ["attack", path, tmp_path / "data", "--norm", norm, "--eps", eps]
        assert main([*map(str, args), "--steps", "5", "--json"]) == 0
        out = json.loads(capsys.readouterr().out)
        faint, strong = out["attacks"]
        assert out["clean"] == 1.0
        assert strong["attacked"] < 0.5
        assert strong["attacked"] < strong["random"]
        assert faint["snr_db"] > strong["snr_db"] + 20
        assert faint["attacked"] >= strong["attacked"]


def test_only_checkpoints_are_attacked(
    band_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", str(band_model), str(tmp_path)]) == 2
    assert "needs gradients" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-3"])
def test_no_clips_cannot_be_attacked(
    count: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", "m.safetensors", str(tmp_path), f"--clips={count}"]) == 2
    err = capsys.readouterr().err
    assert err.endswith(f"--clips {count}: use 1 or more\n")
    assert err.count("\n") == 1
