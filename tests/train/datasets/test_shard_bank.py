"""Runs that read shards: the same sound, every clip in turn, and nothing broken in silence."""

import logging
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("safetensors", reason="needs the train extra")

from models.checkpoint import load_model, load_tensors  # noqa: E402
from realtime.errors import FormatError, UsageError  # noqa: E402
from train.bank import open_bank  # noqa: E402
from train.batches import Batches  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.datasets.shard_bank import ShardBank, Shards  # noqa: E402
from train.datasets.shard_contents import contents_of  # noqa: E402
from train.datasets.shards import write_shards  # noqa: E402
from train.datasets.statistics import statistics  # noqa: E402
from train.datasets.turns import TOGETHER, Turns  # noqa: E402
from train.fit import fit  # noqa: E402
from train.manifest import Row, part_of, read_manifest, write_manifest  # noqa: E402
from train.recipe import Recipe, read_recipe  # noqa: E402

ALL = (
    "mix.silence=0.2", "augment.noise=0.5", "augment.room=0.5", "augment.neighbour=0.3",
    "augment.speeds=[1.0, 1.1]", "augment.stretch=0.05",
)  # fmt: skip


@pytest.fixture
def rows(tones: Path) -> list[Row]:
    """The tones; noise, a room, a part of a long file, one of another rate; all in shards."""
    folder, rng = tones.parent, np.random.default_rng(3)
    kept = read_manifest(folder / "m.csv")
    soundfile.write(folder / "hiss.wav", 0.1 * rng.standard_normal(9000), 8000)
    soundfile.write(folder / "room.wav", np.exp(-np.arange(400) / 50), 8000)
    soundfile.write(folder / "long.flac", 0.2 * np.sin(np.arange(60_000) / 9), 11_025)
    kept += [
        Row("hiss.wav", "", "h", "train", "noise"), Row("room.wav", "", "r", "train", "room"),
        Row(part_of("long.flac", 1.0, 1.5), "high", "l", "train", "clip"),
        Row("long.flac", "high", "l", "train", "clip"),
    ]  # fmt: skip
    write_manifest(folder / "m.csv", kept)
    write_shards(kept, folder, folder / "shards", size=4)
    return kept


def recipe_of(tones: Path, *changes: str) -> Recipe:
    return read_recipe(tones, ("data.cached=false", *changes))


def in_shards(tones: Path, *changes: str) -> Recipe:
    return recipe_of(tones, f"data.shards={tones.parent / 'shards'}", *changes)


def undrawn(step: int, figure: float) -> None:
    """A run that reports draws no pictures."""


def test_the_sound_is_that_of_the_files(tones: Path, rows: list[Row]) -> None:
    shards, names = Shards(tones.parent / "shards", rows), [r.file for r in rows]
    for speed in (1.0, 1.1):
        ours = ShardBank(shards, 8000, speed)
        theirs = open_bank(tones.parent, names, 8000, speed)
        assert np.array_equal(ours.length, theirs.length)
        for i in range(len(rows)):
            assert np.array_equal(ours.clip(i), theirs.clip(i)), rows[i].file
            assert np.array_equal(ours.clip(i, 100, 50), theirs.clip(i, 100, 50))
    assert statistics(in_shards(tones), rows) == statistics(recipe_of(tones), rows)


@pytest.mark.parametrize("more", [(), ("loss.kind=bce", "mix.events=0.4")])
def test_batches_are_those_of_the_files(
    tones: Path, rows: list[Row], more: tuple[str, ...]
) -> None:
    ours = Batches(in_shards(tones, *ALL, *more), rows)
    theirs = Batches(recipe_of(tones, *ALL, *more), rows)
    assert not torch.equal(ours.draw(1).features, theirs.draw(1).features)
    theirs.clips = ours.clips  # the same clips in the same order
    for step in (0, 1, 7):
        a, b = ours.draw(step), theirs.draw(step)
        assert torch.equal(a.features, b.features)
        assert torch.equal(a.targets.nan_to_num(2.0), b.targets.nan_to_num(2.0))


