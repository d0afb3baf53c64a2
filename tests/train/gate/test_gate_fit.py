"""Training of a gate on our own spoken words: reproducible, resumes exactly, learns."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("safetensors", reason="needs the train extra")

from models.checkpoint import load_model, load_tensors  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from train.datasets.shards import write_shards  # noqa: E402
from train.gate.fit import aligned, fit_gate  # noqa: E402
from train.gate.mixtures import Mixtures  # noqa: E402
from train.gate.recipe import GateRecipe  # noqa: E402
from train.gate.talk import whispered  # noqa: E402
from train.manifest import Row, read_manifest, write_manifest  # noqa: E402
from train.metrics import roc_auc  # noqa: E402
from train.recipe import convert_recipe, read_tables  # noqa: E402
from train.saved import save_last  # noqa: E402

torch.set_num_threads(1)  # two wait for each other on a busy machine

HERE = Path(__file__).parents[2]
WORDS = HERE / "data" / "words"
RECIPE = HERE.parent / "train" / "recipes" / "voice.toml"


def recipe_of(folder: Path, *changes: str) -> GateRecipe:
    small = (
        f"data.manifest={folder / 'm.csv'}",
        f"data.root={folder / 'sounds'}",
        "model.channels=[12, 16]",
        "model.units=[16, 16]",
        "mix.rows=8",
        "mix.seconds=1.5",
        "mix.speeds=[1.0]",
        "fit.steps=12",
        "fit.validate=6",
        "fit.workers=0",
        "fit.threads=1",
        "fit.rate=0.01",
        "fit.ema=0.9",
    )
    return convert_recipe(read_tables(RECIPE, (*small, *changes)), GateRecipe, RECIPE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our own words as the target, made noises and clicks as everything else."""
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(5)
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    rows = []
    for file in sorted(WORDS.glob("*/*.flac")):
        name = f"{file.parent.name}-{file.name}"
        (sounds / name).write_bytes(file.read_bytes())
        rows.append(Row(name, "word", name, "val" if file.stem == "slt" else "train", "target"))
    for i in range(4):
        noise = rng.standard_normal(48_000) * np.exp(
            -np.arange(48_000) / (200 if i % 2 else 1e9)
        )
        soundfile.write(sounds / f"noise{i}.wav", 0.2 * noise / np.abs(noise).max(), 16_000)
        kind, split = ("click", "hiss")[i % 2], "val" if i > 1 else "train"
        rows.append(Row(f"noise{i}.wav", kind, f"n{i}", split, "other"))
    write_manifest(tmp_path / "m.csv", rows)
    return tmp_path


def test_a_batch_depends_on_its_step_only(folder: Path) -> None:
    recipe = recipe_of(folder)
    rows = read_manifest(Path(recipe.data.manifest))
    a, b = Mixtures(recipe, rows), Mixtures(recipe, rows)
    a.draw(1)
    first, second = a.draw(7), b.draw(7)
    for name in ("features", "gate", "level", "kinds"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert not torch.equal(first.features, a.draw(8).features)
    assert first.features.shape == (8, 150, 64)
    assert first.gate.shape == first.level.shape == (8, 151)
    assert torch.isfinite(first.features).all()
    assert torch.isfinite(first.level).all()
    assert 0.1 < float(first.gate.mean()) < 0.8


def test_mixtures_of_shards_are_those_of_the_files(folder: Path) -> None:
    rows = read_manifest(folder / "m.csv")
    write_shards(rows, folder / "sounds", folder / "shards")
    theirs = Mixtures(recipe_of(folder), rows).draw(7)
    ours = Mixtures(recipe_of(folder, f"data.shards={folder / 'shards'}"), rows).draw(7)
    assert torch.equal(ours.features, theirs.features)
    assert torch.equal(ours.gate, theirs.gate)


def test_without_other_sounds_the_gate_follows_the_level(folder: Path) -> None:
    recipe = recipe_of(
        folder, "mix.alone=1.0", "mix.empty=0.0", "mix.room=0.0", "mix.hiss_db=[-100.0, -99.0]",
        "mix.level_db=[-20.0, -20.0]",
    )  # fmt: skip
    batch = Mixtures(recipe, read_manifest(Path(recipe.data.manifest))).draw(3)
    assert roc_auc(batch.level.numpy().ravel(), batch.gate.numpy().ravel() > 0.5) > 0.97


def test_scores_speak_of_their_instants(folder: Path) -> None:
    recipe = recipe_of(folder)
    hops = torch.arange(6.0)[None]  # 5 frames, hops 0 to 5
    assert aligned(hops, recipe)[0].T.tolist() == [
        [1, 2, 3, 4, 5],  # heard up to hop k + 1
        [0, 1, 2, 3, 4],  # 10 ms before
        [0, 0, 1, 2, 3],
    ]


def test_an_interrupted_run_ends_like_one_that_was_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(folder)
    fit_gate(recipe, folder / "whole")

    def save_and_stop(*args: object) -> None:
        save_last(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("train.saved.save_last", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            fit_gate(recipe, folder / "parts")
    assert load_tensors(folder / "parts" / "last.safetensors")[1]["step"] == "6"
    best = fit_gate(recipe, folder / "parts")
    want, _ = load_tensors(folder / "whole" / "last.safetensors", "model.")
    have, _ = load_tensors(folder / "parts" / "last.safetensors", "model.")
    assert all(torch.equal(want[k], have[k]) for k in want)
    _, card = load_model(best)
    assert card.task == "gate"
    assert card.lookahead_ms == (0.0, 10.0, 20.0)


@pytest.mark.parametrize(
    "change", ["loss.label=0.0", "loss.signal=0.0", "loss.onset=0.0", "loss.kinds=0.0"]
)
def test_each_part_of_the_loss_can_be_switched_off(folder: Path, change: str) -> None:
    recipe = recipe_of(folder, "fit.steps=2", "fit.validate=2", change)
    assert fit_gate(recipe, folder / "run").exists()


@pytest.mark.slow
def test_it_learns(folder: Path) -> None:
    recipe = recipe_of(folder, "fit.steps=60", "fit.validate=60", "fit.rate=0.02")
    fit_gate(recipe, folder / "run")
    lines = (folder / "run" / "metrics.csv").read_text().splitlines()
    auc = float(lines[-1].split(",")[lines[0].split(",").index("val_auc")])
    assert auc > 0.75


def test_whispering_keeps_the_level_and_loses_the_pitch() -> None:
    t = torch.arange(16_000) / 16_000
    voice = sum(torch.sin(2 * torch.pi * 120 * k * t) / k for k in range(1, 20))[None] * 0.1
    g = torch.Generator().manual_seed(1)
    low = whispered(voice, g)
    assert float(low.square().mean().sqrt() / voice.square().mean().sqrt()) == pytest.approx(
        1.0, abs=0.01
    )

    def tonality(x):  # how far the strongest lag near the pitch stands out
        x = x[0]
        return float((x[:-133] * x[133:]).sum() / (x * x).sum())

    assert tonality(voice) > 0.9
    assert abs(tonality(low)) < 0.35


def test_a_manifest_without_other_sounds_is_refused(folder: Path) -> None:
    recipe = recipe_of(folder)
    rows = [r for r in read_manifest(Path(recipe.data.manifest)) if r.role == "target"]
    with pytest.raises(UsageError, match="no other in split train"):
        Mixtures(recipe, rows)
