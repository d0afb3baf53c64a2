"""What each part of the recipe of a small kws12 gains: trains without it; docs/figures.md.

    python tests/docs/make_gains.py --teacher kws12.safetensors --manifest kws12.csv --root DATA

Eleven variants of train/recipes/kws12-tiny.toml, three seeds each, one after the other, from
fresh weights; each is judged on the clips of the val part, once, after its last step. An hour
or more on one core. What is done stays in build/gains, so a run that was stopped goes on.
`--again` writes the page of it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import msgspec
from make_reference import PROJECT, replaced

from train.fit import fit
from train.judge_tag import judge_tag, open_scorer, rows_of
from train.recipe import read_recipe

RECIPE = PROJECT / "train/recipes/kws12-tiny.toml"
PAGE = PROJECT / "docs/figures.md"
KEPT = PROJECT / "build/gains"
SEEDS = (1, 2, 3)
WHOLE = "everything"
FIGURES = ("accuracy_without_silence", "accuracy")
VARIANTS: dict[str, dict[str, Any]] = {  # what the table calls it: fields of the recipe
    WHOLE: {},
    "added noise": {"augment.noise": 0.0},
    "rooms": {"augment.room": 0.0},
    "shift": {"augment.shift_s": 0.0},
    "SpecAugment": {"augment.time_masks": 0, "augment.mel_masks": 0},
    "speeds and stretching": {"augment.speeds": [1.0], "augment.stretch": 0.0},
    "levels and tilt": {"augment.level_db": [-20.0, -20.0], "augment.tilt_db": 0.0},
    "talk as other speech": {"mix.talk": 0.0},
    "balance": {"mix.balance": 0.0},
    "the teacher": {"loss.teachers": [], "loss.imitate": 0.0},
    "averaged weights": {"fit.ema": 0.0},
}


def measured(fields: dict[str, Any], seed: int, args: argparse.Namespace) -> dict[str, float]:
    """Train, and judge the weights of the last step.

    Args:
        fields: of the recipe, what the variant changes.
        seed: of everything random.
        args: the command's.
    """
    given = {
        "data.manifest": args.manifest, "data.root": args.root, "fit.seed": seed,
        "fit.steps": args.steps, "fit.validate": args.steps, "fit.threads": 1,
        "mix.batch": args.rows, "loss.teachers": [args.teacher], **fields,
    }  # fmt: skip
    recipe = read_recipe(RECIPE, tuple(f"{key}={value}" for key, value in given.items()))
    out = KEPT / f"{list(VARIANTS.values()).index(fields)}-{seed}"
    best = fit(recipe, out, report=lambda step, figure: None)
    rows, root = rows_of(args.manifest, "val", args.root)
    told = judge_tag(open_scorer(str(best)), rows, root, quiet=True)
    return {figure: 100.0 * told[figure] for figure in FIGURES}


def table(found: dict[str, dict[int, dict[str, float]]]) -> str:
    """Accuracy of each variant; and what is lost without the part, seed against same seed.

    Args:
        found: variant to seed to figures.
    """
    head = ["without", "seeds", "accuracy % without silence", "the part gains",
            "accuracy %", "gains"]  # fmt: skip
    rows = [head, ["---"] * len(head)]
    for name, runs in found.items():
        row = ["nothing: " + name if name == WHOLE else name, ", ".join(map(str, runs))]
        for figure in FIGURES:
            row.append(spread([told[figure] for told in runs.values()]))
            whole = found[WHOLE]
            gains = [whole[s][figure] - runs[s][figure] for s in runs if s in whole]
            row.append("" if name == WHOLE else spread(gains, "+"))
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def spread(values: list[float], sign: str = "") -> str:
    """Mean and range."""
    mean, low, high = statistics.fmean(values), min(values), max(values)
    return f"{mean:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", default="kws12.csv")
    parser.add_argument("--root", default="../shared/data")
    parser.add_argument("--teacher", default="runs/kws12/best.safetensors")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in VARIANTS}
    for seed in SEEDS:  # seed by seed, so that a stopped run has something to compare
        for place, (name, fields) in enumerate(VARIANTS.items()):
            figures = KEPT / f"{place}-{seed}" / "figures.json"
            if not figures.exists() and not args.again:
                told = measured(fields, seed, args)
                figures.write_bytes(msgspec.json.encode(told))
            if figures.exists():
                found[name][seed] = msgspec.json.decode(figures.read_bytes())
    done = {name: runs for name, runs in found.items() if runs}
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), "gains", table(done)), "utf-8")


if __name__ == "__main__":
    main()
