"""Recordings to mix: the spoken words of the test data, and sounds made here."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from train.gate_eval.mixtures import write_mixtures
from train.manifest import Row

WORDS = Path(__file__).parents[2] / "data" / "words"
RATE = 16_000
SPLITS = {
    "awb": "train",
    "hts": "train",
    "kal": "val",
    "ked": "val",
    "rms": "test",
    "slt": "test",
}
KINDS = {  # label of a sound: its folder
    "noise/weather": "noise/weather",
    "noise/effects": "noise/effects",
    "noise/human": "noise/human",
    "noise/keyboard": "noise/keyboard",
    "music": "music",
    "drums/kick": "drums/kick",
    "drums/hihat": "drums/hihat",
}


def sound(label: str, rng: np.random.Generator) -> np.ndarray:
    """Something of the kind's shape: steady, or dying away."""
    t = np.arange(RATE) / RATE
    x = 0.2 * rng.standard_normal(RATE)
    if label not in ("noise/weather", "music"):
        x *= np.exp(-t * (40 if label.startswith("drums") else 6))
    if label == "music":
        x = 0.2 * np.sin(2 * np.pi * rng.uniform(100, 400) * t) + 0.02 * x
    return x.astype(np.float32)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """A folder of recordings and its manifest."""
    root = tmp_path_factory.mktemp("material")
    (root / "words").symlink_to(WORDS)
    rows = [
        Row(f"words/{f.parent.name}/{f.name}", "word", f.stem, SPLITS[f.stem], "target")
        for f in sorted(WORDS.glob("*/*.flac"))
        if f.stem in SPLITS
    ]
    rng = np.random.default_rng(7)
    for label, folder in KINDS.items():
        (root / folder).mkdir(parents=True)
        for split in ("train", "val", "test"):
            name = f"{folder}/{split}.wav"
            group = f"kit {split}" if label.startswith("drums") else f"{label} {split}"
            soundfile.write(root / name, sound(label, rng), RATE)
            rows.append(Row(name, label, group, split, "other"))
    (root / "rir").mkdir()
    for split in ("train", "val", "test"):
        response = rng.standard_normal(4000) * np.exp(-np.arange(4000) / 500)
        response[0] = 8.0
        soundfile.write(root / f"rir/{split}.wav", 0.1 * response, RATE)
        rows.append(Row(f"rir/{split}.wav", "room", f"room {split}", split, "room"))
    return root, rows


@pytest.fixture(scope="session")
def sets(
    material: tuple[Path, list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A small set of mixtures of each part."""
    folder = tmp_path_factory.mktemp("sets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RT_CACHE", str(folder / "cache"))
        patch.setattr("train.gate_eval.mixtures.LENGTH_S", (5.0, 6.0))
        patch.setattr("train.gate_eval.mixtures.ALONE_S", 3.0)
        for seed, part in enumerate(("val", "test"), 1):
            write_mixtures(*material, folder / part, part, count=10, alone=1, seed=seed)
    return {part: folder / part for part in ("val", "test")}
