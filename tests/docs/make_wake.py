"""The tables and pictures of docs/wake.md: wake sounds by example, in two trials.

    python tests/docs/make_wake.py --root DATA --manifest ears.csv
    python tests/docs/make_wake.py --again          the page anew from build/wake.json

Of others: targets that ears never heard, examples and what is to be found by different people.
The words "happy" and "eight", of which examples are by speakers of the part "train" and what is
to be found by speakers of the part "test"; and breaking glass, car horns and sirens of ESC-50,
of which examples and what is to be found are of different recordings (Freesound sources).
Always the same: one recording of each of twelve household sounds, in a house (wake_same.py).

Thresholds are set as `rt-tag learn` sets them, on the shipped hours. False alarms are then
counted on the part "test" of the manifest: speakers, words, music and noises that neither ears,
nor the shipped hours, nor the examples know, one after the other with short pauses. The rival
is the nearest centroid: the cosine with the mean of the examples' windows; same embedding,
examples, windows and rule, its threshold set on the same hours.

What is measured is kept at once: a run that was broken off goes on where it was, unless the
code or the network is another.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

from make_reference import PROJECT, replaced
from wake_pages import (
    draw_same,
    draw_targets,
    made_on,
    same_kinds,
    same_table,
    targets_table,
)
from wake_same import measure_same
from wake_trial import COUNTS, SEED, WORDS, Trial

from train.manifest import split_of

PAGE = PROJECT / "docs/wake.md"
KEPT = PROJECT / "build/wake.json"
TARGETS = (*WORDS, "glass_breaking", "car_horn", "siren")
DRAWS = 5
POOL = 30  # speakers of a word that examples are drawn from
LEAST = 4  # sources of a household sound that are to be found
CODE = ("realtime/wake/*.py", "tests/docs/wake_*.py")


def sources(target: str, root: Path) -> tuple[list[list[Path]], list[list[Path]]]:
    """Recordings by speaker or source: those that examples are drawn from, and the others."""
    by: dict[str, list[Path]] = {}
    if target in WORDS:
        for path in sorted((root / "speech-commands" / target).glob("*.ogg")):
            by.setdefault(path.name.split("_nohash_")[0], []).append(path)
        parts = {k: split_of(f"sc:{k}") for k in by}
        shown = [by[k] for k, part in parts.items() if part == "train"]
        return shown[:POOL], [by[k] for k, part in parts.items() if part == "test"]
    folder = root / "noncommercial/esc50"
    with (folder / "meta/esc50.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["category"] == target:
                by.setdefault(row["src_id"], []).append(folder / "audio" / row["filename"])
    return list(by.values()), []


def drawn(
    target: str, root: Path, count: int, rng: np.random.Generator
) -> tuple[list[Path], list[Path]]:
    """Examples and what is to be found, of one draw; no examples if there are too few."""
    shown, sought = sources(target, root)
    shown = [shown[i] for i in rng.permutation(len(shown))]
    if target in WORDS:
        return [files[0] for files in shown[:count]], [files[0] for files in sought]
    examples: list[Path] = []
    while len(shown) > LEAST and len(examples) < count:
        examples += shown.pop()
    enough = len(examples) >= count
    return examples[:count] if enough else [], [path for files in shown for path in files]


def measure_targets(trial: Trial, done: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Figures of every target, number of examples and draw that is not done."""
    have = {(e["target"], e["count"], e["draw"]) for e in done}
    todo = [(t, n, draw) for t in TARGETS for n in COUNTS for draw in range(DRAWS)]
    for target, count, draw in todo:
        if (target, count, draw) in have:
            continue
        rng = np.random.default_rng((SEED, draw))
        shown, sought = drawn(target, trial.root, count, rng)
        examples = [e for path in shown for e in trial.of(path, target)[:1]]
        if len(examples) < 3:
            continue
        wanted = [e.heard for path in sought for e in trial.of(path, target)[:1]]
        told = trial.compare(target, examples, [wanted])
        yield {"target": target, "count": count, "draw": draw} | told


def measure(args: argparse.Namespace) -> None:
    """All that is not measured yet; each figure is kept at once."""
    trial = Trial(args.model, args.hours, args.manifest, args.root, args.part)
    stamp = hashlib.sha256((trial.ears.digest + args.part).encode() + trial.hours.encode())
    for path in sorted(p for pattern in CODE for p in PROJECT.glob(pattern)):
        stamp.update(path.read_bytes())
    told = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {}
    if told.get("stamp") != stamp.hexdigest():
        told = {
            "stamp": stamp.hexdigest(),
            "unknown_h": trial.unknown_h,
            "hours": trial.hours.seconds / 3600.0,
            "targets": [],
            "same": [],
        }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    trials = {"same": measure_same(trial, told["same"], args.part)}
    if args.part == "test":
        trials["targets"] = measure_targets(trial, told["targets"])
    for name, entries in trials.items():
        for entry in entries:
            print(json.dumps(entry), file=sys.stderr)
            told[name].append(entry)
            told["date"] = datetime.date.today().isoformat()
            args.out.write_text(json.dumps(told), "utf-8")


def main() -> int:
    """Measure, or take what was measured, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add: Any = parser.add_argument
    add("--root", type=Path)
    add("--manifest", type=Path)
    add("--model", type=Path, default=PROJECT / "realtime/weights/ears.onnx")
    add("--hours", type=Path, help="of another model than the shipped one")
    add("--part", choices=("test", "val"), default="test", help="val: same sounds, to tune on")
    add("--out", type=Path, default=KEPT, help="what was measured, as JSON")
    add("--dry", action="store_true", help="print the tables and leave the page")
    add("--again", action="store_true", help="the page from what was measured")
    args = parser.parse_args()
    if not args.again:
        measure(args)
    told = json.loads(args.out.read_text("utf-8"))
    made = {
        "same": [*same_table(told), "", made_on(told)],
        "kinds": same_kinds(told),
        "targets": [*targets_table(told, TARGETS), "", made_on(told)],
    }
    print(f"{told['unknown_h']:.2f} h of unknown sounds, {told['hours']:.2f} h shipped")
    print("\n\n".join("\n".join(lines) for lines in made.values()))
    if not args.dry and args.part == "test":
        text = PAGE.read_text("utf-8")
        for name, lines in made.items():
            text = replaced(text, name, "\n".join(lines))
        PAGE.write_text(text, "utf-8")
        draw_targets(told, TARGETS, PROJECT / "docs/wake.png")
        draw_same(told, PROJECT / "docs/wake-same.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
