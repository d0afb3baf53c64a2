"""Learning without labels: it learns, resumes exactly, and starts a tagger."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("timm", reason="needs the train extra")

import soundfile  # noqa: E402

from models import build  # noqa: E402
from models.checkpoint import load_model, load_tensors  # noqa: E402
from realtime.errors import ModelError  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.datasets.shards import write_shards  # noqa: E402
from train.manifest import Row, read_manifest, write_manifest  # noqa: E402
from train.masked import MaskedRecipe, Windows, fit_masked  # noqa: E402
from train.recipe import convert_recipe, read_tables  # noqa: E402

RECIPE = Path(__file__).parents[2] / "train" / "recipes" / "audiomae.toml"
MODEL = {"width": 24, "layers": 1, "heads": 2, "patch": 4}


@pytest.fixture
def changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A few tones, gliding or not, and a network of a few thousand values."""
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    t, rows = np.arange(16_000) / 16_000, []
    for i in range(8):
        tone = 0.3 * np.sin(2 * np.pi * (300 + 150 * i + 200 * (i % 2) * t) * t)
        soundfile.write(tmp_path / f"{i}.wav", tone, 16_000)
        rows.append(Row(f"{i}.wav", "", str(i), "val" if i > 5 else "train", "noise"))
    write_manifest(tmp_path / "m.csv", rows)
    return (
        f"data.manifest={tmp_path / 'm.csv'}", f"data.root={tmp_path}", "data.batch=8",
        "window_s=0.35", "features.mels=32", "fit.steps=16", "fit.validate=8", "fit.threads=1",
        "fit.rate=0.01", "fit.ema=0.5", "model.width=24", "model.layers=1", "model.heads=2",
        "model.patch=4", "model.decoder=16", "model.decoder_layers=2", "model.decoder_heads=2",
    )  # fmt: skip


def test_it_learns_resumes_exactly_and_starts_a_tagger(
    changes: tuple[str, ...], tmp_path: Path
) -> None:
    recipe = convert_recipe(read_tables(RECIPE, changes), MaskedRecipe, RECIPE)
    best = fit_masked(recipe, tmp_path / "whole")
    lines = (tmp_path / "whole" / "metrics.csv").read_text().split()
    errors = [float(line.split(",")[2]) for line in lines[1:]]
    assert errors[1] < errors[0]

    from train import saved

    class StopError(Exception):
        pass

    original = saved.save_last

    def save_then_stop(*args: object) -> None:
        original(*args)  # type: ignore[arg-type]
        raise StopError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved, "save_last", save_then_stop)
        with pytest.raises(StopError):
            fit_masked(recipe, tmp_path / "parts")
    fit_masked(recipe, tmp_path / "parts")
    a, _ = load_tensors(tmp_path / "whole" / "last.safetensors")
    b, _ = load_tensors(tmp_path / "parts" / "last.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)

    tagger = build({"network": "audiomae", **MODEL, "weights": str(best)}, 3)
    kept, _ = load_tensors(best, "model.encoder.")
    assert all(torch.equal(v, kept[k]) for k, v in tagger.encoder.state_dict().items())
    with pytest.raises(ModelError, match="head_norm"):
        load_model(best)  # it has no scores to give


def test_windows_of_shards_are_those_of_the_files(
    changes: tuple[str, ...], tmp_path: Path
) -> None:
    rows = read_manifest(tmp_path / "m.csv")
    write_shards(rows, tmp_path, tmp_path / "shards", size=4)
    both = (changes, (*changes, f"data.shards={tmp_path / 'shards'}"))
    recipes = [convert_recipe(read_tables(RECIPE, c), MaskedRecipe, RECIPE) for c in both]
    theirs, ours = (Windows(recipe, rows).draw("train", 3, 4) for recipe in recipes)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(("change", "said"), [
    ("features.mels=40", "multiples of 16"), ("window_s=0.05", "multiples of 16"),
    ("model.widht=3", "widht"),
])  # fmt: skip
def test_what_cannot_be_is_said(
    changes: tuple[str, ...], change: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [x for c in (*changes, change) for x in ("--set", c)]
    assert rt_train([str(RECIPE), *sets]) == 2
    assert said in capsys.readouterr().err
