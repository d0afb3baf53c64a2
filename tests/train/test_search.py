"""`rt-train search`: real trials, ended early, interrupted, and shared by two processes."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optuna", reason="needs the search extra")

from train.command import main as rt_train  # noqa: E402
from train.journal import csv_of  # noqa: E402
from train.manifest import Row, write_manifest  # noqa: E402
from train.recipe import Recipe, read_recipe  # noqa: E402

RECIPE = """
name = "tiny"
window_s = 0.2
hop_s = 0.1
[data]
manifest = "{0}/m.csv"
root = "{0}"
labels = ["low", "high"]
cached = true
[features]
kind = "mel"
rate = 16000
mels = 8
[model]
network = "baseline"
kind = "linear"
frames = 18
mels = 8
[mix]
batch = 8
[fit]
steps = 20
validate = 10
rate = 0.03
ema = 0.5
threads = 1
seed = 3
"""
SPACE = """
startup = 1
[space]
"fit.rate" = {choices = [0.03, 1e-12]}
"fit.decay" = {low = 1e-4, high = 1e-1, log = true}
"mix.batch" = {low = 4, high = 12, step = 4}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Features of two labels that a line can tell apart."""
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(1)
    shape = rng.choice([-0.6, 0.6], (18, 8))
    rows = []
    for i in range(24):
        label = ("low", "high")[i % 2]
        frames = rng.normal(0.0, 1.0, (18, 8)) + (shape if i % 2 else -shape)
        np.save(tmp_path / f"{i}.npy", frames.astype(np.float32))
        rows.append(Row(f"{i}.npy", label, str(i), "val" if i >= 16 else "train", "clip"))
    write_manifest(tmp_path / "m.csv", rows)
    (tmp_path / "space.toml").write_text(SPACE)
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.format(tmp_path))
    return path


def trials(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(newline="") as f:
        return list(csv.DictReader(f))


def test_it_ends_bad_trials_early_and_keeps_the_best(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = recipe.parent / "out"
    words = [
        "search",
        str(recipe),
        "--space",
        str(recipe.parent / "space.toml"),
        "-o",
        str(out),
    ]
    assert rt_train([*words, "--trials", "2"]) == 0
    first = trials(out)
    assert len(first) == 2
    assert rt_train([*words, "--trials", "6"]) == 0  # goes on
    rows = trials(out)
    assert [{**r, "seconds": ""} for r in rows[:2]] == [{**r, "seconds": ""} for r in first]
    assert [r["trial"] for r in rows] == [str(i) for i in range(6)]
    states = {r["state"] for r in rows}
    assert states == {"complete", "pruned"}
    for r in rows:
        assert (r["state"] == "pruned") <= (r["step"] == "10")  # ended at the first validation
        assert 1e-4 <= float(r["fit.decay"]) <= 1e-1
        assert r["mix.batch"] in ("4", "8", "12")
    best = max((r for r in rows if r["state"] == "complete"), key=lambda r: float(r["best"]))
    assert float(best["best"]) > 0.9
    again = read_recipe(out / "best.toml")  # a recipe like any other
    assert again.fit.rate == 0.03
    assert again.model == tomllib.loads(recipe.read_text())["model"]
    said = capsys.readouterr().out.splitlines()
    assert said[-4] == "fit.rate = 0.03"
    number = int(said[-1].split()[1].rstrip(","))
    assert (out / f"trial-{number:04}" / "best.safetensors").exists()
    assert (out / "search.png").read_bytes().startswith(b"\x89PNG")


def test_a_table_in_the_recipe(recipe: Path) -> None:
    table = '[search]\ntrials = 1\n[search.space]\n"fit.rate" = {low = 0.01, high = 0.02}\n'
    recipe.write_text(recipe.read_text() + table)
    out = recipe.parent / "out"
    assert rt_train(["search", str(recipe), "-o", str(out), "--set", "fit.steps=2"]) == 0
    assert 0.01 <= float(trials(out)[0]["fit.rate"]) <= 0.02
    # and the recipe is still one
    run = recipe.parent / "run"
    assert rt_train([str(recipe), "-o", str(run), "--set", "fit.steps=1"]) == 0


@pytest.mark.parametrize(("space", "said"), [
    ('[space]\n"fit.rat" = {low = 0.1, high = 0.2}', "did you mean rate"),
    ('[space]\n"fit.rate" = {low = 0.2, high = 0.1}', "no such range"),
    ('[space]\n"fit.rate" = {low = 0.2}', "low and high, or choices"),
    ('[space]\n"fit.rate" = {lo = 0.2}', "lo"),
    ('[space]\n"model.kind" = {choices = ["cubic"]}', "cubic"),
    ("", r"no table \[search\]"),
])  # fmt: skip
def test_a_wrong_space_is_said(
    recipe: Path, capsys: pytest.CaptureFixture[str], space: str, said: str
) -> None:
    import re

    path = recipe.parent / "wrong.toml"
    path.write_text(space)
    out = recipe.parent / "out"
    words = ["search", str(recipe), "--space", str(path), "-o", str(out), "--trials", "2"]
    assert rt_train(words) == 2
    assert re.search(said, capsys.readouterr().err)


def test_a_folder_that_cannot_be(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = str(recipe.parent / "space.toml")
    for args in ([str(recipe)], ["search", str(recipe), "--space", space]):
        assert rt_train([*args, "-o", str(recipe)]) == 6
        assert "no folder can be made: File exists" in capsys.readouterr().err


def test_a_wrong_storage_is_said(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = str(recipe.parent / "space.toml")
    words = ["search", str(recipe), "--space", space, "-o", str(recipe.parent / "out")]
    assert rt_train([*words, "--storage", "nodatabase://x"]) == 2
    assert "--storage nodatabase://x" in capsys.readouterr().err


@pytest.fixture
def start(recipe: Path) -> Iterator[Callable[[str, int], subprocess.Popen[bytes]]]:
    """Starts a process that takes part in one search, with a folder of its own."""
    code = "import signal, sys; signal.signal(2, signal.default_int_handler); "
    code += "from train.command import main; sys.exit(main(sys.argv[1:]))"
    words = ["search", str(recipe), "--space", str(recipe.parent / "space.toml")]
    words += ["--set", "fit.steps=4", "--set", "fit.validate=2"]
    words += ["--storage", f"sqlite:///{recipe.parent / 'shared.db'}"]
    processes = []

    def one(name: str, count: int) -> subprocess.Popen[bytes]:
        mine = [*words, "--trials", str(count), "-o", str(recipe.parent / name)]
        processes.append(subprocess.Popen([sys.executable, "-P", "-c", code, *mine]))
        return processes[-1]

    yield one
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_share_one_file_and_an_interrupt_loses_nothing(
    recipe: Path, start: Callable[[str, int], subprocess.Popen[bytes]]
) -> None:
    alone = start("a", 10_000)
    while alone.poll() is None and not (recipe.parent / "a" / "trials.csv").exists():
        time.sleep(0.2)
    alone.send_signal(signal.SIGINT)
    assert alone.wait(120) == 130
    kept = sum(r["state"] in ("complete", "pruned") for r in trials(recipe.parent / "a"))
    assert kept >= 1
    both = [start(name, kept + 4) for name in ("b", "c")]
    assert [p.wait() for p in both] == [0, 0]
    tables = [trials(recipe.parent / n) for n in ("b", "c")]  # the first to end sees one run
    ended = [[r for r in rows if r["state"] in ("complete", "pruned")] for rows in tables]
    done = max(ended, key=len)
    assert kept + 4 <= len(done) <= kept + 5  # two may have begun the last one
    runs = [{p.name for p in (recipe.parent / n).glob("trial-*")} for n in ("b", "c")]
    assert not runs[0] & runs[1]
    assert len(runs[0] | runs[1]) == len(done) - kept


def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_waits_until_the_table_is_written(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(names: Sequence[str], rows: Sequence[dict[str, object]]) -> bytes:
        if len(rows) == 2:
            interrupted()
        return csv_of(names, rows)

    monkeypatch.setattr("train.search.csv_of", slow)
    before = signal.getsignal(signal.SIGINT)
    out = recipe.parent / "out"
    words = ["search", str(recipe), "--space", str(recipe.parent / "space.toml")]
    assert rt_train([*words, "-o", str(out), "--trials", "9"]) == 130
    assert [r["trial"] for r in trials(out)] == ["0", "1"]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_a_destructor_lost_is_heeded(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(recipe: Recipe, out: Path, report: Callable[[int, float], None]) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # as Python does, but for a line of text
            interrupted()
        report(recipe.fit.steps, 0.5)
        raise AssertionError("it went on")

    monkeypatch.setattr("train.search.fit", losing)
    out = recipe.parent / "out"
    words = ["search", str(recipe), "--space", str(recipe.parent / "space.toml")]
    assert rt_train([*words, "-o", str(out), "--trials", "2"]) == 130
    assert [r["state"] for r in trials(out)] == [
        "fail",
        "waiting",
    ]  # to be tried again


def test_without_optuna_the_extra_is_named(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "train.search", raising=False)
    assert rt_train(["search", str(recipe)]) == 5
    assert "rt-tag[search]" in capsys.readouterr().err
