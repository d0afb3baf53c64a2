"""What every run can do: rates, frozen parts, early ends, averages, precision, processes."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("safetensors", reason="needs the train extra")

from models.checkpoint import load_model, load_tensors  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.datasets.shards import write_shards  # noqa: E402
from train.fit import fit  # noqa: E402
from train.manifest import read_manifest  # noqa: E402
from train.memory import keep_memory  # noqa: E402
from train.optimise import learning_rate, set_frozen  # noqa: E402
from train.recipe import Recipe, read_recipe  # noqa: E402
from train.tables import Fit  # noqa: E402
from train.weights import mean_of  # noqa: E402

PROJECT = Path(__file__).parents[2]


def steps_of(out: Path) -> list[int]:
    with (out / "metrics.csv").open(newline="") as f:
        return [int(row["step"]) for row in csv.DictReader(f)]


@pytest.mark.parametrize("change", [
    "fit.optimizer=adam", "fit.optimizer=rmsprop", "fit.optimizer=adagrad",
    "fit.precision=bfloat16", "fit.parts=2", "fit.freeze_steps=3",
])  # fmt: skip
def test_an_interrupted_run_ends_like_one_that_was_not(
    tones: Path, interrupted: Callable[[Recipe, Path], None], change: str
) -> None:
    freeze = 'fit.freeze=["recur"]' if "freeze" in change else "fit.schedule=one_cycle"
    recipe = read_recipe(tones, (change, freeze, "fit.steps=6"))
    fit(recipe, tones.parent / "whole")
    interrupted(recipe, tones.parent / "parts")
    fit(recipe, tones.parent / "parts")
    a, first = load_tensors(tones.parent / "whole" / "last.safetensors")
    b, second = load_tensors(tones.parent / "parts" / "last.safetensors")
    assert (first["step"], first["best"]) == (second["step"], second["best"])
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert steps_of(tones.parent / "parts") == [2, 4, 6]


def test_rates_over_a_run() -> None:
    f = Fit(steps=100, rate=1.0, warmup=0.1, schedule="one_cycle")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=101, pct_start=0.11, cycle_momentum=False
    )  # its peak is at step pct_start x total_steps - 1
    for step in range(100):
        rate = optimizer.param_groups[0]["lr"]
        assert learning_rate(step, f) == pytest.approx(rate, abs=0.02)
        optimizer.step()
        theirs.step()
    cosine = Fit(steps=100, rate=1.0, warmup=0.1)
    assert [learning_rate(s, cosine) for s in (4, 9, 10, 55)] == pytest.approx([0.5, 1, 1, 0.5])
    step = Fit(steps=100, rate=1.0, warmup=0.1, schedule="step", drop=0.5, drop_every=0.2)
    assert [learning_rate(s, step) for s in (4, 29, 30, 99)] == [0.5, 1.0, 0.5, 0.0625]
    flat = Fit(steps=100, rate=1.0, warmup=0.1, schedule="constant")
    assert [learning_rate(s, flat) for s in (4, 10, 99)] == [0.5, 1.0, 1.0]


def test_frozen_parts_stay() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).train()
    set_frozen(network, ("1",), True)
    before = network[1].running_mean.clone()
    network(torch.randn(4, 2)).sum().backward()
    assert torch.equal(network[1].running_mean, before)
    assert network[1].weight.grad is None
    assert network[0].weight.grad is not None
    set_frozen(network, ("1",), False)
    network(torch.randn(4, 2)).sum().backward()
    assert network[1].weight.grad is not None
    with pytest.raises(UsageError, match="no stem") as e:
        set_frozen(network, ("stem",), True)
    assert "0, 1" in (e.value.hint or "")


def test_a_run_without_gain_ends_early(tones: Path) -> None:
    recipe = read_recipe(tones, ("fit.rate=0.0", "fit.patience=2", "fit.steps=20"))
    for _ in range(2):  # also when it is called again
        fit(recipe, tones.parent / "run")
        assert steps_of(tones.parent / "run") == [2, 4, 6]


def test_the_last_weights_are_averaged(tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tones.parent / "run"
    recipe = read_recipe(tones, ("fit.average=2", "fit.ema=0.0"))
    best = fit(recipe, out)
    kept = sorted(out.glob("kept-*.safetensors"))
    assert [p.stem for p in kept] == ["kept-00000006", "kept-00000008"]
    mean = mean_of(kept)
    one, two = (load_tensors(p, "model.")[0] for p in kept)
    assert all(torch.allclose(mean[k], (one[k] + two[k]) / 2) for k in mean)
    assert load_model(best)[1].labels == ("high", "low")
    other = fit(read_recipe(tones, ("model.units=4", "fit.steps=2")), tones.parent / "other")
    made = tones.parent / "mean.safetensors"
    assert rt_train(["average", *map(str, kept), "-o", str(made)]) == 0
    written, _ = load_tensors(made, "model.")
    assert all(torch.equal(written[k], mean[k]) for k in mean)
    assert load_model(made)[1].measured == ()
    assert rt_train(["average", str(other), str(kept[0]), "-o", str(made)]) == 2
    assert "different networks" in capsys.readouterr().err


@pytest.mark.parametrize("shards", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_processes_learn_what_one_does(tones: Path, shards: bool) -> None:
    changes = ["fit.steps=4"]
    if shards:
        folder = tones.parent / "shards"
        write_shards(read_manifest(tones.parent / "m.csv"), tones.parent, folder, size=4)
        changes += ["data.cached=false", f"data.shards={folder}", "fit.workers=1"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc-per-node", "2", "-m", "train.command", str(tones),
               *(word for change in changes for word in ("--set", change))]  # fmt: skip
    done = subprocess.run(
        [*command, "-o", str(tones.parent / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tones.parent / "two" / "best.safetensors")
    fit(read_recipe(tones, (*changes, "fit.parts=2")), tones.parent / "one")
    a, _ = load_tensors(tones.parent / "one" / "last.safetensors")
    b, _ = load_tensors(tones.parent / "two" / "last.safetensors")
    assert a.keys() == b.keys()
    for name in a:
        assert torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize(("changes", "said"), [
    (("fit.parts=3",), "8 rows in 3 parts"),
    (("fit.precision=float16", "fit.device=cpu"), "float16 on a CPU"),
    (('fit.freeze=["trunk"]',), "no trunk"),
])  # fmt: skip
def test_what_cannot_be_is_said(tones: Path, changes: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        fit(read_recipe(tones, changes), tones.parent / "run")


@pytest.mark.skipif(not keep_memory(), reason="needs glibc")
def test_memory_is_got_from_the_kernel_once() -> None:
    """A block of 64 MiB has 16,384 pages; each would be a fault again without."""
    code = """
import torch
from resource import RUSAGE_SELF, getrusage
from train.memory import keep_memory
keep_memory()
for size in (18, 20, 22, 23, 24) * 3:
    torch.ones(1 << size)
before = getrusage(RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(1 << 24)
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(done.stdout) < 8 * 16_384  # 20 without
