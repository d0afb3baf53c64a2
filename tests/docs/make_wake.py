"""The table and the picture of docs/wake.md: wake sounds by example, tried on five targets.

    python tests/docs/make_wake.py --root DATA --manifest ears.csv
    python tests/docs/make_wake.py --again          the page anew from build/wake.json

Targets are what ears never heard: the words "happy" and "eight", of which examples are by
speakers of the part "train" and what is to be found by speakers of the part "test"; and
breaking glass, car horns and sirens of ESC-50, of which examples and what is to be found are of
different recordings (Freesound sources). Thresholds are set as `rt-tag learn` sets them, on the
shipped hours. False alarms are then counted on the part "test" of the manifest: speakers,
words, music and noises that neither ears, nor the shipped hours, nor the examples know, one
after the other with short pauses. The rival is the
nearest centroid: the cosine with the mean of the examples' windows; same embedding, examples,
windows and rule, its threshold set on the same hours.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

from make_hours import Piece, stretches
from make_reference import PROJECT, replaced

from realtime.learn.examples import read_clip
from realtime.outputs.picture import Picture
from realtime.wake.counting import (
    HOP_S,
    height,
    heights,
    threshold_for,
)
from realtime.wake.hours import Hours, from_bytes, hours_of, read_hours, to_bytes
from realtime.wake.label import Label, logits_of
from realtime.wake.lesson import hear
from realtime.wake.memory import Example
from realtime.wake.model_file import WakeFile, read_model
from train.manifest import read_manifest, split_of, whole_of

PAGE = PROJECT / "docs/wake.md"
KEPT = PROJECT / "build/wake.json"
PICTURE = PROJECT / "docs/wake.png"
TARGETS = ("happy", "eight", "glass_breaking", "car_horn", "siren")
WORDS = ("happy", "eight")
COUNTS = (3, 5, 10, 20)
DRAWS = 5
PER_DAY = 12.0
POOL = 30  # speakers of a word that examples are drawn from
RATE = 16_000
SEED = 1
WHO = ("ours", "centroid")
COLOURS = ("#0072b2", "#d55e00", "#009e73")
LEAST = 4  # sources of a household sound that are to be found

Floats = NDArray[np.float32]


class Heard:
    """What ears made of a recording, once for all draws."""

    def __init__(self, base: WakeFile, hours: Hours) -> None:
        self._ears = base.ears
        self._hours = hours
        self._found: dict[Path, list[Example]] = {}

    def of(self, path: Path, label: str) -> list[Example]:
        """The examples in a recording."""
        if path not in self._found:
            clip = read_clip(path, self._ears.rate, 20.0)
            clip.digest = clip.digest or path.name
            self._found[path] = hear([(label, clip)], self._ears, self._hours, seed=1)
        return self._found[path]

    def streams(self, sounds: Iterable[Floats]) -> list[Floats]:
        """Windows of stretches in the directions of the hours."""
        found = self._ears.stream_all(sounds, HOP_S)
        return [from_bytes(to_bytes(self._hours.space.of(stream))) for stream in found]


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


def unknown_sounds(manifest: Path, root: Path, heard: Heard) -> list[Floats]:
    """Stretches of what nobody knows."""
    pieces = {}
    for row in read_manifest(manifest):
        file = whole_of(row.file)
        if row.split == "test" and row.role != "room" and file.split("/")[1] not in WORDS:
            pieces[file] = Piece(file, "", False)
    every = list(pieces.values())
    every = [every[i] for i in np.random.default_rng(SEED).permutation(len(every))]
    print(f"{len(every)} recordings of the part test", file=sys.stderr)
    return heard.streams(sound for sound, _, _ in stretches(every, root, [""], RATE))


def judged(
    at: float, score: Callable[[Floats], Floats], sought: list[Example], unknown: list[Floats]
) -> dict[str, Any]:
    """Recall and false alarms at a threshold."""
    found = [height(score(example.heard)) >= at for example in sought]
    false = sum(h >= at for stream in unknown for h, _ in heights(score(stream)))
    return {"found": int(sum(found)), "sought": len(found), "false": int(false)}


def centroid(examples: list[Example], hours: Hours) -> tuple[Floats, float]:
    """The mean of the examples' windows, and the threshold of the cosine with it."""
    middle = np.mean([from_bytes(e.windows).mean(axis=0) for e in examples], axis=0)
    middle /= np.linalg.norm(middle)
    scores = from_bytes(hours.counting) @ middle
    found = [h for part in hours.stretches() for h, _ in heights(scores[part])]
    rate = PER_DAY / 24.0
    at = threshold_for(rate, sorted(found, reverse=True), hours.seconds / 3600.0)
    return middle, at


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Everything, as JSON."""
    base = read_model(args.model)
    hours = read_hours(args.hours) if args.hours else hours_of(base.ears.digest)
    heard = Heard(base, hours)
    unknown = unknown_sounds(args.manifest, args.root, heard)
    told: dict[str, Any] = {
        "unknown_h": sum(map(len, unknown)) * HOP_S / 3600.0,
        "hours": hours.seconds / 3600.0,
        "results": [],
    }
    for target in TARGETS:
        for count in COUNTS:
            for draw in range(DRAWS):
                rng = np.random.default_rng((SEED, draw))
                shown, sought = drawn(target, args.root, count, rng)
                examples = [e for path in shown for e in heard.of(path, target)[:1]]
                if len(examples) < 3:
                    continue
                wanted = [e for path in sought for e in heard.of(path, target)[:1]]
                label = Label(target, examples, hours, PER_DAY / 24.0, SEED)
                row, at = label.settled()
                middle, near = centroid(examples, hours)
                ours = judged(at, lambda x, row=row: logits_of(row, x), wanted, unknown)
                rival = judged(near, lambda x, middle=middle: x @ middle, wanted, unknown)
                entry = {"target": target, "count": count, "draw": draw, "alike": label.alike}
                told["results"].append(entry | {"ours": ours, "centroid": rival})
                print(entry, ours, rival, file=sys.stderr)
    return told


def cell(entries: list[dict[str, Any]], who: str, unknown_h: float) -> tuple[str, str]:
    """Recall and false alarms an hour: the mean of the draws, and the least and the most."""
    recall = [100.0 * e[who]["found"] / e[who]["sought"] for e in entries]
    false = [e[who]["false"] / unknown_h for e in entries]
    return (
        f"{np.mean(recall):.0f} ({min(recall):.0f} to {max(recall):.0f})",
        f"{np.mean(false):.1f} ({min(false):.1f} to {max(false):.1f})",
    )


def table(told: dict[str, Any]) -> list[str]:
    """Lines of the table."""
    lines = [
        "| sound | examples | found % | false alarms an hour | nearest centroid: found % | "
        "false alarms an hour |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for target in TARGETS:
        for count in COUNTS:
            entries = [
                e for e in told["results"] if (e["target"], e["count"]) == (target, count)
            ]
            if entries:
                cells = [c for who in WHO for c in cell(entries, who, told["unknown_h"])]
                name = target.replace("_", " ") if count == COUNTS[0] else ""
                lines.append("| " + " | ".join([name, str(count), *cells]) + " |")
    return lines


def draw_picture(told: dict[str, Any]) -> None:
    """Recall against the number of examples, each target and both methods."""

    def paint(figure: Any) -> None:
        for axes, group, title in zip(
            figure.subplots(1, 2, sharey=True),
            (WORDS, TARGETS[len(WORDS) :]),
            ("words of people who were never heard", "household sounds of other recordings"),
            strict=True,
        ):
            for target, colour in zip(group, COLOURS, strict=False):
                for who, style in zip(WHO, ("o-", "s:"), strict=True):
                    points = [
                        (e["count"], 100.0 * e[who]["found"] / e[who]["sought"])
                        for e in told["results"]
                        if e["target"] == target
                    ]
                    counts = sorted({count for count, _ in points})
                    means = [np.mean([y for x, y in points if x == n]) for n in counts]
                    name = target.replace("_", " ")
                    label = name if who == "ours" else f"{name}, nearest centroid"
                    axes.plot(counts, means, style, color=colour, label=label)
            axes.set(title=title, xlabel="examples", ylim=(0.0, 102.0))
            axes.set_xticks(COUNTS)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
        figure.axes[0].set_ylabel("found, %")

    Picture(PICTURE).draw((11.0, 4.4), 110, paint)


def main() -> int:
    """Measure, or take what was measured, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    add: Any = parser.add_argument
    add("--root", type=Path)
    add("--manifest", type=Path)
    add("--model", type=Path, default=PROJECT / "realtime/weights/ears.onnx")
    add("--hours", type=Path, help="of another model than the shipped one")
    add("--out", type=Path, default=KEPT, help="what was measured, as JSON")
    add("--dry", action="store_true", help="print the table and leave the page")
    add("--again", action="store_true", help="the page from what was measured")
    args = parser.parse_args()
    if not args.again:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(measure(args)), "utf-8")
    told = json.loads(args.out.read_text("utf-8"))
    lines = table(told)
    print(f"{told['unknown_h']:.2f} h of unknown sounds, {told['hours']:.2f} h shipped")
    print("\n".join(lines))
    if not args.dry:
        PAGE.write_text(replaced(PAGE.read_text("utf-8"), "targets", "\n".join(lines)), "utf-8")
        draw_picture(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
