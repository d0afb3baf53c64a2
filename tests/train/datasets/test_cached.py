"""Cached features: those of the live front end, cut and repeated, and trained on."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from models.checkpoint import load_model  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from realtime.features import FeatureSpec  # noqa: E402
from realtime.frontend import one_shot  # noqa: E402
from train.bank import read_mono  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.datasets.cached import CachedBatches, FeatureBank, open_features  # noqa: E402
from train.manifest import read_manifest  # noqa: E402
from train.recipe import read_recipe  # noqa: E402

Write = Callable[..., Path]
SPEC = FeatureSpec(
    kind="mel", rate=8000, mels=12, frame=200, hop=80, fft=256, mean=-5.0, std=3.0
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))


def test_they_are_those_of_the_live_front_end(
    tmp_path: Path, sound: Write, text: Write, caplog: pytest.LogCaptureFixture
) -> None:
    sound("a.wav", 0.3)
    text("b.wav", "no sound")
    np.save(tmp_path / "c.npy", np.ones((5, 12), np.float32))
    np.save(tmp_path / "d.npy", np.ones((5, 13), np.float32))
    names = ["a.wav", "b.wav", "c.npy", "d.npy"]
    with caplog.at_level(logging.WARNING, "rt.train.cached"):
        bank = open_features(tmp_path, names, SPEC)
    plain = FeatureSpec(kind="mel", rate=8000, mels=12, frame=200, hop=80, fft=256)
    assert np.allclose(bank.clip(0), one_shot(plain, read_mono(tmp_path / "a.wav", 8000)))
    assert bank.length[1:].tolist() == [0, 5, 0]
    assert "left out: b.wav" in caplog.text
    assert "13 values in a frame, and 12 by [features]" in caplog.text
    assert "2 of 4 files could not be read" in caplog.text
    caplog.clear()
    # from the disk, whatever the normalisation; anew for another front end or another file
    other = FeatureSpec(kind="mel", rate=8000, mels=12, frame=200, hop=80, fft=256, mean=1.0)
    assert open_features(tmp_path, names, other).frames.filename == bank.frames.filename
    assert not caplog.text
    wider = FeatureSpec(kind="mel", rate=8000, mels=13, frame=200, hop=80, fft=256)
    assert open_features(tmp_path, names, wider).frames.filename != bank.frames.filename
    sound("a.wav", 0.4)
    assert open_features(tmp_path, names, SPEC).length[0] > bank.length[0]
    with pytest.raises(UsageError, match="none of the 1 files"):
        open_features(tmp_path, ["b.wav"], SPEC)
    with pytest.raises(UsageError, match="waveform"):
        open_features(tmp_path, names, FeatureSpec(kind="waveform", rate=8000, hop=80))


def test_windows_are_cut_filled_and_repeated() -> None:
    bank = FeatureBank(np.arange(6, dtype=np.float32)[:, None] + 1, np.array([4, 2]))
    assert bank.window(0, 2, 0.0)[:, 0].tolist() == [2, 3]
    assert bank.window(1, 5, -1.0)[:, 0].tolist() == [-1, 5, 6, -1, -1]
    assert bank.window(1, 5, None)[:, 0].tolist() == [5, 6, 5, 6, 5]
    rng = np.random.default_rng(1)
    cut = {tuple(bank.window(0, 2, 0.0, rng)[:, 0]) for _ in range(50)}
    assert cut == {(1, 2), (2, 3), (3, 4)}
    put = {tuple(bank.window(1, 3, 0.0, rng)[:, 0]) for _ in range(50)}
    assert put == {(5, 6, 0), (0, 5, 6)}


def test_a_run_learns_from_them(tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, rows = read_recipe(tones), read_manifest(tones.parent / "m.csv")
    batches = CachedBatches(recipe, rows)
    a, b = batches.draw(3), CachedBatches(recipe, rows).draw(3)
    assert torch.equal(a.features, b.features)
    assert not torch.equal(a.features, batches.draw(4).features)
    assert a.features.shape == (8, 28, 12)
    longer = ["--set", "fit.steps=40", "--set", "fit.validate=40"]
    assert rt_train([str(tones), "-o", str(tones.parent / "run"), *longer]) == 0
    _, card = load_model(Path(capsys.readouterr().out.strip()))
    assert card.measured[0]["figure"] == "accuracy 1.0000"


@pytest.mark.parametrize("change", [
    "augment.noise=0.5", "augment.room=0.3", "augment.speeds=[1.0, 1.1]", "augment.tilt_db=3.0",
    "augment.stretch=0.1", "augment.neighbour=0.2", "mix.events=0.5", "data.shards=shards",
])  # fmt: skip
def test_what_needs_sound_is_said_in_one_line(
    tones: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rt_train([str(tones), "-o", str(tones.parent / "run"), "--set", change]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert f"{change.split('=')[0]} with data.cached: " in said[-1]
    assert not list((tones.parent / "run").glob("*.safetensors"))
