"""FSD50K: Freesound clips with labels of the AudioSet ontology, several for each.

Fonseca et al., "FSD50K: an Open Dataset of Human-Labeled Sound Events" (2022). Layout:

    FSD50K.dev_audio/<id>.wav     FSD50K.eval_audio/<id>.wav
    FSD50K.ground_truth/dev.csv   fname,labels,mids,split (train or val)
    FSD50K.ground_truth/eval.csv  fname,labels,mids
    FSD50K.ground_truth/vocabulary.csv    200 lines: index,label,mid
    FSD50K.metadata/{dev,eval}_clips_info_FSD50K.json   who uploaded a clip (optional)
    ontology.json                 of AudioSet (optional; for families needed)
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import msgspec

from realtime.errors import UsageError
from train.datasets.files import need, read_table
from train.datasets.ontology import Ontology, read_ontology
from train.manifest import SEPARATOR, Row, Split, hash_of

HINT = "give the folder that holds FSD50K.ground_truth and FSD50K.dev_audio"
PARTS = ("dev", "eval")
FAMILIES = 5  # of the slim set, as the study has it


def fsd50k(root: Path) -> list[Row]:
    """All clips with all of their labels, ancestors among them; the official split.

    A clip's group is its uploader where the metadata tell, so that training never hears the
    people of the test.

    Raises:
        UsageError: the folder has another layout, or a label is none of the vocabulary.
    """
    words = _vocabulary(root)
    ontology = _ontology(root)
    return [
        Row(name, SEPARATOR.join(_with_ancestors(labels, mids, words, ontology)), group, split,
            "clip")
        for name, labels, mids, group, split in _clips(root, words)
    ]  # fmt: skip


def fsd50k_families(root: Path) -> list[Row]:
    """Clips of one family of sounds each, for single-label networks.

    Labelled by the top-level class of the ontology that all of a clip's labels belong to;
    clips of several families are left out.

    Raises:
        UsageError: the folder has another layout, or no ontology.
    """
    words = _vocabulary(root)
    ontology = read_ontology(root / "ontology.json")
    rows = []
    for name, _, mids, group, split in _clips(root, words):
        families = {f for m in mids for f in ontology.families(m)}
        if len(families) == 1:
            rows.append(Row(name, families.pop(), group, split, "clip"))
    return rows


def slim(rows: list[Row], most: int = FAMILIES) -> list[Row]:
    """As many training rows of each label as the rarest has: a balanced set.

    Args:
        rows: with one label each.
        most: so many labels are kept, those with the most training rows.

    Returns:
        The rows, in order; of a frequent label those that come first by the name's hash.
    """
    train = [r for r in rows if r.split == "train"]
    count = dict(Counter(r.label for r in train).most_common(most))
    kept = set(count)
    share = min(count.values(), default=0)
    chosen: set[str] = set()
    for label in kept:
        mine = sorted((r for r in train if r.label == label), key=lambda r: hash_of(r.file))
        chosen |= {r.file for r in mine[:share]}
    return [r for r in rows if r.label in kept and (r.split != "train" or r.file in chosen)]


def _vocabulary(root: Path) -> dict[str, str]:
    """Mid by label."""
    path = need(root / "FSD50K.ground_truth" / "vocabulary.csv", HINT)
    with path.open(newline="") as f:
        lines = [line for line in csv.reader(f) if line]
    if not lines or any(len(line) != 3 for line in lines):
        raise UsageError(f"{path}: no index,label,mid on every line", HINT)
    return {label: mid for _, label, mid in lines}


def _ontology(root: Path) -> Ontology | None:
    path = root / "ontology.json"
    return read_ontology(path) if path.exists() else None


Clip = tuple[str, list[str], list[str], str, Split]


def _clips(root: Path, words: dict[str, str]) -> list[Clip]:
    """File, labels, mids, group, split of every clip."""
    clips: list[Clip] = []
    for part in PARTS:
        path = root / "FSD50K.ground_truth" / f"{part}.csv"
        columns = ("fname", "labels", "mids", *(("split",) if part == "dev" else ()))
        people = _uploaders(root, part)
        for number, line in enumerate(read_table(path, columns, HINT), 2):
            labels, mids = line["labels"].split(","), line["mids"].split(",")
            stray = [one for one in labels if one not in words]
            if stray or len(labels) != len(mids):
                raise UsageError(
                    f"{path}:{number}: label {stray[0]!r} is not in vocabulary.csv"
                    if stray
                    else f"{path}:{number}: {len(labels)} labels and {len(mids)} mids",
                    "get the ground truth again",
                )
            split: Split = "test"
            if part == "dev":
                split = "val" if line["split"] == "val" else "train"
            name = line["fname"]
            clips.append(
                (f"FSD50K.{part}_audio/{name}.wav", labels, mids, people.get(name, name), split)
            )
    return clips


def _uploaders(root: Path, part: str) -> dict[str, str]:
    path = root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json"
    if not path.exists():
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, object]])
    except msgspec.DecodeError as e:
        raise UsageError(f"{path}: {e}", "get the metadata again, or remove the file") from e
    return {k: f"uploader:{v['uploader']}" for k, v in found.items() if "uploader" in v}


def _with_ancestors(
    labels: list[str], mids: list[str], words: dict[str, str], ontology: Ontology | None
) -> list[str]:
    """A clip's labels, and those of the vocabulary that they descend from."""
    if ontology is None:  # the published table has them already
        return labels
    above = {a for m in mids for a in ontology.ancestors(m)}
    more = [w for w, m in words.items() if m in above and w not in labels]
    return labels + more
