"""Outputs: exact JSON fields, whole files or none, a terminal that is left as it was."""

import csv
import io
import json
import os
import stat
from pathlib import Path

import pytest
from kit_outputs import EVENTS, opening, reading

from realtime.errors import OutputError
from realtime.outputs.jsonl import JsonLines
from realtime.outputs.replace import Replacement, write_whole
from realtime.outputs.scores import ScoresCsv


def test_json_lines_are_exact():
    stream = io.StringIO()
    output = JsonLines(stream)
    output.open(opening())
    for event in EVENTS:
        output.event(event)
    output.end(100.0)
    output.close(complete=True)
    assert stream.getvalue().splitlines() == [
        '{"event":"start","label":"yes","t":12.34,"score":0.97}',
        '{"event":"stop","label":"yes","t":12.91,"peak":0.99}',
        '{"event":"device","state":"lost","name":"Mic","t":80.12}',
        '{"event":"dropped","t":91.0,"frames":480}',
    ]


def test_json_lines_name_files_and_flush():
    class Counts(io.StringIO):
        flushes = 0

        def flush(self):
            self.flushes += 1

    stream = Counts()
    output = JsonLines(stream, name_file=True)
    for name in ("a.wav", "größe.wav"):
        output.open(opening(name))
        output.event(EVENTS[0])
        assert json.loads(stream.getvalue().splitlines()[-1])["file"] == name
    assert stream.flushes == 2


def test_scores(tmp_path):
    path = tmp_path / "s.csv"
    output = ScoresCsv(path)
    output.open(opening(labels=("yes", 'odd, "label"')))
    output.reading(reading(0.1))
    output.reading(reading(0.2, (0.99996, 0)))
    assert not path.exists(), "only a whole file has its name"
    output.end(0.2)
    output.close(complete=True)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows == [
        ["time_s", "yes", 'odd, "label"'],
        ["0.100", "0.2500", "0.1250"],
        ["0.200", "1.0000", "0.0000"],
    ]
    assert path.read_bytes().count(b"\r") == 0
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_scores_of_several_files(tmp_path):
    output = ScoresCsv(tmp_path / "s.csv", name_file=True)
    for name in ("a.wav", "b.wav"):
        output.open(opening(name))
        output.reading(reading(0.1))
        output.end(0.1)
    output.close(complete=True)
    rows = list(csv.reader((tmp_path / "s.csv").read_text().splitlines()))
    assert [row[:2] for row in rows] == [
        ["file", "time_s"], ["a.wav", "0.100"], ["b.wav", "0.100"],
    ]  # fmt: skip


def test_a_failed_run_keeps_what_was_there(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("mine\n")
    path.chmod(0o640)
    output = ScoresCsv(path)
    output.open(opening())
    output.reading(reading(0.1))
    output.close(complete=False)
    assert path.read_text() == "mine\n"
    assert list(tmp_path.iterdir()) == [path]
    output = ScoresCsv(path)
    output.open(opening())
    output.close(complete=True)
    assert path.read_text() == "time_s,yes,no\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_full_device_is_one_error():
    output = ScoresCsv("/dev/full")
    output.open(opening())
    for i in range(40):
        output.reading(reading(i * 0.1))
    with pytest.raises(OutputError, match="No space left") as e:
        output.end(4.0)
    assert e.value.status == 6
    output.close(complete=False)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode), "a device is never replaced"


def test_a_small_file_is_the_new_one_or_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    write_whole(path, b"old")

    def stopped(whole: Path, data: bytes) -> None:
        with whole.open("wb") as f:
            f.write(data[:1])
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    if Path("/dev/full").exists():
        with pytest.raises(OutputError, match="/dev/full cannot be written: No space left"):
            write_whole("/dev/full", b"new")


def test_replacement_refuses_early_and_follows_links(tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        Replacement(tmp_path / "no" / "x.csv")
    with pytest.raises(OutputError, match="is a folder"):
        Replacement(tmp_path)
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    replacement = Replacement(link)
    replacement.temporary.write_text("new")
    replacement.commit()
    assert link.is_symlink()
    assert real.read_text() == "new"
