"""Clips in folds, words, scenes, folders and tables, on tiny trees in their exact layouts."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from realtime.errors import UsageError
from train.datasets import FOLDED, LAYOUTS, list_rows
from train.datasets.speech_commands import official_split
from train.manifest import Row, span_of, whole_of

Write = Callable[..., Path]


def by_file(rows: list[Row]) -> dict[str, Row]:
    return {r.file: r for r in rows}


def never_shared(rows: list[Row]) -> bool:
    """No group in two splits."""
    where: dict[str, set[str]] = {}
    for row in rows:
        where.setdefault(row.group, set()).add(row.split)
    return all(len(splits) == 1 for splits in where.values())


@pytest.fixture
def environment(tmp_path: Path, sound: Write, text: Write) -> Path:
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for source, target, label, ten in (
            (fold, 0, "dog", True),
            (10 + fold, 36, "mouse", False),
        ):
            for take in "AB":
                name = f"{fold}-{source}-{take}-{target}.wav"
                sound(f"audio/{name}")
                lines.append(f"{name},{fold},{target},{label},{ten},{source},{take}")
    text("meta/esc50.csv", "\n".join(lines) + "\n")
    return tmp_path


def test_esc50(environment: Path) -> None:
    rows, bad = list_rows("esc50", environment)
    assert (len(rows), bad) == (20, [])
    assert never_shared(rows)
    splits = {r.file[6]: r.split for r in rows}
    assert splits == {"1": "train", "2": "train", "3": "train", "4": "val", "5": "test"}
    splits = {r.file[6]: r.split for r in list_rows("esc50", environment, 1)[0]}
    assert (splits["1"], splits["5"]) == ("test", "val")
    ten, _ = list_rows("esc10", environment, 3)
    assert {r.label for r in ten} == {"dog"}
    assert {r.file[6] for r in ten if r.split == "test"} == {"3"}


def test_folds_that_are_not_there(environment: Path) -> None:
    with pytest.raises(UsageError, match="--fold 6") as e:
        list_rows("esc50", environment, 6)
    assert e.value.hint == "it has 1, 2, 3, 4, 5"
    with pytest.raises(UsageError, match="folders has no folds"):
        list_rows("folders", environment, 1)


def test_urbansound8k(tmp_path: Path, sound: Write, text: Write) -> None:
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in range(1, 11):
        name = f"{fold}00-3-0-{fold}.wav"
        sound(f"audio/fold{fold}/{name}")
        lines.append(f"{name},{fold}00,0.0,0.317551,1,{fold},3,dog_bark")
    text("metadata/UrbanSound8K.csv", "\n".join(lines) + "\n")
    (tmp_path / "audio/fold2/200-3-0-2.wav").unlink()
    rows, bad = list_rows("urbansound8k", tmp_path)
    found = by_file(rows)
    assert bad == ["audio/fold2/200-3-0-2.wav: missing"]
    assert found["audio/fold10/1000-3-0-10.wav"].split == "test"
    assert found["audio/fold9/900-3-0-9.wav"].split == "val"
    assert found["audio/fold1/100-3-0-1.wav"] == Row(
        "audio/fold1/100-3-0-1.wav", "dog_bark", "fs:100", "train", "clip"
    )


def test_dcase_2017(tmp_path: Path, sound: Write, text: Write) -> None:
    scenes = enumerate(["beach", "bus"] * 8)
    files = [(f"audio/b{i:03}_{t}.wav", scene, f"b{i:03}") for i, scene in scenes
             for t in ("0_10", "10_20")]  # fmt: skip
    for name, _, _ in files:
        sound(name)
    text("meta.txt", "".join(f"{n}\t{s}\t{p}\n" for n, s, p in files))
    text("evaluation_setup/fold1_train.txt", "".join(f"{n}\t{s}\n" for n, s, _ in files[8:]))
    text("evaluation_setup/fold1_test.txt", "".join(f"{n}\n" for n, _, _ in files[:8]))
    text("evaluation_setup/fold1_evaluate.txt", "".join(f"{n}\t{s}\n" for n, s, _ in files[:8]))
    rows, bad = list_rows("dcase", tmp_path)
    assert (len(rows), bad) == (32, [])
    assert never_shared(rows)
    assert {r.file for r in rows if r.split == "test"} == {n for n, _, _ in files[:8]}
    assert {r.split for r in rows} == {"train", "val", "test"}
    assert by_file(rows)["audio/b001_0_10.wav"].label == "bus"
    with pytest.raises(UsageError, match="--fold 2"):
        list_rows("dcase", tmp_path, 2)


def test_dcase_2018(tmp_path: Path, sound: Write, text: Write) -> None:
    a, b = "audio/airport-barcelona-203-6-a.wav", "audio/bus-london-7-8-a.wav"
    sound(a)
    sound(b)
    text("meta.csv", "filename\tscene_label\tidentifier\tsource_label\n"
         f"{a}\tairport\tbarcelona-203\ta\n{b}\tbus\tlondon-7\ta\n")  # fmt: skip
    text("evaluation_setup/fold1_train.csv", f"filename\tscene_label\n{a}\tairport\n")
    text("evaluation_setup/fold1_evaluate.csv", f"filename\tscene_label\n{b}\tbus\n")
    found = by_file(list_rows("dcase", tmp_path)[0])
    assert found[a].group == "place:barcelona-203"
    assert found[a].split in ("train", "val")
    assert found[b] == Row(b, "bus", "place:london-7", "test", "clip")


@pytest.fixture
def commands(tmp_path: Path, sound: Write) -> Path:
    for word in ("yes", "cat", "go"):
        for speaker in ("0a7c2a8d", "0ab3b47d", "0ac15fe9", "0b09edd3"):
            sound(f"{word}/{speaker}_nohash_0.wav")
    sound("_background_noise_/hum.wav", 40.0, 1000)
    (tmp_path / "_background_noise_" / "README.md").write_text("about them")
    return tmp_path


def test_speech_commands(commands: Path, text: Write) -> None:
    text("validation_list.txt", "yes/0a7c2a8d_nohash_0.wav\n")
    text("testing_list.txt", "cat/0ab3b47d_nohash_0.wav\ngo/0ab3b47d_nohash_0.wav\n")
    rows, bad = list_rows("speech-commands", commands)
    found = by_file(rows)
    assert bad == []
    assert {r.label for r in rows if r.role == "clip"} == {"yes", "cat", "go"}
    assert found["yes/0a7c2a8d_nohash_0.wav"].split == "val"
    assert found["cat/0ab3b47d_nohash_0.wav"].split == "test"
    assert found["yes/0ac15fe9_nohash_0.wav"] == Row(
        "yes/0ac15fe9_nohash_0.wav", "yes", "sc:0ac15fe9", "train", "clip"
    )


def test_twelve_speech_commands(commands: Path) -> None:
    rows, _ = list_rows("speech-commands12", commands)
    assert {r.label for r in rows if r.role == "clip"} == {"yes", "go", "unknown", "silence"}
    assert never_shared(rows)
    # 40 s of background: 32 to train with, 4 to choose by, 4 to test on, a second each
    silence = [r for r in rows if r.label == "silence"]
    assert [sum(r.split == s for r in silence) for s in ("train", "val", "test")] == [32, 4, 4]
    spans = sorted(s for r in silence if (s := span_of(r.file)))
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert whole_of(silence[0].file) == "_background_noise_/hum.wav"


def test_the_split_is_the_official_one() -> None:
    """Names from the published validation_list.txt and testing_list.txt."""
    for name in ("bed/026290a7_nohash_0.wav", "bed/060cd039_nohash_0.wav"):
        assert official_split(name) == "val"
    for name in ("bed/0c40e715_nohash_0.wav", "right/bb05582b_nohash_3.wav"):
        assert official_split(name) == "test"
    count = [official_split(f"{i:08x}_nohash_0.wav") for i in range(3000)]
    assert count.count("val") == pytest.approx(300, abs=60)
    assert count.count("test") == pytest.approx(300, abs=60)


def test_folders_of_parts(tmp_path: Path, sound: Write) -> None:
    for name in ("train/dog/a.wav", "validation/dog/b.wav", "test/cat/c.wav"):
        sound(name)
    found = by_file(list_rows("folders", tmp_path)[0])
    assert {f: (r.label, r.split) for f, r in found.items()} == {
        "train/dog/a.wav": ("dog", "train"),
        "validation/dog/b.wav": ("dog", "val"),
        "test/cat/c.wav": ("cat", "test"),
    }


def test_a_table_of_somebody(tmp_path: Path, sound: Write, text: Write) -> None:
    sound("clips/a.wav")
    sound("clips/b.wav")
    table = text("list.csv", "path,speaker,category,subset\nclips/a.wav,ann,dog;bark,dev\n"
                 "clips/b.wav,bob,cat,evaluation\nclips/c.wav,bob,cat,test\n")  # fmt: skip
    rows, bad = list_rows("table", table)
    assert rows == [
        Row("clips/a.wav", "dog;bark", "ann", "train", "clip"),
        Row("clips/b.wav", "cat", "bob", "test", "clip"),
    ]
    assert bad == ["clips/c.wav: missing"]
    with pytest.raises(UsageError, match="columns a, b"):
        list_rows("table", text("x.csv", "a,b\n1,2\n"))
    with pytest.raises(UsageError, match=r"y\.csv:2: set 'later'"):
        list_rows("table", text("y.csv", "file,label,set\na.wav,dog,later\n"))


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"table"}))
def test_an_empty_folder_is_said_in_one_line(tmp_path: Path, layout: str) -> None:
    with pytest.raises(UsageError) as e:
        list_rows(layout, tmp_path)
    assert e.value.hint
    assert "\n" not in e.value.line()
    with pytest.raises(UsageError):
        list_rows(layout, tmp_path / "nowhere")


def test_nothing_readable_is_said(environment: Path) -> None:
    for path in (environment / "audio").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UsageError, match="none of its 20 files"):
        list_rows("esc50", environment)
    assert set(FOLDED) <= set(LAYOUTS)
    with pytest.raises(UsageError, match="no layout 'esc'"):
        list_rows("esc", environment)
