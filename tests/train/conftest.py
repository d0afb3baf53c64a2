"""What any training test can learn from: tones, high and low, and a recipe for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

RECIPE = """
name = "x"
window_s = 0.3
hop_s = 0.1
[data]
manifest = "{folder}/m.csv"
root = "{folder}"
labels = ["high", "low"]
cached = true
[features]
kind = "mel"
rate = 8000
mels = 12
frame = 200
hop = 80
fft = 256
mean = -8.0
std = 4.0
[model]
network = "baseline"
kind = "gru"
mels = 12
units = 6
layers = 1
[mix]
batch = 8
[augment]
time_masks = 1
time_mask = 4
mixup = 0.3
cutmix = 0.3
[fit]
steps = 8
validate = 2
rate = 0.02
ema = 0.8
threads = 1
"""


@pytest.fixture
def tones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe on sixteen tones of which four are the val part; they lie beside it."""
    from train.manifest import Row, write_manifest

    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    rng, rows = np.random.default_rng(2), []
    for i in range(16):
        hertz = rng.uniform(1500, 3000) if i % 2 else rng.uniform(200, 700)
        tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(rng.integers(2000, 4000)) / 8000)
        soundfile.write(tmp_path / f"{i}.wav", tone, 8000)
        rows.append(Row(f"{i}.wav", ("low", "high")[i % 2], str(i),
                        "val" if i > 11 else "train", "clip"))  # fmt: skip
    write_manifest(tmp_path / "m.csv", rows)
    path = tmp_path / "r.toml"
    path.write_text(RECIPE.format(folder=tmp_path))
    return path


@pytest.fixture
def interrupted() -> Callable[[Any, Path], None]:
    """Runs a recipe until the first weights are saved."""
    from train import saved
    from train.fit import fit

    saved_last = saved.save_last

    def save_and_stop(*args: Any) -> None:
        saved_last(*args)
        raise KeyboardInterrupt

    def run(recipe: Any, out: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(saved, "save_last", save_and_stop)
            with pytest.raises(KeyboardInterrupt):
                fit(recipe, out)

    return run
