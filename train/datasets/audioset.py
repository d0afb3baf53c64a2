"""AudioSet: ten-second parts of videos, listed in CSV files of segments.

Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events" (2017). The
sound is not part of it. Layout:

    balanced_train_segments.csv, unbalanced_train_segments.csv, eval_segments.csv
        three lines that begin with #, then: YTID, start_seconds, end_seconds, "mid,mid,..."
    class_labels_indices.csv      index,mid,display_name
    anywhere below                a file for each segment, named by one of
        <YTID>.wav   Y<YTID>.wav   <YTID>_<start>.wav   <YTID>_<start>_<end>.wav
        the times in seconds (30, 30.000) or milliseconds (30000)
"""

from __future__ import annotations

import csv
from pathlib import Path

from realtime.errors import UsageError
from train.datasets.files import need, read_table, sounds_in
from train.manifest import SEPARATOR, Row, Split, split_of

HINT = "give the folder that holds eval_segments.csv and class_labels_indices.csv"
TABLES: dict[str, bool] = {  # is it the test?
    "balanced_train_segments.csv": False,
    "unbalanced_train_segments.csv": False,
    "eval_segments.csv": True,
}
VALIDATION = 0.02  # of the training videos


def audioset(root: Path) -> list[Row]:
    """All segments of the lists that are there; the evaluation segments are the test.

    Segments without a file are rows all the same, under the first of the names above:
    `train.datasets.sift` counts them. A video's segments share a group.

    Raises:
        UsageError: no list, a line is wrong, or a class is unknown.
    """
    names = {
        line["mid"]: line["display_name"]
        for line in read_table(
            root / "class_labels_indices.csv", ("index", "mid", "display_name"), HINT
        )
    }
    have = {p.stem: p.relative_to(root).as_posix() for p in sounds_in(root)}
    rows: list[Row] = []
    found = [root / name for name in TABLES if (root / name).exists()]
    if not found:
        need(root / "eval_segments.csv", HINT)
    for path in found:
        for number, video, start, end, mids in _segments(path):
            stray = [m for m in mids if m not in names]
            if stray:
                raise UsageError(
                    f"{path}:{number}: class {stray[0]} is not in class_labels_indices.csv",
                    "get both files again",
                )
            split: Split = "test"
            if not TABLES[path.name]:
                split = split_of(video, VALIDATION, 0.0)
            file = next(
                (have[s] for s in _stems(video, start, end) if s in have), f"{video}.wav"
            )
            label = SEPARATOR.join(names[m] for m in mids)
            rows.append(Row(file, label, f"yt:{video}", split, "clip"))
    return rows


def _segments(path: Path) -> list[tuple[int, str, float, float, list[str]]]:
    """Line number, video, start and end in seconds, classes."""
    out = []
    with path.open(newline="", encoding="utf-8") as f:
        for number, text in enumerate(f, 1):
            if text.startswith("#") or not text.strip():
                continue
            (cells,) = csv.reader([text], skipinitialspace=True)
            try:
                video, start, end, mids = cells
                out.append((number, video, float(start), float(end), mids.split(",")))
            except ValueError as e:
                raise UsageError(
                    f"{path}:{number}: not YTID, start, end, classes", "get the list again"
                ) from e
    return out


def _stems(video: str, start: float, end: float) -> list[str]:
    times = [
        (f"{start:g}", f"{end:g}"),
        (f"{start:.3f}", f"{end:.3f}"),
        (f"{1000 * start:.0f}", f"{1000 * end:.0f}"),
        (f"{start:.1f}", f"{end:.1f}"),
    ]
    stems = [video, f"Y{video}"]
    for a, b in times:
        stems += [f"{v}_{a}_{b}" for v in (video, f"Y{video}")]
        stems += [f"{v}_{a}" for v in (video, f"Y{video}")]
    return stems
