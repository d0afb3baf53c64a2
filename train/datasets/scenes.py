"""Acoustic scenes of the DCASE challenges, in their evaluation set-up.

Mesaros, Heittola, Virtanen, "TUT database for acoustic scene classification" (2016), and "A
multi-device dataset for urban acoustic scene classification" (2018). Layouts:

    2016, 2017   meta.txt: audio/b020_90_100.wav <tab> beach <tab> b020   (no header)
                 evaluation_setup/fold1_train.txt, fold1_evaluate.txt: file <tab> scene
    from 2018    meta.csv: filename, scene_label, identifier, source_label   (tabs, header)
                 evaluation_setup/fold1_train.csv, fold1_evaluate.csv: filename, scene_label

The clips to evaluate on are the test; the validation part is taken from the training clips,
by whole places.
"""

from __future__ import annotations

import csv
from pathlib import Path

from realtime.errors import UsageError
from train.datasets.files import need
from train.manifest import Row, Split, split_of

HINT = "give the folder that holds meta.txt or meta.csv, and evaluation_setup/"
VALIDATION = 0.12  # of the places


def dcase(root: Path, fold: int = 0) -> list[Row]:
    """A fold of the official set-up.

    Args:
        root: the folder of the development set.
        fold: which; 0 for the first.

    Raises:
        UsageError: the folder has another layout, or no such fold.
    """
    ending = "csv" if (root / "meta.csv").exists() else "txt"
    places = {
        x[0]: x[2] if len(x) > 2 and x[2] else x[0] for x in _lines(root, f"meta.{ending}")
    }
    setup = need(root / "evaluation_setup", HINT)
    folds = sorted(
        int(p.stem.split("_")[0][4:])
        for p in setup.glob(f"fold*_train.{ending}")
        if p.stem.split("_")[0][4:].isdigit()
    )
    number = fold or (folds[0] if folds else 0)
    if number not in folds:
        raise UsageError(
            f"--fold {number}: {setup} has no such fold",
            f"it has {', '.join(map(str, folds)) or 'none'}",
        )
    rows = []
    for part in ("train", "evaluate"):
        name = f"evaluation_setup/fold{number}_{part}.{ending}"
        for file, scene, *_ in _lines(root, name):
            group = f"place:{places.get(file, file)}"
            split: Split = "test"
            if part == "train":
                split = split_of(group, VALIDATION, 0.0)
            rows.append(Row(file, scene, group, split, "clip"))
    return rows


def _lines(root: Path, name: str) -> list[list[str]]:
    """Cells of a table with tabs, without its header."""
    path = need(root / name, HINT)
    with path.open(newline="", encoding="utf-8") as f:
        lines = [[c.strip() for c in line] for line in csv.reader(f, delimiter="\t") if line]
    if lines and lines[0][0] == "filename":
        lines = lines[1:]
    short = next((i for i, line in enumerate(lines, 1) if len(line) < 2), 0)
    if short or not lines:
        raise UsageError(f"{path}: line {short or 1} is no file and scene", HINT)
    return lines
