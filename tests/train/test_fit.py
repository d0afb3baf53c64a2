"""Training on our own spoken words: it learns, resumes exactly, is judged as on the edge."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("safetensors", reason="needs the train extra")

import models  # noqa: E402
from models.checkpoint import load_model, load_tensors  # noqa: E402
from realtime.errors import CardError, ModelError, UsageError  # noqa: E402
from train.batches import Batches  # noqa: E402
from train.clips import active_span, crop, edge_of, place, stretched  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.evaluate import main as rt_eval  # noqa: E402
from train.fit import fit  # noqa: E402
from train.judge_tag import judge_tag, open_scorer  # noqa: E402
from train.manifest import Row, read_manifest, write_manifest  # noqa: E402
from train.recipe import Augment, Recipe, read_recipe  # noqa: E402

HERE = Path(__file__).parents[1]
WORDS = HERE / "data" / "words"
RECIPE = HERE.parent / "train" / "recipes" / "kws12.toml"
LABELS = ("yes", "no", "stop", "unknown", "silence")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Five labels, our own words, a network of a few thousand values."""
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(5)
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    rows = []
    for file in sorted(WORDS.glob("*/*.flac")):
        copy = sounds / f"{file.parent.name}-{file.name}"
        copy.write_bytes(file.read_bytes())
        label = file.parent.name if file.parent.name in LABELS else "unknown"
        split = "val" if file.stem == "slt" else "train"
        rows.append(Row(copy.name, label, file.stem, split, "clip"))
    for i in range(3):
        hiss = rng.standard_normal(48_000).cumsum() if i else rng.standard_normal(48_000)
        name = f"noise{i}.wav"
        soundfile.write(sounds / name, 0.1 * hiss / np.abs(hiss).max(), 16_000)
        rows.append(Row(name, "hiss", f"n{i}", "val" if i == 2 else "train", "noise"))
        rows.append(Row(name, "silence", f"n{i}", "val" if i == 2 else "train", "clip"))
    write_manifest(tmp_path / "m.csv", rows)
    return read_recipe(
        RECIPE,
        (
            f"data.manifest={tmp_path / 'm.csv'}",
            f"data.root={sounds}",
            'data.labels=["yes", "no", "stop", "unknown", "silence"]',
            "model.stem=12",
            "model.stages=[[24, 2, 1], [32, 2, 2]]",
            "mix.batch=32",
            "augment.speeds=[1.0]",
            "fit.steps=60",
            "fit.validate=30",
            "fit.threads=1",
            "fit.rate=0.01",
            "fit.ema=0.9",
        ),
    )


