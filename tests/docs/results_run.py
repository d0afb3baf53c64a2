"""Runs one row of docs/results.md and keeps what it gave, run by run, as JSON.

Nothing is chosen by anything: a run's weights are the averaged ones of its last step, and mean
and deviation of the features are those of its training clips.
"""

from __future__ import annotations

import datetime
import itertools
import logging
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from results_rows import TABLES, Row

from models import build, parameters
from models.checkpoint import load_model
from models.cost import cost
from train.batches import Batches
from train.datasets.cached import CachedBatches
from train.datasets.folds import esc10
from train.datasets.statistics import statistics
from train.fit import fit
from train.judge_tag import judge_tag, open_scorer
from train.manifest import Row as Clip
from train.manifest import pick, read_manifest, write_manifest
from train.masked import MaskedRecipe, fit_masked
from train.recipe import Recipe, convert_recipe, read_tables

log = logging.getLogger("rt.results")

RECIPES = Path(__file__).resolve().parents[2] / "train" / "recipes"
OURS = ("thin", "spread", "pretrain")  # changes of a row that are no fields of the recipe
PRETRAINING = 2000  # steps of 64 windows
TIMES, FEWEST, ENOUGH_S = 30, 3, 2.0  # runs of a network that is timed


class Run(msgspec.Struct, kw_only=True):
    """What one run gave.

    `hits` of `n` test clips, macro F1, processor seconds of training; `edge` has the same
    of the exported models, with size and time.
    """

    fold: int
    seed: int
    hits: int
    n: int
    f1: float
    seconds: float
    steps: int
    edge: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)


class Kept(msgspec.Struct, kw_only=True):
    """A row as far as it is done."""

    name: str
    parameters: int = 0
    macs: int = 0
    ms: float = 0.0
    runs: list[Run] = []
    date: str = ""


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are: recordings, the manifest of keywords, and what is done."""

    data: Path
    manifest: Path
    kept: Path


def file_of(row: Row, table: str, kept: Path) -> Path:
    """Where a row is kept."""
    return kept / table / f"{row.name.replace(' ', '-').replace(',', '')}.json"


def measure(row: Row, table: str, places: Places, until: float) -> None:
    """Do what is missing of a row, as long as the clock is not past `until`."""
    file = file_of(row, table, places.kept)
    done = kept(file) or weigh(row, table, places)
    steps = recipe_of(row, table, ()).fit.steps
    done.runs = [r for r in done.runs if r.steps == steps]  # those of another budget are none
    for fold, seed in itertools.product(row.folds, row.seeds):
        if any((r.fold, r.seed) == (fold, seed) for r in done.runs):
            continue
        if time.monotonic() > until:
            return
        same = equal_run(row, table, fold, seed, places)
        if same is not None and same.steps == steps:
            done.runs.append(same)
            keep(file, done)
            continue
        log.info("%s: fold %d, seed %d", row.name, fold, seed)
        out = places.kept / "runs" / table / file.stem / f"{fold}-{seed}"
        if table == "keywords":
            done.runs.append(keyword_run(row, seed, places, out))
        else:
            done.runs.append(esc10_run(row, fold, seed, places, out))
        keep(file, done)
        shutil.rmtree(out)
        log.info("%s: %d of %d", row.name, done.runs[-1].hits, done.runs[-1].n)


def equal_run(row: Row, table: str, fold: int, seed: int, places: Places) -> Run | None:
    """What the other table of ESC-10 has of the very same run."""
    other = {"esc10": "claims", "claims": "esc10"}.get(table, "")
    for one in TABLES.get(other, ()):
        if (one.model, one.fields) == (row.model, row.fields):
            there = kept(file_of(one, other, places.kept))
            for run in there.runs if there else ():
                if (run.fold, run.seed) == (fold, seed):
                    return run
    return None


def weigh(row: Row, table: str, places: Places) -> Kept:
    """A row with its network's size and time measured, untrained; its runs stay."""
    file = file_of(row, table, places.kept)
    done = sized(row, table)
    done.runs = (kept(file) or done).runs
    keep(file, done)
    return done


