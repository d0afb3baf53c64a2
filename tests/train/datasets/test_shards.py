"""Shards: read back whole, by WebDataset too; resumed; of one manifest only."""

import gc
import io
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import soundfile

from realtime.errors import OutputError, UsageError
from train.command import main as rt_train
from train.datasets import shards
from train.datasets.shards import write_shards
from train.manifest import Row, part_of, write_manifest

Write = Callable[..., Path]


@pytest.fixture
def rows(sound: Write, text: Write) -> list[Row]:
    names = [f"set/{i}.wav" for i in range(7)]
    for i, name in enumerate(names):
        sound(name, 0.02 * (i + 1))
    text("set/broken.wav", "no sound")
    kept = [Row(n, f"l{i % 2}", n, "val" if i == 6 else "train", "clip")
            for i, n in enumerate(names)]  # fmt: skip
    kept.append(Row(part_of("set/5.wav", 0.05, 0.1), "l0", "p", "train", "clip"))
    return [*kept, Row("set/broken.wav", "l0", "b", "train", "clip")]


def members(folder: Path) -> list[tuple[Row, str, bytes]]:
    """Rows of the training shards with their sounds' endings and bytes."""
    found = []
    for path in sorted(folder.glob("train-*.tar")):
        with tarfile.open(path) as tar:
            both = [(Path(m.name).suffix, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
        for (ending, data), (_, text) in zip(both[::2], both[1::2], strict=True):
            found.append((msgspec.json.decode(text, type=Row), ending, data))
    return found


def test_what_goes_in_comes_out(tmp_path: Path, rows: list[Row]) -> None:
    index = write_shards(rows, tmp_path, tmp_path / "out", size=3)
    assert list(index.shards) == [
        "train-000000.tar", "train-000001.tar", "train-000002.tar", "val-000000.tar"
    ]  # fmt: skip
    assert sum(index.shards.values()) == 8
    assert len(index.left_out) == 1
    assert index.left_out[0].startswith("set/broken.wav: ")
    samples = members(tmp_path / "out")
    found = {row.file: (ending, data) for row, ending, data in samples}
    assert {row for row, _, _ in samples} == {r for r in rows if r.split == "train"} - {
        rows[-1]
    }
    assert found["set/3.wav"] == (".wav", (tmp_path / "set/3.wav").read_bytes())
    ending, data = found[part_of("set/5.wav", 0.05, 0.1)]
    audio, rate = soundfile.read(io.BytesIO(data))
    whole, _ = soundfile.read(tmp_path / "set/5.wav")
    assert (ending, rate, len(audio)) == (".flac", 8000, 400)
    assert abs(audio - whole[400:800]).max() < 1e-4
    assert [row.file for row, _, _ in samples] != [r.file for r in rows[:6]]  # shuffled


def test_webdataset_reads_them(tmp_path: Path, rows: list[Row]) -> None:
    webdataset = pytest.importorskip("webdataset", reason="shards are held against its reader")
    write_shards(rows, tmp_path, tmp_path / "out", size=3)
    url = str(tmp_path / "out" / "train-{000000..000002}.tar")
    with warnings.catch_warnings():  # it leaves files open
        warnings.simplefilter("ignore", ResourceWarning)
        theirs = list(webdataset.WebDataset(url, shardshuffle=False).decode())
        gc.collect()
    ours = members(tmp_path / "out")
    assert [s["json"]["file"] for s in theirs] == [row.file for row, _, _ in ours]
    assert theirs[0][ours[0][1][1:]] == ours[0][2]


def test_an_interrupted_run_goes_on(
    tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_shards(rows, tmp_path, tmp_path / "whole", size=3)
    original, written = shards._add, []

    def stop_in_the_second(tar: tarfile.TarFile, name: str, data: bytes) -> None:
        written.append(name)
        if len(written) == 9:
            raise KeyboardInterrupt
        original(tar, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "_add", stop_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            write_shards(rows, tmp_path, tmp_path / "out", size=3)
    first = tmp_path / "out" / "train-000000.tar"
    before = first.stat().st_mtime_ns
    assert not (tmp_path / "out" / "train-000001.tar").exists()
    assert write_shards(rows, tmp_path, tmp_path / "out", size=3) == whole
    assert first.stat().st_mtime_ns == before
    for path in (tmp_path / "whole").glob("*.tar"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_what_is_wrong_is_said(tmp_path: Path, rows: list[Row]) -> None:
    write_shards(rows, tmp_path, tmp_path / "out", size=3)
    with pytest.raises(UsageError, match="another manifest"):
        write_shards(rows[:-1], tmp_path, tmp_path / "out", size=3)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a.tar").touch()
    with pytest.raises(UsageError, match="somebody else"):
        write_shards(rows, tmp_path, tmp_path / "theirs")


def test_the_command(
    tmp_path: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    write_manifest(tmp_path / "m.csv", rows)
    args = ["shard", str(tmp_path / "m.csv"), str(tmp_path), "-o", str(tmp_path / "out")]
    assert rt_train(args) == 0
    assert capsys.readouterr().out.strip().endswith("2 shards, 8 rows")
    assert rt_train(args[:3]) == 2


def test_nothing_to_write_and_nowhere_to_write_it(tmp_path: Path, rows: list[Row]) -> None:
    with pytest.raises(UsageError, match="not one of 9 recordings can be read"):
        write_shards(rows, tmp_path / "elsewhere", tmp_path / "none")
    assert sum(write_shards(rows, tmp_path, tmp_path / "none").shards.values()) == 8
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file is no folder"):
        write_shards(rows, tmp_path, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
