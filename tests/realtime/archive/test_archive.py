"""Archives as people meet them: the table, what is not read, and runs that were cut short."""

import contextlib
import csv
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from kit_command import alive

from realtime.archive.files import Entry, list_files
from realtime.archive.job import Job, Outcome, Tag, Tagger, digest_of
from realtime.archive.journal import Journal
from realtime.commands.tag import main
from realtime.errors import ModelError, OutputError, UsageError

BIN = Path(sys.executable).parent / "rt-tag"
SOUND = (("", 0.4), ("low", 0.8), ("", 0.7), ("high", 0.8), ("", 0.6))
LONG = (("", 1.0), ("low", 2.0), ("", 1.0), ("high", 2.0)) * 2
LIMIT_S = 100


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No settings of the person who runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def sounds(kit, write_wav, tmp_path):
    """Folders with four sounds, two files that are none, and one with another ending."""
    for folder in ("b/deep", "a", "b/.hidden"):
        (tmp_path / "in" / folder).mkdir(parents=True)
    for name in ("a/2.wav", "a/10.flac", "b/deep/1.ogg", "b/é ü.WAV", "b/.hidden/x.wav"):
        write_wav(f"in/{name}", kit.tones(*SOUND))
    (tmp_path / "in/a/empty.wav").touch()
    (tmp_path / "in/b/text.mp3").write_text("no sound")
    (tmp_path / "in/b/notes.txt").write_text("no sound either")
    return tmp_path / "in"


def read(path):
    return list(csv.reader(path.read_text().splitlines()))