def kept(file: Path) -> Kept | None:
    """A row as far as it is done."""
    return msgspec.json.decode(file.read_bytes(), type=Kept) if file.exists() else None


def keep(file: Path, done: Kept) -> None:
    """Write the row, whole or not at all."""
    done.date = datetime.datetime.now(datetime.UTC).date().isoformat()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(done)))
    part.replace(file)


def sized(row: Row, table: str) -> Kept:
    """Parameters, work and time of the network, untrained."""
    recipe = recipe_of(row, table, ())
    spec, labels = recipe.features, len(recipe.data.labels)
    shape = (spec.frames_in(round(recipe.window_s * spec.rate)), spec.width)
    counted = cost(recipe.model, labels, shape)
    network = build(recipe.model, labels).eval()
    times: list[float] = []
    torch.set_num_threads(1)
    with torch.no_grad():
        x = torch.zeros(1, 1, *shape)
        while len(times) < FEWEST or (len(times) < TIMES and sum(times) < ENOUGH_S):
            began = time.process_time()  # of the one thread: what else runs does not count
            network(x)
            times.append(time.process_time() - began)
    size = parameters(network)
    return Kept(name=row.name, parameters=size, macs=counted.macs, ms=1e3 * min(times))


def recipe_of(row: Row, table: str, more: tuple[str, ...]) -> Recipe:
    """The table's recipe with the row's changes."""
    path = RECIPES / ("keywords.toml" if table == "keywords" else "esc10.toml")
    fields = {k: v for k, v in row.fields.items() if k not in OURS}
    tables = read_tables(path, (*(f"{k}={spelt(v)}" for k, v in fields.items()), *more))
    tables["model"] = row.model
    return convert_recipe(tables, Recipe, path)


def spelt(value: Any) -> str:
    """A value as TOML has it."""
    return msgspec.json.encode(value).decode()


def esc10_run(row: Row, fold: int, seed: int, places: Places, out: Path) -> Run:
    """Train on three folds, test on the fourth."""
    out.mkdir(parents=True, exist_ok=True)
    root = places.data / "esc10"
    clips = folded(root, fold, bool(row.fields.get("thin")))
    write_manifest(out / "m.csv", clips)
    sets = (f"data.manifest={out / 'm.csv'}", f"data.root={root}", f"fit.seed={seed}")
    sets = (*sets, "fit.threads=1")
    recipe = recipe_of(row, "esc10", sets)
    spread = row.fields.get("spread", 1.0)
    if recipe.features.kind != "waveform" and spread:
        found = statistics(recipe, clips)
        sets = (*sets, f"features.mean={found.mean}", f"features.std={found.std * spread}")
    elif not spread:
        sets = (*sets, "features.mean=0.0", "features.std=1.0")
    recipe = recipe_of(row, "esc10", sets)
    if row.fields.get("pretrain"):
        weights = pretrained(recipe, places)
        recipe = msgspec.structs.replace(recipe, model={**recipe.model, "weights": weights})
    began = time.process_time()
    best = fit(recipe, out / "run")
    seconds = time.process_time() - began
    truth, said = tested(recipe, best, clips)
    return Run(
        fold=fold, seed=seed, hits=int((truth == said).sum()), n=len(truth),
        f1=macro_f1(truth, said), seconds=seconds, steps=recipe.fit.steps,
    )  # fmt: skip


def pretrained(tagger: Recipe, places: Places) -> str:
    """Weights of an Audio-MAE that learned, once, from all recordings but ESC-10's."""
    path, out = RECIPES / "audiomae.toml", places.kept / "runs/pretrained"
    out.mkdir(parents=True, exist_ok=True)
    rows = [r for r in read_manifest(places.manifest) if not r.file.startswith("esc10")]
    write_manifest(out / "m.csv", rows)
    tables = read_tables(path, (
        f"data.manifest={out / 'm.csv'}", f"data.root={places.data}", "fit.threads=1",
        f"fit.steps={PRETRAINING}", f"fit.validate={PRETRAINING}", "window_s=2.7",
        "model.patch=8", "fit.rate=1e-3",
    ))  # fmt: skip
    tables["features"] = msgspec.to_builtins(tagger.features)
    done = out / "run/best.safetensors"
    if not done.exists():
        fit_masked(convert_recipe(tables, MaskedRecipe, path), out / "run")
    return str(done)