def test_an_epoch_has_every_clip_once_whoever_takes_it() -> None:
    clips, shard = np.arange(100, 340), np.arange(240) // 4
    turns = Turns(clips, np.full(240, 1 / 240), shard, seed=1)
    batches = [turns.take(number, 12) for number in range(40)]  # two epochs
    for epoch in (batches[:20], batches[20:]):
        assert sorted(np.concatenate(epoch)) == clips.tolist()
    assert not np.array_equal(batches[0], batches[20])
    # a process that takes every second batch, beginning in the second epoch
    mine = Turns(clips, np.full(240, 1 / 240), shard, seed=1)
    assert all(np.array_equal(mine.take(n, 12), batches[n]) for n in range(21, 40, 2))
    near = np.unique((np.concatenate(batches[:2]) - 100) // 4)
    assert len(near) <= TOGETHER
    # batches that are no divisor of the epoch go on in the next one
    odd = np.concatenate([turns.take(number, 7) for number in range(35)])
    assert sorted(odd[:240]) == clips.tolist()


def test_rare_clips_come_again_all_over_the_epoch() -> None:
    chances = np.ones(400)
    chances[5], chances[6] = 100, 0.1
    turns = Turns(np.arange(400), chances / chances.sum(), np.arange(400) // 4, seed=1)
    epochs = [turns.take(number, 400) for number in range(50)]
    count = np.mean([np.bincount(e, minlength=400) for e in epochs], 0)
    often = count * chances.sum() / 400
    assert often[5:7] == pytest.approx([100, 0.1], rel=0.02, abs=0.15)
    assert np.delete(often, [5, 6]) == pytest.approx(np.ones(398), abs=0.4)
    places = np.flatnonzero(epochs[0] == 5)
    assert np.ptp(places) > 200


def test_a_run_learns_and_goes_on_exactly(
    tones: Path, rows: list[Row], interrupted: Callable[[Recipe, Path], None]
) -> None:
    recipe = in_shards(tones, "fit.steps=24", "fit.validate=12", "mix.silence=0.0")
    _, card = load_model(fit(recipe, tones.parent / "whole", undrawn))
    assert card.measured[0]["figure"] == "accuracy 1.0000"
    assert card.recipe["data"]["shards"] == "shards"
    ahead = in_shards(
        tones, "fit.steps=24", "fit.validate=12", "mix.silence=0.0", "fit.workers=2"
    )
    interrupted(ahead, tones.parent / "parts")
    fit(ahead, tones.parent / "parts", undrawn)
    a, _ = load_tensors(tones.parent / "whole" / "last.safetensors")
    b, _ = load_tensors(tones.parent / "parts" / "last.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_what_is_broken_is_listed_and_counted_every_time(
    tones: Path, rows: list[Row], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tones.parent / "shards"
    whole = {p.name: contents_of(p).sounds for p in sorted(folder.glob("train-*.tar"))}
    (first, ours), (second, theirs), (third, lost), *_ = whole.items()
    with (folder / first).open("r+b") as file:  # a sound that is none
        file.seek(ours[1].at)
        file.write(bytes(ours[1].size))
    with (folder / second).open("r+b") as file:  # a shard that breaks off in a sound
        file.truncate(theirs[2].at + 100)
    (folder / third).unlink()
    (folder / "train-000099.tar").write_bytes(b"no tar file")
    gone = {ours[1].file, *(s.file for s in theirs[2:]), *(s.file for s in lost)}
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING, "rt.train.shards"):
            shards = Shards(folder, rows)
        said = caplog.messages
        assert any(line.startswith(f"left out: {ours[1].file}: ") for line in said)
        assert all(any(line.startswith(f"left out: {f}: ") for line in said) for f in gone)
        assert f"{folder / second}: it breaks off: unexpected end of data" in said
        assert any(line.startswith(f"{folder / 'train-000099.tar'}: ") for line in said)
        assert said[-1] == f"{len(gone)} of {len(rows)} recordings could not be read"
    bank = ShardBank(shards, 8000)
    assert {r.file for i, r in enumerate(rows) if not bank.length[i]} == gone
    short = in_shards(tones, "fit.steps=2", "mix.silence=0.0")
    assert fit(short, tones.parent / "run", undrawn).exists()


def test_a_row_that_is_broken_and_a_header_that_is_no_header(
    tmp_path: Path, tones: Path, rows: list[Row], caplog: pytest.LogCaptureFixture
) -> None:
    path = next(iter(sorted((tmp_path / "shards").glob("train-*.tar"))))
    whole = contents_of(path).sounds
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    with path.open("r+b") as file:
        file.seek(members[1].offset_data)
        file.write(b"?")
        file.seek(members[4].offset)
        file.write(bytes(range(200)))
    found = contents_of(path)
    assert [s.file for s in found.sounds] == [whole[1].file]
    assert found.faults[0].startswith("00000000.wav: the row beside it: ")
    with caplog.at_level(logging.WARNING, "rt.train.shards"):
        Shards(path.parent, rows)
    for sound in (whole[0], *whole[2:]):
        assert f"left out: {sound.file}: in no shard" in caplog.messages


def test_what_cannot_be_is_said(
    tones: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tones.parent / "shards"
    with pytest.raises(UsageError, match=r"no train-\*\.tar"):
        Shards(tones.parent, rows)
    others = [Row("z.wav", "high", "z", "train", "clip")]
    with pytest.raises(UsageError, match="none of the manifest's 1 recordings"):
        Shards(folder, others)
    bank = ShardBank(Shards(folder, rows), 8000)
    for path in folder.glob("*.tar"):
        path.unlink()
    with pytest.raises(FormatError, match=r"0\.wav cannot be read any more"):
        bank.clip(0)
    args = ["--set", "data.cached=false", "--set", f"data.shards={folder}"]
    assert rt_train([str(tones), "-o", str(tones.parent / "run"), *args]) == 2
    assert "make them with rt-train shard" in capsys.readouterr().err
