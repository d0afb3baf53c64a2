"""Manifests: which recording belongs to which label, speaker and split.

One CSV, one row a file.

    file,label,group,split,role

`group` is whatever must not be shared by training and test: a speaker, a recording session, a
sample kit. `role` is what the row is used for: "clip" (a labelled sound), "talk" (speech that
holds none of the labels), "noise" (sounds that are no speech) or "room" (an impulse
response); for a gate "target" (the wanted sound) or "other" (everything else).

A file may stand for a part of itself, `long.wav#t=3.0,4.0` (seconds), and a label for several,
with semicolons between them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

import msgspec

from realtime.errors import UsageError
from realtime.outputs.replace import write_whole

Split = Literal["train", "val", "test"]
Role = Literal["clip", "talk", "noise", "room", "target", "other"]
HEADER = ("file", "label", "group", "split", "role")
SEPARATOR = ";"  # between the labels of one file
PART = re.compile(r"#t=(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$")  # as in W3C's media fragments

log = logging.getLogger("rt.train.manifest")


class Row(msgspec.Struct, frozen=True):
    """One recording."""

    file: str
    label: str
    group: str
    split: Split
    role: Role


def split_of(group: str, val: float = 0.08, test: float = 0.10) -> Split:
    """The split of a group, from a hash of its name: the same whatever else is added."""
    x = hash_of(group)
    return "test" if x < test else "val" if x < test + val else "train"


def hash_of(name: str) -> float:
    """A number from 0 to 1 that follows from a name and tells nothing of it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def labels_of(row: Row) -> list[str]:
    """All labels of a row."""
    return row.label.split(SEPARATOR)


def part_of(file: str, start_s: float, end_s: float) -> str:
    """The name of a part of a file."""
    return f"{file}#t={start_s:.3f},{end_s:.3f}"


def whole_of(file: str) -> str:
    """The name of the file itself."""
    return PART.sub("", file)


def span_of(file: str) -> tuple[float, float] | None:
    """Start and end of a part in seconds; None for a whole file."""
    found = PART.search(file)
    return (float(found[1]), float(found[2])) if found else None


def read_manifest(path: Path) -> list[Row]:
    """Rows of a manifest; what is twice in it, or shared by two splits, is said.

    Raises:
        UsageError: not readable, or a line is wrong (file and line are named).
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as f:  # Excel begins with a mark
            reader = csv.DictReader(f)
            if tuple(reader.fieldnames or ()) != HEADER:
                raise UsageError(
                    f"{path}: the header is not {','.join(HEADER)}", "see docs/recipes.md"
                )
            rows = [_row(line, f"{path}:{reader.line_num}") for line in reader]
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", "make one with rt-train manifest") from e
    except (UnicodeDecodeError, csv.Error) as e:
        raise UsageError(
            f"{path}: is no table of text ({e})", "make one with rt-train manifest"
        ) from e
    if not rows:
        raise UsageError(f"{path}: no rows", "make one with rt-train manifest")
    _say_shared(path, rows)
    return rows


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write a manifest, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows([r.file, r.label, r.group, r.split, r.role] for r in rows)
    write_whole(path, text.getvalue().encode())


def pick(rows: Iterable[Row], split: str, role: str) -> list[Row]:
    """Rows of one split and role."""
    return [r for r in rows if r.split == split and r.role == role]


def _row(line: dict[str, str], where: str) -> Row:
    """A line as a row.

    Raises:
        UsageError: another number of fields, no file, or a word that is none.
    """
    if len(line) != len(HEADER) or None in line.values():
        raise UsageError(f"{where}: not {len(HEADER)} fields", f"write {','.join(HEADER)}")
    if line["split"] not in get_args(Split) or line["role"] not in get_args(Role):
        raise UsageError(
            f"{where}: {line['split']!r}, {line['role']!r}",
            f"use {' '.join(get_args(Split))} and {' '.join(get_args(Role))}",
        )
    span = span_of(line["file"])
    if not whole_of(line["file"]) or (span and span[1] <= span[0]):
        raise UsageError(f"{where}: {line['file']!r} is no file, and no part of one",
                         "write clip.wav, or long.wav#t=3.0,4.0")  # fmt: skip
    return msgspec.convert(line, Row)


def _say_shared(path: Path, rows: Iterable[Row]) -> None:
    """Warn of what makes figures better than they are."""
    splits: dict[tuple[str, str], set[str]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for row in rows:
        times[row.file, row.role] += 1
        if row.group:
            splits.setdefault((row.role, row.group), set()).add(row.split)
    for what, found in (
        ("groups are in two splits or more", [g for (_, g), s in splits.items() if len(s) > 1]),
        ("files have two lines or more", [f for (f, _), n in times.items() if n > 1]),
    ):
        if found:
            log.warning("%s: %d %s, %s the first", path, len(found), what, found[0])