def folded(root: Path, fold: int, thin: bool) -> list[Clip]:
    """ESC-10 with a fold as the test.

    The loop wants clips to validate on, one of each label; nothing is chosen by them.
    """
    rows, seen = [], Counter[str]()
    labels = sorted({r.label for r in esc10(root, fold)})
    for r in esc10(root, fold):
        if r.split == "test":
            rows.append(r)
            continue
        seen[r.label] += 1
        first = seen[r.label] == 1
        if not first and thin and labels.index(r.label) % 2 and seen[r.label] % 4:
            continue
        rows.append(msgspec.structs.replace(r, split="val" if first else "train"))
    return rows


def tested(recipe: Recipe, model: Path, clips: list[Clip]) -> tuple[Any, Any]:
    """Labels of the test clips, and what the model says of the middle of each."""
    batches = (CachedBatches if recipe.data.cached else Batches)(recipe, clips)
    rows = batches.truth.clips("test", batches.usable)
    network = load_model(model)[0].eval()
    with torch.no_grad():
        windows = torch.cat([batches.windows(int(i), 1) for i in rows])
        said = torch.cat([network(x[:, None]).argmax(1) for x in windows.split(16)])
    return batches.truth.rows[rows].argmax(1), said.numpy()


def macro_f1(truth: Any, said: Any) -> float:
    """The mean of the labels' F1."""
    each = []
    for label in np.unique(truth):
        hit = int(((truth == label) & (said == label)).sum())
        each.append(2 * hit / (int((truth == label).sum()) + int((said == label).sum())))
    return float(np.mean(each))


def keyword_run(row: Row, seed: int, places: Places, out: Path) -> Run:
    """Train on kws12's words, export, and test all three by `rt-eval`'s own path."""
    manifest, data = out / "m.csv", places.data
    out.mkdir(parents=True, exist_ok=True)
    rows = [r for r in read_manifest(places.manifest) if r.role == "clip"]
    write_manifest(manifest, rows)
    sets = (f"data.manifest={manifest}", f"data.root={data}", f"fit.seed={seed}")
    recipe = recipe_of(row, "keywords", (*sets, "fit.threads=1"))
    began = time.process_time()
    best = fit(recipe, out / "run")  # goes on, where it was stopped
    seconds = time.process_time() - began
    found = judged(str(best), rows, data)
    edge = {}
    for kind in ("float", "int8"):
        model = out / f"{kind}.onnx"
        if exported(best, model, kind, manifest, data):
            edge[kind] = judged(str(model), rows, data)
    return Run(
        fold=1, seed=seed, hits=int(found["hits"]), n=int(found["n"]), f1=found["f1"],
        seconds=seconds, steps=recipe.fit.steps, edge=edge,
    )  # fmt: skip


def judged(model: str, rows: list[Clip], data: Path) -> dict[str, float]:
    """Hits, F1, size and time of a model file on the test clips."""
    found = judge_tag(open_scorer(model), pick(rows, "test", "clip"), data, quiet=True)
    return {
        "hits": round(found["accuracy"] * found["n"]), "n": found["n"], "f1": found["f1_macro"],
        "kb": Path(model).stat().st_size / 1000, "ms": found["ms_per_window"],
    }  # fmt: skip


def exported(best: Path, model: Path, kind: str, manifest: Path, data: Path) -> bool:
    """Whether `rt-export` made the file; it says itself why it did not."""
    code = "import sys; from export.command import main; sys.exit(main(sys.argv[1:]))"
    words = [str(best), "-o", str(model), "--type", kind, "--data", str(manifest)]
    words += ["--root", str(data)]
    return not subprocess.run(
        [sys.executable, "-P", "-c", code, *words], check=False
    ).returncode