def wait_for(what):
    until = time.monotonic() + LIMIT_S
    while not (found := what()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def workers(pid):
    """The workers of a run; another child of it keeps Python's books."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    found = [x for children in threads for x in children.read_text().split()]
    return [int(x) for x in found if b"spawn_main" in Path(f"/proc/{x}/cmdline").read_bytes()]


def test_rows_are_the_events_of_json(band_model, sounds, tmp_path, capsys):
    model = ["--model", str(band_model)]
    for kind in (".csv", ".jsonl"):
        args = [str(sounds), "-r", "-o", str(tmp_path / f"t{kind}"), "--jobs", "2", *model]
        assert main(args) == 0
        err = capsys.readouterr().err
        assert "a/empty.wav: is empty (0 bytes)" in err
        assert "b/text.mp3: is text, not sound" in err
        assert "2 files could not be read" in err
    rows = read(tmp_path / "t.csv")
    assert rows[0] == ["file", "label", "start", "stop", "peak"]
    files = [f"{sounds}/{x}" for x in ("a/10.flac", "a/2.wav", "b/é ü.WAV", "b/deep/1.ogg")]
    assert main([*files, "--json", *model]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    starts, stops = ([e for e in events if e["event"] == k] for k in ("start", "stop"))
    assert len(starts) == 8
    assert rows[1:] == [
        [a["file"], a["label"], str(a["t"]), str(z["t"]), str(z["peak"])]
        for a, z in zip(starts, stops, strict=True)
    ]
    told = [json.loads(x) for x in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [[str(v) for v in one.values()] for one in told] == rows[1:]
    assert list(tmp_path.glob("*.journal")) == []


def test_parquet_is_the_same_table(band_model, sounds, tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the archive extra")
    for kind in (".csv", ".parquet"):
        out = str(tmp_path / f"t{kind}")
        assert main([str(sounds), "-r", "-o", out, "--model", str(band_model), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    table = parquet.read_table(tmp_path / "t.parquet")
    rows = [[str(v) for v in row.values()] for row in table.to_pylist()]
    assert rows == read(tmp_path / "t.csv")[1:]
    assert [str(kind) for kind in table.schema.types] == ["string"] * 2 + ["double"] * 3
    assert (told["files"], told["rows"], told["complete"]) == (6, 8, True)
    assert told["hours"] == pytest.approx(4 * 3.3 / 3600, abs=1e-4)


def test_without_arrow_a_csv_is_still_made(band_model, sounds, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    base = [str(sounds / "a/2.wav"), "--model", str(band_model), "-o"]
    assert main([*base, str(tmp_path / "t.parquet")]) == 5
    assert "pipx inject rt-tag pyarrow" in capsys.readouterr().err
    assert main([*base, str(tmp_path / "t.csv")]) == 0
    assert len(read(tmp_path / "t.csv")) == 3


def test_nothing_that_can_be_read(band_model, sounds, tmp_path, capsys):
    out = tmp_path / "t.csv"
    out.write_text("what was here")
    bad = [str(sounds / "a/empty.wav"), str(sounds / "b/text.mp3")]
    assert main([*bad, "-o", str(out), "--model", str(band_model)]) == 4
    assert "none of 2 files could be read" in capsys.readouterr().err
    assert out.read_text() == "what was here"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "t.csv"]


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["in", "-o", "t.csv"], 2, "in is a folder: add --recursive"),
        (["in", "-r"], 2, "--recursive is for archives: add -o"),
        (["in", "--ray", "local"], 2, "--ray is for archives"),
        (["in", "-r", "-o", "t.txt"], 2, "use .parquet .csv .jsonl"),
        (["-o", "t.csv"], 2, "-o makes a table of files"),
        (["in", "-r", "-o", "t.csv", "--plot", "p.png"], 2, "--plot and -o"),
        (["in", "-r", "-o", "t.csv", "--jobs", "0"], 2, "--jobs 0: give 1 or more"),
        (["im", "-r", "-o", "t.csv"], 4, "im: no such file or folder"),
        (["empty", "-r", "-o", "t.csv"], 4, "empty: no sound there"),
        (["in", "-r", "-o", "no/t.csv"], 6, "no/t.csv.journal cannot be written"),
    ],
)
def test_what_cannot_be(band_model, sounds, tmp_path, capsys, monkeypatch, args, status, says):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main([*args, "--model", str(band_model)]) == status
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("t.csv*"))


def test_kill_in_the_middle(kit, band_model, write_wav, tmp_path):
    """Killed outright, it goes on: no file twice, none lost, no process left behind."""
    first = write_wav("0.wav", kit.tones(*LONG))
    (tmp_path / "in").mkdir()
    for i in range(8):
        shutil.copy(first, tmp_path / f"in/{i}.wav")
    os.mkfifo(tmp_path / "last.wav")  # it has no end, so the run has none before it is killed
    out, journal = tmp_path / "t.csv", tmp_path / "t.csv.journal"
    args = [BIN, "in", "last.wav", "-r", "-o", "t.csv", "--jobs", "2", "--model", band_model]
    with subprocess.Popen(args, cwd=tmp_path, stderr=subprocess.PIPE) as child:
        wait_for(lambda: lines_of(journal) > 3)
        started = workers(child.pid)
        assert len(started) == 2
        child.kill()

    def gone():
        with contextlib.suppress(OSError):  # who waits at the pipe may read its end
            os.close(os.open(tmp_path / "last.wav", os.O_WRONLY | os.O_NONBLOCK))
        return not any(map(alive, started))

    wait_for(gone)
    done = lines_of(journal) - 1
    assert 3 <= done <= 8
    assert not out.exists()
    # what was done is not heard again: its rows come though the sound is gone
    heard = [json.loads(x)["name"] for x in journal.read_text().splitlines()[1 : done + 1]]
    assert len(set(heard)) == done
    for name in heard:
        path = tmp_path / name
        info = path.stat()
        path.write_bytes(bytes(info.st_size))
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    (tmp_path / "last.wav").unlink()
    shutil.copy(first, tmp_path / "last.wav")
    ended = subprocess.run(args, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S)
    assert ended.returncode == 0, ended.stderr
    assert f"{done} of 9 files were done before" in ended.stderr
    assert not journal.exists()
    alone = tmp_path / "alone.csv"
    assert main([str(first), "-o", str(alone), "--model", str(band_model)]) == 0
    wanted = [row[1:] for row in read(alone)[1:]]
    assert len(wanted) == 4
    names = [*(f"in/{i}.wav" for i in range(8)), "last.wav"]
    assert read(out)[1:] == [[name, *row] for name in names for row in wanted]


def reader_of(pipe):
    """Wait until a process opens a named pipe; the end to write into."""

    def opened():
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as e:
            if e.errno != errno.ENXIO:  # nobody reads it yet
                raise
            return 0

    return wait_for(opened)


def test_ctrl_c_and_other_settings(kit, band_model, write_wav, tmp_path):
    """130, and the same command goes on; another one is refused, as is one beside it."""
    write_wav("a.wav", kit.tones(*SOUND))
    os.mkfifo(tmp_path / "pipe")
    journal = tmp_path / "t.csv.journal"
    args = [BIN, "a.wav", "pipe", "-o", "t.csv", "--jobs", "1", "--model", band_model]

    def run(*more):
        return subprocess.run(
            [*args, *more], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S
        )

    with subprocess.Popen(args, cwd=tmp_path, stderr=subprocess.PIPE) as child:
        end = reader_of(tmp_path / "pipe")  # the worker waits for sound that never comes
        wait_for(lambda: lines_of(journal) == 2)
        beside = run()
        assert beside.returncode == 6
        assert "is being written by another rt-tag" in beside.stderr
        child.send_signal(signal.SIGINT)
        assert child.wait(LIMIT_S) == 130
        assert b"t.csv.journal has what was done" in child.stderr.read()
    os.close(end)
    other = run("--threshold", "0.7")
    assert other.returncode == 2
    assert "another model or other settings" in other.stderr
    (tmp_path / "pipe").unlink()
    (tmp_path / "pipe").write_text("no sound")
    again = run()
    assert again.returncode == 0, again.stderr
    assert "1 of 2 files were done before" in again.stderr
    assert len(read(tmp_path / "t.csv")) == 3


def test_a_file_that_kills_its_worker(kit, band_model, write_wav, tmp_path):
    """It is tried by a second worker, then listed; the others are not lost."""
    write_wav("a.wav", kit.tones(*SOUND))
    os.mkfifo(tmp_path / "pipe")
    args = [BIN, "a.wav", "pipe", "-o", "t.csv", "--jobs", "1", "--model", band_model]
    with subprocess.Popen(args, cwd=tmp_path, stderr=subprocess.PIPE) as child:
        for _ in range(2):
            end = reader_of(tmp_path / "pipe")
            wait_for(lambda: workers(child.pid))
            (worker,) = workers(child.pid)
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda pid=worker: not alive(pid))
            os.close(end)
        assert child.wait(LIMIT_S) == 0
        err = child.stderr.read().decode()
    assert "pipe: the worker that heard it was ended by signal 9" in err
    assert len(read(tmp_path / "t.csv")) == 3


def outcome(name, label):
    return Outcome(name, 10, 20, 3.0, (Tag(label, 1.0, 2.0, 0.9),))


def test_a_line_cut_short_is_done_again(tmp_path):
    entries = [Entry(name, b"", 10, 20) for name in ("a", "b", "c")]
    journal = Journal(tmp_path / "j", "key")
    assert journal.left(entries) == entries
    for entry in entries[:2]:
        journal.add(outcome(entry.name, "x"))
    journal.close(done=False)
    whole = (tmp_path / "j").read_bytes()
    for cut in range(1, len(whole.splitlines()[-1]) + 1):
        (tmp_path / "j").write_bytes(whole[:-cut])
        journal = Journal(tmp_path / "j", "key")
        assert journal.left(entries) == entries[1:]
        journal.add(outcome("b", "again"))
        journal.add(outcome("c", "z"))
        told = [o.tags[0].label for o in journal.outcomes(entries)]
        assert told == ["x", "again", "z"]
        journal.close(done=False)
    # a file that was changed since, and one that could not be read, are done again
    journal = Journal(tmp_path / "j", "key")
    journal.add(msgspec.structs.replace(outcome("c", "z"), fault="away"))
    changed = [Entry("a", b"", 11, 20), *entries[1:]]
    assert journal.left(changed) == [changed[0], entries[2]]
    journal.close(done=False)
    with pytest.raises(UsageError, match="another model"):
        Journal(tmp_path / "j", "other")


def test_order_and_names(tmp_path, monkeypatch):
    for name in ("b/z.wav", "b/a.flac", "a.wav", "B.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    odd = os.fsdecode(b"odd\xff.wav")
    (tmp_path / odd).touch()
    (tmp_path / "c.wav").symlink_to("nowhere.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    monkeypatch.chdir(tmp_path)
    found = list_files(["b", ".", "b/z.wav"], recursive=True)
    names = ["b/a.flac", "b/z.wav", "B.wav", "a.wav", "c.wav", "odd\\xff.wav"]
    assert [e.name for e in found] == names
    assert os.fsdecode(found[-1].path) == str(tmp_path / odd)


def test_any_name_is_one_text_in_every_table(kit, band_model, write_wav, tmp_path, capsys):
    """Names that are no lines, and two that escapes might make the same."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="the archive extra")
    sound = write_wav("a.wav", kit.tones(("low", 0.8), ("", 0.4)))
    odd = (b"two\nlines\r.wav", b"x\xff.wav", rb"x\xff.wav", b'c,"d  e.wav', "é.wav".encode())
    folder = tmp_path / "in"
    folder.mkdir()
    for name in odd:
        shutil.copy(sound, folder / os.fsdecode(name))
    (folder / "no  sound\n.wav").write_text("no sound")
    for kind in ("csv", "jsonl", "parquet"):
        out = ["-o", str(tmp_path / f"t.{kind}"), "--jobs", "1", "--model", str(band_model)]
        assert main([str(folder), "-r", *out]) == 0
        err = capsys.readouterr().err
        assert f"not read: {folder}/no  sound\\x0a.wav: is text, not sound" in err
    found = [row[0] for row in read(tmp_path / "t.csv")[1:]]
    told = (tmp_path / "t.jsonl").read_bytes().splitlines()
    assert found == [json.loads(x)["file"] for x in told]
    assert found == parquet.read_table(tmp_path / "t.parquet")["file"].to_pylist()
    again = [
        subprocess.run(["bash", "-c", 'printf %b "$0"', name], stdout=subprocess.PIPE).stdout
        for name in found
    ]
    assert sorted(again) == sorted(os.fsencode(folder) + b"/" + name for name in odd)


def test_a_disk_that_is_full_at_the_start(tmp_path):
    """No file of ours may grow: the journal cannot begin, and none is left."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OutputError, match="j cannot be written"):
            Journal(tmp_path / "j", "key")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_another_model_at_a_worker(band_model):
    from realtime.card import Decision

    job = Job(str(band_model), digest_of(band_model), None, "", 1, Decision(), {})
    Tagger(job)
    with pytest.raises(ModelError, match="not the model that this run began with"):
        Tagger(msgspec.structs.replace(job, digest="0" * 64))
    moved = msgspec.structs.replace(job, model="elsewhere.onnx")
    assert moved.key() == job.key() != msgspec.structs.replace(job, hop_s=0.2).key()


def test_a_file_that_breaks_off_keeps_its_rows(kit, band_model, write_wav, tmp_path, capsys):
    path = write_wav("a.flac", np.concatenate([kit.tones(*SOUND)] * 4))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    out = tmp_path / "t.csv"
    assert main([str(path), "-o", str(out), "--model", str(band_model)]) == 0
    assert "1 files could not be read, or not to their end" in capsys.readouterr().err
    assert len(read(out)) > 2


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_cluster_gives_the_same_rows(band_model, sounds, tmp_path):
    """Ray on this machine with two workers."""
    pytest.importorskip("ray.data", reason="the cluster extra")
    base = [BIN, "in", "-r", "--jobs", "2", "--model", band_model, "--json", "-o"]
    for name, more in (("ray.csv", ["--ray", "local"]), ("here.csv", [])):
        done = subprocess.run(
            [*base, name, *more], cwd=tmp_path, capture_output=True, text=True, timeout=350
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert (told["files"], told["rows"], len(told["unreadable"])) == (6, 8, 2)
    assert (tmp_path / "ray.csv").read_text() == (tmp_path / "here.csv").read_text()


def test_a_cluster_that_is_not_there(band_model, sounds, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    args = [str(sounds), "-r", "-o", str(tmp_path / "t.csv"), "--ray", "auto"]
    assert main([*args, "--model", str(band_model)]) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    assert "pipx inject rt-tag 'ray[data]'" in capsys.readouterr().err
