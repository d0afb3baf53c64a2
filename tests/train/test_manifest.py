"""Manifests: splits that never share a speaker, errors that name the line."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import OutputError, UsageError
from train.command import main
from train.datasets import folder_of_folders, kws12
from train.manifest import HEADER, Row, Split, pick, read_manifest, split_of, write_manifest

WORDS = Path(__file__).parents[1] / "data" / "words"
SPLITS = get_args(Split)
POOL = Path(__file__).parents[3] / "shared" / "data"


def test_rows_survive_the_file(tmp_path: Path) -> None:
    rows = [
        Row("a, b.wav", "yes", "sc:1", "train", "clip"),
        Row("n.wav", "", "n", "test", "noise"),
    ]
    write_manifest(tmp_path / "m.csv", rows)
    assert read_manifest(tmp_path / "m.csv") == rows


@given(st.text(min_size=1, max_size=20))
def test_a_group_has_one_split(group: str) -> None:
    assert split_of(group) == split_of(group)
    assert split_of(group, val=0.0, test=0.0) == "train"
    assert split_of(group, val=0.0, test=1.0) == "test"


def test_splits_have_their_shares() -> None:
    splits = [split_of(f"speaker {i}") for i in range(4000)]
    assert splits.count("test") == pytest.approx(400, abs=60)
    assert splits.count("val") == pytest.approx(320, abs=60)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\na,b\n", "header"),
        ("file,label,group,split,role\na,b,c,tests,clip\n", ":2: 'tests'"),
        ("file,label,group,split,role\na,b,c,test,clip\na,b,c,test,sound\n", ":3: "),
        ("file,label,group,split,role\n", "no rows"),
        ("file,label,group,split,role\na,b,c,test,clip,more\n", ":2: not 5 fields"),
        ("file,label,group,split,role\na,b,c,test\n", ":2: not 5 fields"),
        ("file,label,group,split,role\n,b,c,test,clip\n", ":2: '' is no file"),
        ("file,label,group,split,role\na#t=4,3,b,c,test,clip\n", "not 5 fields"),
        ('file,label,group,split,role\n"a#t=4,3",b,c,test,clip\n', "no part of one"),
    ],
)
def test_a_wrong_manifest_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_manifest(path)


def test_any_writer_of_text_will_do(tmp_path: Path) -> None:
    lines = ",".join(HEADER), "é ö.wav,ja,c,test,clip", ""
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert read_manifest(tmp_path / "m.csv") == [Row("é ö.wav", "ja", "c", "test", "clip")]
    for data in (b"fLaC\xff\xa6", b"\x00" * 50):
        (tmp_path / "m.csv").write_bytes(data)
        with pytest.raises(UsageError, match=r"m\.csv: (is no table|the header)"):
            read_manifest(tmp_path / "m.csv")


def test_what_two_splits_share_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [Row(f"{i}.wav", "yes", "ann", split, "clip") for i, split in enumerate(SPLITS)]
    write_manifest(tmp_path / "m.csv", [*rows, rows[0]])
    assert len(read_manifest(tmp_path / "m.csv")) == 4
    assert "1 groups are in two splits or more, ann the first" in caplog.text
    assert "1 files have two lines or more, 0.wav the first" in caplog.text


def test_a_manifest_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "m.csv"):
        with pytest.raises(OutputError):
            write_manifest(path, [])
    old = tmp_path / "old.csv"
    old.write_text("old")

    def broken() -> Iterator[Row]:
        yield Row("a.wav", "yes", "ann", "train", "clip")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_manifest(old, broken())
    assert [p.name for p in tmp_path.iterdir()] == ["old.csv"]
    assert old.read_text() == "old"


def test_the_table_itself_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("file,label\na.wav,yes\n")
    assert main(["manifest", "table", str(table), "-o", str(table)]) == 2
    assert "is the table itself" in capsys.readouterr().err
    assert main(["manifest", "table", str(tmp_path), "-o", str(tmp_path / "m.csv")]) == 2
    assert "Is a directory" in capsys.readouterr().err
    assert table.read_text() == "file,label\na.wav,yes\n"


def test_a_missing_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_manifest(tmp_path / "none.csv")


def test_a_folder_of_folders() -> None:
    rows = folder_of_folders(WORDS)
    assert {"yes", "no", "hello"} <= {r.label for r in rows}
    assert {r.split for r in rows} == {"train", "val", "test"}
    assert all((WORDS / r.file).is_file() for r in rows)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no label folder"):
        folder_of_folders(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        folder_of_folders(tmp_path / "none")


def test_kws12_on_its_own_layout(tmp_path: Path) -> None:
    for name in (
        "speech-commands/yes/0000aaaa_nohash_0.wav",
        "speech-commands/cat/0000aaaa_nohash_0.wav",
        "speech-commands/_background_noise_/hum.wav",
        "speech-commands/_background_noise_/sc_test_silence/7.wav",
        "voice/librispeech/libri-12_0.ogg",
        "voice/fsdd/fsdd-jackson_1.ogg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "sounds.csv").write_text(
        "file,source_id,licence,category\n"
        "noise/a.ogg,a,CC0,rain\n"
        "noise/b.ogg,b,CC BY-SA 3.0,rain\n"
        "drums/c.ogg,c,GPL-2,kick\n"
        "noncommercial/d.ogg,d,CC0,cat\n"
        "rir/e.flac,e,CC0 (simulated here),simulated room\n"
    )
    rows = {r.file: r for r in kws12(tmp_path)}
    assert rows["speech-commands/yes/0000aaaa_nohash_0.wav"].label == "yes"
    other = rows["speech-commands/cat/0000aaaa_nohash_0.wav"]
    assert (other.label, other.group) == ("unknown", "sc:0000aaaa")
    assert rows["speech-commands/_background_noise_/sc_test_silence/7.wav"].label == "silence"
    assert rows["voice/librispeech/libri-12_0.ogg"].role == "talk"
    assert rows["rir/e.flac"].role == "room"
    # licences that do not allow weights to be given away stay out
    assert not {"noise/b.ogg", "drums/c.ogg", "noncommercial/d.ogg"} & set(rows)
    assert not any("fsdd" in name for name in rows)


@pytest.mark.skipif(not POOL.is_dir(), reason="needs the pool of recordings")
def test_no_speaker_is_in_two_splits_of_the_pool() -> None:
    rows = kws12(POOL)
    groups = [{r.group for r in rows if r.split == s} for s in ("train", "val", "test")]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert len(pick(rows, "test", "clip")) > 1000