def test_a_batch_depends_on_its_step_only(small: Recipe) -> None:
    rows = read_manifest(Path(small.data.manifest))
    a, b = Batches(small, rows), Batches(small, rows)
    a.draw(1)
    first, second = a.draw(7), b.draw(7)
    assert torch.equal(first.features, second.features)
    torch.testing.assert_close(first.targets, second.targets, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(first.features, a.draw(8).features)
    assert torch.isfinite(first.features).all()
    many = torch.cat([a.draw(i).targets for i in range(12)])
    # one label a row, or certainly no word (fragments): unknown and silence will both do
    either = many.isnan().any(1)
    assert float(either.float().mean()) < 0.1
    assert torch.equal(many[either].isnan().sum(0).bool(), torch.tensor([0, 0, 0, 1, 1]).bool())
    assert (many[~either].sum(1) == 1.0).all()
    # balance: "unknown" has eleven words in the manifest, "yes" one
    count = many[~either].sum(0)
    assert 1.5 < count[3] / count[0] < 6.0


def test_it_learns_and_resumes_exactly(small: Recipe, tmp_path: Path) -> None:
    easy = msgspec.structs.replace(small, augment=Augment(shift_s=0.05))
    whole = fit(easy, tmp_path / "whole")
    head = [
        line.split(",") for line in (tmp_path / "whole" / "metrics.csv").read_text().split()
    ]
    losses = [float(row[1]) for row in head[1:]]
    assert losses[-1] < 0.9 * losses[0]

    class StopError(Exception):
        pass

    def stop(step: int, figure: float) -> None:
        assert 0.0 <= figure <= 1.0
        raise StopError

    with pytest.raises(StopError):
        fit(easy, tmp_path / "parts", stop)
    fit(easy, tmp_path / "parts")
    a, _ = load_tensors(tmp_path / "whole" / "last.safetensors")
    b, _ = load_tensors(tmp_path / "parts" / "last.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)

    scorer = open_scorer(str(whole))
    rows = [r for r in read_manifest(Path(small.data.manifest)) if r.role == "clip"]
    out = judge_tag(scorer, rows, Path(small.data.root), quiet=True)
    assert out["accuracy"] > 0.5  # five labels, a second of training: chance is 0.2
    assert out["n"] == len(rows)
    assert sum(map(sum, out["confusion"])) == out["n"]


def test_the_commands(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = small.data.manifest
    short = [f"data.manifest={manifest}", f"data.root={small.data.root}", "fit.steps=2"]
    short += ["model.stem=4", "model.stages=[[8, 2, 1]]", "mix.batch=8", "fit.threads=1"]
    sets = [x for s in short for x in ("--set", s)]
    assert rt_train([str(RECIPE), "-o", str(tmp_path / "run"), *sets]) == 0
    result = capsys.readouterr().out.strip()
    assert result.endswith("best.safetensors")
    assert rt_eval(["tag", result, str(WORDS), "--json"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("{")
    assert '"accuracy_without_silence"' in said
    assert rt_train(["manifest", "folders", str(WORDS), "-o", str(tmp_path / "w.csv")]) == 0
    assert len(read_manifest(tmp_path / "w.csv")) > 50
    assert rt_train([str(RECIPE), "--set", "fit.stpes=1"]) == 2
    assert (
        rt_train(["manifest", "kws12", str(tmp_path / "none"), "-o", str(tmp_path / "x")]) == 2
    )
    assert rt_eval(["tag", result, str(tmp_path / "nowhere")]) == 2


def test_clips_are_placed_and_cut() -> None:
    clip = np.arange(1, 5, dtype=np.float32)
    out = np.zeros(8, np.float32)
    place(out, clip, 0)
    assert out.tolist() == [0, 0, 1, 2, 3, 4, 0, 0]
    out[:] = 0
    place(out, clip, 4)
    assert out.tolist() == [0, 0, 0, 0, 0, 0, 1, 2]
    out[:] = 0
    place(out, clip, -8)
    assert not out.any()
    rng = np.random.default_rng(1)
    crop(out, np.arange(100, dtype=np.float32), rng)
    assert (np.diff(out) == 1).all()


def test_an_edge_is_all_that_is_left() -> None:
    clip = np.zeros(16_000, np.float32)
    clip[3200:9600] = np.sin(np.arange(6400))
    for first in (True, False):
        move = edge_of(clip, 16_000, 16_000, 0.25, first)
        assert move is not None
        out = np.zeros(16_000, np.float32)
        place(out, clip, move)
        begin, end = active_span(out, 16_000)
        assert end - begin == pytest.approx(1600, abs=320)
        assert (end == 16_000) if first else (begin == 0)
    # where the sound fills the clip, no edge can be told
    assert edge_of(np.ones(16_000, np.float32), 16_000, 16_000, 0.25, True) is None


def test_a_stretched_clip_is_the_same_sound() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000).astype(np.float32)
    fast = stretched(tone, 0.05)
    assert len(fast) == pytest.approx(16_000 / 1.05, abs=2)
    assert np.abs(np.fft.rfft(fast, 16_000)).argmax() == pytest.approx(210, abs=1)
    assert stretched(tone, 0.0) is tone


def test_a_network_is_refused_by_name() -> None:
    with pytest.raises(UsageError) as e:
        models.build({"network": "dscn"}, 3)
    assert e.value.hint == "did you mean dscnn?"
    with pytest.raises(UsageError, match="stemm"):
        models.build({"network": "dscnn", "stemm": 3}, 3)


def test_the_recipes_have_the_size_they_state() -> None:
    network = models.build(read_recipe(RECIPE).model, 12)
    assert models.parameters(network) == 297_932
    assert network(torch.zeros(2, 1, 98, 40)).shape == (2, 12)


def test_what_is_no_checkpoint_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(ModelError, match="no checkpoint"):
        load_model(path)
    path.write_text("not a checkpoint at all, but long enough")
    with pytest.raises(ModelError, match="no checkpoint"):
        load_model(path)


def test_a_card_that_cannot_be_is_said_before_training(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,label,group,split,role\nnone.wav,yes,ann,train,clip\n")
    changes = (
        f"data.manifest={manifest}",
        f"data.root={tmp_path}",
        'data.labels=["yes", "no"]',
    )
    recipe = read_recipe(RECIPE, changes)
    with pytest.raises(CardError, match="background names silence, unknown"):
        fit(recipe, tmp_path / "run")


def test_a_mean_is_not_written_over_its_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for path in (one, two):
        path.write_text("mine")
    assert rt_train(["average", str(one), str(two), "-o", str(one)]) == 2
    assert "is one of them" in capsys.readouterr().err
    assert one.read_text() == "mine"
