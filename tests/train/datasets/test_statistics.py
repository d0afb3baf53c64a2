"""`rt-train statistics`, against features computed by the live front end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

from realtime.features import FeatureSpec
from realtime.frontend import one_shot
from train.bank import read_mono
from train.command import main as rt_train
from train.manifest import Row, write_manifest

Write = Callable[..., Path]

RECIPE = """
name = "x"
window_s = 1.0
hop_s = 0.1
[data]
manifest = "{folder}/m.csv"
root = "{folder}"
labels = ["a", "b"]
[features]
kind = "mel"
rate = 8000
mels = 20
frame = 200
hop = 80
fft = 256
mean = 3.0
std = 9.0
[model]
network = "dscnn"
[fit]
steps = 1
"""


def test_it_is_that_of_all_frames(
    tmp_path: Path,
    sound: Write,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    sound("a.wav", 0.5)
    sound("b.wav", 1.3)
    sound("short.wav", 0.01)
    sound("test.wav", 0.7)
    splits = {"a": "train", "b": "train", "short": "train", "test": "test"}
    write_manifest(
        tmp_path / "m.csv",
        [Row(f"{n}.wav", "a", n, s, "clip") for n, s in splits.items()],  # type: ignore[arg-type]
    )
    (tmp_path / "r.toml").write_text(RECIPE.format(folder=tmp_path))
    assert rt_train(["statistics", str(tmp_path / "r.toml")]) == 0
    said = dict(line.split(" = ") for line in capsys.readouterr().out.splitlines())
    spec = FeatureSpec(kind="mel", rate=8000, mels=20, frame=200, hop=80, fft=256)
    frames = np.concatenate(
        [one_shot(spec, read_mono(tmp_path / f"{n}.wav", 8000)) for n in "ab"]
    )
    # the bank keeps 16 bits, which the quietest bands feel
    assert float(said["mean"]) == pytest.approx(float(frames.mean()), abs=0.05)
    assert float(said["std"]) == pytest.approx(float(frames.std()), abs=0.05)
    assert rt_train(["statistics"]) == 2
