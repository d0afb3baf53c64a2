"""What every run can do: rates, frozen parts, early ends, averages, precision, processes."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("safetensors", reason="needs the train extra")

from models.checkpoint import load_model, load_tensors  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from train import saved  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.fit import fit  # noqa: E402
from train.manifest import Row, write_manifest  # noqa: E402
from train.optimise import learning_rate, set_frozen  # noqa: E402
from train.recipe import Recipe, read_recipe  # noqa: E402
from train.tables import Fit  # noqa: E402
from train.weights import mean_of  # noqa: E402

PROJECT = Path(__file__).parents[2]
RECIPE = """
name = "x"
window_s = 0.3
hop_s = 0.1
[data]
manifest = "{folder}/m.csv"
root = "{folder}"
labels = ["high", "low"]
cached = true
[features]
kind = "mel"
rate = 8000
mels = 12
frame = 200
hop = 80
fft = 256
mean = -8.0
std = 4.0
[model]
network = "baseline"
kind = "gru"
mels = 12
units = 6
layers = 1
[mix]
batch = 8
[augment]
time_masks = 1
time_mask = 4
mixup = 0.3
cutmix = 0.3
[fit]
steps = 8
validate = 2
rate = 0.02
ema = 0.8
threads = 1
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe on twelve tones, high and low."""
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    rng, rows = np.random.default_rng(2), []
    for i in range(12):
        hertz = rng.uniform(1500, 3000) if i % 2 else rng.uniform(200, 700)
        tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(3000) / 8000)
        soundfile.write(tmp_path / f"{i}.wav", tone, 8000)
        rows.append(Row(f"{i}.wav", ("low", "high")[i % 2], str(i),
                        "val" if i > 7 else "train", "clip"))  # fmt: skip
    write_manifest(tmp_path / "m.csv", rows)
    path = tmp_path / "r.toml"
    path.write_text(RECIPE.format(folder=tmp_path))
    return path


def steps_of(out: Path) -> list[int]:
    with (out / "metrics.csv").open(newline="") as f:
        return [int(row["step"]) for row in csv.DictReader(f)]


def interrupted(recipe: Recipe, out: Path) -> None:
    """Run until the first weights are saved."""

    def save_and_stop(*args: object) -> None:
        saved_last(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    saved_last = saved.save_last
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved, "save_last", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            fit(recipe, out)


@pytest.mark.parametrize("change", [
    "fit.optimizer=adam", "fit.optimizer=rmsprop", "fit.optimizer=adagrad",
    "fit.precision=bfloat16", "fit.parts=2", "fit.freeze_steps=3",
])  # fmt: skip
def test_an_interrupted_run_ends_like_one_that_was_not(path: Path, change: str) -> None:
    freeze = 'fit.freeze=["recur"]' if "freeze" in change else "fit.schedule=one_cycle"
    recipe = read_recipe(path, (change, freeze, "fit.steps=6"))
    fit(recipe, path.parent / "whole")
    interrupted(recipe, path.parent / "parts")
    fit(recipe, path.parent / "parts")
    a, first = load_tensors(path.parent / "whole" / "last.safetensors")
    b, second = load_tensors(path.parent / "parts" / "last.safetensors")
    assert (first["step"], first["best"]) == (second["step"], second["best"])
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert steps_of(path.parent / "parts") == [2, 4, 6]


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


def test_a_run_without_gain_ends_early(path: Path) -> None:
    recipe = read_recipe(path, ("fit.rate=0.0", "fit.patience=2", "fit.steps=20"))
    for _ in range(2):  # also when it is called again
        fit(recipe, path.parent / "run")
        assert steps_of(path.parent / "run") == [2, 4, 6]


def test_the_last_weights_are_averaged(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = path.parent / "run"
    recipe = read_recipe(path, ("fit.average=2", "fit.ema=0.0"))
    best = fit(recipe, out)
    kept = sorted(out.glob("kept-*.safetensors"))
    assert [p.stem for p in kept] == ["kept-00000006", "kept-00000008"]
    mean = mean_of(kept)
    one, two = (load_tensors(p, "model.")[0] for p in kept)
    assert all(torch.allclose(mean[k], (one[k] + two[k]) / 2) for k in mean)
    assert load_model(best)[1].labels == ("high", "low")
    other = fit(read_recipe(path, ("model.units=4", "fit.steps=2")), path.parent / "other")
    made = path.parent / "mean.safetensors"
    assert rt_train(["average", *map(str, kept), "-o", str(made)]) == 0
    written, _ = load_tensors(made, "model.")
    assert all(torch.equal(written[k], mean[k]) for k in mean)
    assert load_model(made)[1].measured == ()
    assert rt_train(["average", str(other), str(kept[0]), "-o", str(made)]) == 2
    assert "different networks" in capsys.readouterr().err


def test_two_processes_learn_what_one_does(path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc-per-node", "2", "-m", "train.command", str(path),
               "--set", "fit.steps=4"]  # fmt: skip
    done = subprocess.run(
        [*command, "-o", str(path.parent / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(path.parent / "two" / "best.safetensors")
    fit(read_recipe(path, ("fit.steps=4", "fit.parts=2")), path.parent / "one")
    a, _ = load_tensors(path.parent / "one" / "last.safetensors")
    b, _ = load_tensors(path.parent / "two" / "last.safetensors")
    assert a.keys() == b.keys()
    for name in a:
        assert torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize(("changes", "said"), [
    (("fit.parts=3",), "8 rows in 3 parts"),
    (("fit.precision=float16", "fit.device=cpu"), "float16 on a CPU"),
    (('fit.freeze=["trunk"]',), "no trunk"),
])  # fmt: skip
def test_what_cannot_be_is_said(path: Path, changes: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        fit(read_recipe(path, changes), path.parent / "run")
