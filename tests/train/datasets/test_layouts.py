"""FSD50K and AudioSet on tiny trees in their exact layouts; the ontology."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from realtime.errors import UsageError
from train.datasets import list_rows
from train.datasets.fsd50k import slim
from train.datasets.ontology import read_ontology
from train.manifest import Row, labels_of

Write = Callable[..., Path]

ONTOLOGY = """[
 {"id": "/m/human", "name": "Human sounds", "child_ids": ["/m/hand"], "restrictions": []},
 {"id": "/m/hand", "name": "Hands", "child_ids": ["/m/clap"], "restrictions": ["abstract"]},
 {"id": "/m/clap", "name": "Clapping", "child_ids": [], "restrictions": []},
 {"id": "/m/music", "name": "Music", "child_ids": ["/m/guitar", "/m/tap"], "restrictions": []},
 {"id": "/m/guitar", "name": "Guitar", "child_ids": [], "restrictions": []},
 {"id": "/m/things", "name": "Sounds of things", "child_ids": ["/m/tap"], "restrictions": []},
 {"id": "/m/tap", "name": "Tap", "child_ids": [], "restrictions": []}
]"""


def by_file(rows: list[Row]) -> dict[str, Row]:
    return {r.file: r for r in rows}


@pytest.fixture
def freesound(tmp_path: Path, sound: Write, text: Write) -> Path:
    """FSD50K with six clips, of which one is missing and one is no sound."""
    text(
        "FSD50K.ground_truth/vocabulary.csv",
        "0,Clapping,/m/clap\n1,Hands,/m/hand\n2,Guitar,/m/guitar\n3,Music,/m/music\n4,Tap,/m/tap\n",
    )
    text(
        "FSD50K.ground_truth/dev.csv",
        "fname,labels,mids,split\n"
        '11,"Clapping,Hands","/m/clap,/m/hand",train\n'
        '12,"Guitar,Music","/m/guitar,/m/music",train\n'
        "13,Clapping,/m/clap,val\n"
        '14,"Clapping,Guitar","/m/clap,/m/guitar",train\n'
        "15,Music,/m/music,train\n",
    )
    text(
        "FSD50K.ground_truth/eval.csv",
        'fname,labels,mids\n21,"Guitar,Music","/m/guitar,/m/music"\n22,Tap,/m/tap\n',
    )
    text(
        "FSD50K.metadata/dev_clips_info_FSD50K.json",
        '{"11": {"title": "a", "uploader": "anna"}, "14": {"uploader": "anna", "tags": ["x"]}}',
    )
    for name in (
        "dev_audio/11",
        "dev_audio/12",
        "dev_audio/13",
        "dev_audio/14",
        "eval_audio/21",
        "eval_audio/22",
    ):
        sound(f"FSD50K.{name}.wav")
    text("FSD50K.dev_audio/15.wav", "this is no sound")
    return tmp_path  # fmt: skip


def test_fsd50k(freesound: Path) -> None:
    rows, bad = list_rows("fsd50k", freesound)
    found = by_file(rows)
    assert len(rows) == 6
    first = found["FSD50K.dev_audio/11.wav"]
    assert labels_of(first) == ["Clapping", "Hands"]
    assert (first.group, first.split) == ("uploader:anna", "train")
    assert found["FSD50K.dev_audio/13.wav"].split == "val"
    assert found["FSD50K.eval_audio/21.wav"].split == "test"
    assert len(bad) == 1
    assert bad[0].startswith("FSD50K.dev_audio/15.wav: ")
    assert "tmp" not in bad[0]


def test_fsd50k_with_the_ontology(freesound: Path, text: Write) -> None:
    text("ontology.json", ONTOLOGY)
    found = by_file(list_rows("fsd50k", freesound)[0])
    # its ancestors of the vocabulary, and no others ("Human sounds" is none of the 200)
    assert set(labels_of(found["FSD50K.dev_audio/13.wav"])) == {"Clapping", "Hands"}
    families = by_file(list_rows("fsd50k-families", freesound)[0])
    assert families["FSD50K.dev_audio/11.wav"].label == "Human sounds"
    assert families["FSD50K.eval_audio/21.wav"].label == "Music"
    # a clip of two families, and one whose class has two
    assert not {"FSD50K.dev_audio/14.wav", "FSD50K.eval_audio/22.wav"} & set(families)


def test_the_slim_layout(freesound: Path, text: Write, sound: Write) -> None:
    text("ontology.json", ONTOLOGY)
    table = freesound / "FSD50K.ground_truth/dev.csv"
    with table.open("a") as f:
        for i in range(31, 35):
            f.write(f"{i},Clapping,/m/clap,train\n")
            sound(f"FSD50K.dev_audio/{i}.wav")
        f.write("35,Guitar,/m/guitar,train\n")
        sound("FSD50K.dev_audio/35.wav")
    rows, _ = list_rows("fsd50k-slim", freesound)
    train = [r.label for r in rows if r.split == "train"]
    assert sorted(train) == 2 * ["Human sounds"] + 2 * ["Music"]
    assert {r.file for r in rows if r.split != "train"} == {
        "FSD50K.dev_audio/13.wav", "FSD50K.eval_audio/21.wav"
    }  # fmt: skip


def test_families_need_the_ontology(freesound: Path) -> None:
    with pytest.raises(UsageError, match=r"ontology\.json"):
        list_rows("fsd50k-families", freesound)


def test_a_label_that_is_no_class(freesound: Path, text: Write) -> None:
    text("FSD50K.ground_truth/eval.csv", 'fname,labels,mids\n21,"Guitar,Lute","/m/g,/m/l"\n')
    with pytest.raises(UsageError, match=r"eval\.csv:2: label 'Lute'"):
        list_rows("fsd50k", freesound)


def test_the_slim_set_is_balanced() -> None:
    have = {"a": 9, "b": 4, "c": 1}
    rows = [Row(f"{k}{i}", k, k, "train", "clip") for k, n in have.items() for i in range(n)]
    rows.append(Row("t", "a", "t", "test", "clip"))
    kept = slim(rows, 2)
    assert [sum(r.label == k for r in kept if r.split == "train") for k in "abc"] == [4, 4, 0]
    assert kept[-1].split == "test"
    assert slim(rows, 2) == kept


def test_ancestors_and_families(text: Write) -> None:
    ontology = read_ontology(text("ontology.json", ONTOLOGY))
    assert ontology.ancestors("/m/clap") == {"/m/hand", "/m/human"}
    assert ontology.families("/m/tap") == {"Music", "Sounds of things"}
    assert ontology.families("/m/music") == {"Music"}
    with pytest.raises(UsageError, match="no ontology"):
        read_ontology(text("x.json", "{}"))


HEAD = ("# Segments csv created Sun Mar  5 10:54:31 2017\n"
        "# num_ytids=3, num_segs=3, num_unique_labels=2, num_positive_labels=4\n"
        "# YTID, start_seconds, end_seconds, positive_labels\n")  # fmt: skip


@pytest.fixture
def videos(tmp_path: Path, sound: Write, text: Write) -> Path:
    text(
        "class_labels_indices.csv",
        "index,mid,display_name\n"
        '0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n',
    )
    text(
        "balanced_train_segments.csv",
        HEAD + '--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/m/05zppz"\n'
        '-0RWZT-miFs, 420.000, 430.000, "/m/09x0r"\nabcdefghijk, 0.000, 9.500, "/m/05zppz"\n',
    )
    text(
        "eval_segments.csv",
        HEAD
        + 'lmnopqrstuv, 30.000, 40.000, "/m/09x0r"\nwxyz0123456, 1.500, 11.500, "/m/09x0r"\n',
    )
    sound("train/--PJHxphWEs_30.000_40.000.wav")
    sound("train/Y-0RWZT-miFs.wav")
    sound("eval/lmnopqrstuv_30000.flac")
    sound("eval/wxyz0123456_1.5_11.5.wav")
    return tmp_path  # fmt: skip


def test_audioset(videos: Path) -> None:
    rows, bad = list_rows("audioset", videos)
    found = by_file(rows)
    first = found["train/--PJHxphWEs_30.000_40.000.wav"]
    assert labels_of(first) == ["Speech", "Male speech, man speaking"]
    assert first.group == "yt:--PJHxphWEs"
    assert first.split in ("train", "val")
    assert found["train/Y-0RWZT-miFs.wav"].label == "Speech"
    assert found["eval/lmnopqrstuv_30000.flac"].split == "test"
    assert found["eval/wxyz0123456_1.5_11.5.wav"].split == "test"
    assert bad == ["abcdefghijk.wav: missing"]


@pytest.mark.parametrize(("line", "said"), [
    ('lmnopqrstuv, 30.000, 40.000\n', ":4: not YTID"),
    ('lmnopqrstuv, thirty, 40.000, "/m/09x0r"\n', ":4: not YTID"),
    ('lmnopqrstuv, 30.000, 40.000, "/m/none"\n', ":4: class /m/none"),
])  # fmt: skip
def test_a_wrong_segment_is_said(videos: Path, text: Write, line: str, said: str) -> None:
    text("eval_segments.csv", HEAD + line)
    with pytest.raises(UsageError, match=said):
        list_rows("audioset", videos)


def test_rows_travel_as_text(freesound: Path) -> None:
    rows, _ = list_rows("fsd50k", freesound)
    assert msgspec.convert(msgspec.to_builtins(rows), list[Row]) == rows
