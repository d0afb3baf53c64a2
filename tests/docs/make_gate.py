"""Measure the gate beside its rivals: the tables of docs/gate.md and its picture.

    python tests/docs/make_gate.py MODEL --mixtures DIR --choose DIR

MODEL is a shipped name or a file. The sets come from `rt-eval mixtures`, as docs/gate.md shows;
without them they are taken from where `rt-eval` looks. About five minutes on one core. With
`--again` the tables are made of the figures of the last run, in build/gate.json.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # cost is that of one thread
sys.path.insert(0, str(Path(__file__).parent))

import msgspec
from make_reference import PROJECT, replaced, shrink

from train.gate_eval import report
from train.gate_eval.command import default_set
from train.gate_eval.contest import Result
from train.gate_eval.judge import ModelGate
from train.gate_eval.lineup import results
from train.gate_eval.mixtures import read_mixtures
from train.gate_eval.plot import draw
from train.gate_eval.rivals import installed

PAGE = PROJECT / "docs/gate.md"
PICTURE = PROJECT / "docs/gate-figures.png"
KEPT = PROJECT / "build/gate.json"


def measure(model: str, mixtures: Path, choosing: Path) -> dict[str, Any]:
    """Run the contest, draw the picture, and keep the figures."""
    found, missing = results(
        [ModelGate(model, 0.0), ModelGate(model, 20.0)], mixtures, choosing
    )
    for line in missing:
        sys.stderr.write(f"left out: {line}\n")
    picture([r for r in found if r.lookahead_ms == 0])
    sets = [read_mixtures(folder)[0] for folder in (mixtures, choosing)]
    kept = {
        "date": datetime.date.today().isoformat(),
        "sets": [{"part": row.part, "seed": row.seed} for row in sets],
        "rivals": {r.name: r.version for r in installed()[0]},
        "told": [report.summary(r) for r in found],
    }
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_bytes(msgspec.json.encode(kept))
    return kept


def picture(found: list[Result]) -> None:
    """The picture, in few colours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gate.png"
        draw(found, path, "causal, thresholds as shipped or chosen on the val part")
        shrink(path, PICTURE)


def page(kept: dict[str, Any]) -> str:
    """docs/gate.md with its made parts made anew."""
    told = kept["told"]
    ours = [s for s in told if s["model"] == told[0]["model"]]
    text = PAGE.read_text("utf-8")
    parts = {
        "main": report.main_table(told),
        "heard": report.heard_table(told),
        "snr": report.group_table(told, "by_snr"),
        "kind": report.group_table(told, "by_kind"),
        "causal": report.interval_table(ours[0]),
        "ahead": report.interval_table(ours[1]),
    }
    text = replaced(text, "data", data(kept))
    for name, table in parts.items():
        text = replaced(text, name, report.markdown(table))
    return text


def data(kept: dict[str, Any]) -> str:
    """What was measured, in two sentences."""
    first = kept["told"][0]
    on, chosen = kept["sets"]
    versions = ", ".join(f"{name} {version}" for name, version in kept["rivals"].items())
    return (
        f"{first['mixtures']} mixtures of the {on['part']} part (seed {on['seed']}), "
        f"{first['minutes']:.1f} minutes, {first['phrases']} phrases,\n"
        f"{100 * first['open_share']:.0f} % of the time open; thresholds of rivals from the "
        f"{chosen['part']} part (seed {chosen['seed']}).\n"
        f"{versions}. Machine A of\n[figures.md](figures.md), {kept['date']}."
    )


def main() -> None:
    """Measure, or take the last figures, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="voice")
    parser.add_argument("--mixtures", type=Path, default=default_set("test"))
    parser.add_argument("--choose", type=Path, default=default_set("val"))
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    kept = (
        msgspec.json.decode(KEPT.read_bytes())
        if args.again
        else measure(args.model, args.mixtures, args.choose)
    )
    PAGE.write_text(page(kept), "utf-8")


if __name__ == "__main__":
    main()
