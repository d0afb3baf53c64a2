"""What each part of a gate's loss buys: trains small gates without it; docs/gate.md.

    python tests/docs/make_ablation.py --manifest voice.csv --root DATA [--steps 250]

Four variants of train/recipes/voice-tiny.toml, three seeds each, one after the other; each is
judged on the set of the val part from `rt-eval mixtures`. An hour or more on two cores. What is
done stays in build/ablation, so a run that was stopped goes on. `--again` writes the
page of it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import msgspec
from make_reference import PROJECT, replaced

from train.gate_eval import report
from train.gate_eval.command import default_set
from train.gate_eval.contest import judge
from train.gate_eval.judge import ModelGate

RECIPE = PROJECT / "train/recipes/voice-tiny.toml"
PAGE = PROJECT / "docs/gate.md"
KEPT = PROJECT / "build/ablation"
SEEDS = (1, 2, 3)
VARIANTS = {  # what the tables call it: fields of the recipe
    "everything": {},
    "onsets count no more than the rest": {"loss.onset": 0.0},
    "no loss on the gated signal": {"loss.signal": 0.0},
    "only the loss on the gated signal": {"loss.label": 0.0, "loss.kinds": 0.0},
}


def trained(fields: dict[str, Any], seed: int, args: argparse.Namespace, out: Path) -> Path:
    """The exported model of one run."""
    given = {
        "data.manifest": args.manifest, "data.root": args.root, "fit.seed": seed,
        "fit.steps": args.steps, "fit.validate": 100, "fit.threads": 1, "mix.rows": 32,
        **fields,
    }  # fmt: skip
    sets = [x for key, value in given.items() for x in ("--set", f"{key}={value}")]
    model = out / "gate.onnx"
    if not model.exists():
        run("train.command", str(RECIPE), "-o", str(out), *sets)
        run("export.command", str(out / "best.safetensors"), "-o", str(model), "--data",
            args.manifest, "--root", args.root, "--clips", "40")  # fmt: skip
    return model


def run(room: str, *arguments: str) -> None:
    """One of our commands, in this environment."""
    code = f"import sys; from {room} import main; sys.exit(main(sys.argv[1:]))"
    subprocess.run([sys.executable, "-P", "-c", code, *arguments], check=True)


def measured(model: Path, mixtures: Path) -> dict[str, float]:
    """The figures of one run, at its best threshold for this very set."""
    told = report.summary(judge(mixtures, [ModelGate(str(model), 0.0, block_s=1.0)])[0])
    best = told["oracle"]
    return {
        "auc": told["auc"],
        "balanced_accuracy": 100.0 * best["balanced_accuracy"],
        "false_open_s_per_min": told["false_open_s_per_min"],
        "missed_pct": best["missed_pct"],
        "onset_cut_p95_ms": best["onset_cut_ms"]["p95"],
        "si_sdr_gain_db": told["si_sdr_gain_db"],
    }


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Means and ranges over the seeds."""
    rows = [["", "AUC", "balanced accuracy %", "false-open s/min at 5 % lost",
             "onset cut p95 ms", "missed %"]]  # fmt: skip
    places = {"auc": 3, "balanced_accuracy": 1, "false_open_s_per_min": 1,
              "onset_cut_p95_ms": 0, "missed_pct": 1}  # fmt: skip
    for name, runs in found.items():
        row = [name]
        for figure, digits in places.items():
            values = [r[figure] for r in runs]
            mean = statistics.fmean(values)
            row.append(
                f"{mean:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
            )
        rows.append(row)
    return report.markdown(rows)


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", default="voice.csv")
    parser.add_argument("--root", default="../shared/data")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--mixtures", type=Path, default=default_set("val"))
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for seed in SEEDS:  # seed by seed, so that a stopped run has something to compare
        for place, (name, fields) in enumerate(VARIANTS.items()):
            out = KEPT / f"{place}-{seed}"
            figures = out / "figures.json"
            if not figures.exists() and not args.again:
                told = measured(trained(fields, seed, args, out), args.mixtures)
                figures.write_bytes(msgspec.json.encode(told))
            if figures.exists():
                found[name].append(msgspec.json.decode(figures.read_bytes()))
    found = {name: runs for name, runs in found.items() if runs}
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), "ablation", table(found)), "utf-8")


if __name__ == "__main__":
    main()
