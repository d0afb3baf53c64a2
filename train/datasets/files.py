"""What every layout needs: finding sounds, reading tables, splits by fold."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from realtime.errors import UsageError
from train.manifest import Split

SOUNDS = (".ogg", ".wav", ".flac", ".opus", ".mp3")
ARRAYS = (".npy", ".npz", ".csv", ".htk", ".mfc")


def sounds_in(folder: Path, endings: Sequence[str] = SOUNDS) -> list[Path]:
    """All sounds below a folder, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in endings)


def need(path: Path, what: str) -> Path:
    """The path itself, if it is there.

    Raises:
        UsageError: it is not; `what` is said.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder", what)
    return path


def read_table(
    path: Path, columns: Sequence[str], what: str, delimiter: str = ","
) -> list[dict[str, str]]:
    """The lines of a CSV file with a header, as dictionaries.

    Args:
        path: the file.
        columns: which it must have.
        what: it should be, for messages.
        delimiter: between fields.

    Raises:
        UsageError: no such file, a column is missing, or a line is short.
    """
    need(path, what)
    try:
        with path.open(newline="", encoding="utf-8-sig") as f:
            reader = csv.DictReader(f, delimiter=delimiter)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(f"{path}: no column {', '.join(missing)}", what)
            lines = []
            for line in reader:
                if any(line[c] is None for c in columns):
                    raise UsageError(f"{path}:{reader.line_num}: a short line", what)
                lines.append(line)
    except (UnicodeDecodeError, csv.Error) as e:
        raise UsageError(f"{path}: no table: {e}", what) from e
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", what) from e
    return lines


def split_by_fold(fold: int, test: int, folds: Iterable[int]) -> Split:
    """The split of a recording: fold `test` is the test, the one before it the validation.

    Args:
        fold: of the recording.
        test: the fold held out.
        folds: all there are.
    """
    order = sorted(set(folds))
    before = order[order.index(test) - 1]
    return "test" if fold == test else "val" if fold == before else "train"


def fold_of(text: str, path: Path) -> int:
    """A fold's number.

    Raises:
        UsageError: it is no number.
    """
    try:
        return int(text)
    except ValueError as e:
        raise UsageError(f"{path}: fold {text!r} is no number", "check the table") from e


def pick_fold(wanted: int, folds: Iterable[int], path: Path) -> int:
    """The fold to hold out: the wanted one, or the last for 0.

    Raises:
        UsageError: there is no such fold, or one fold only.
    """
    order = sorted(set(folds))
    if len(order) < 2:
        raise UsageError(f"{path}: {len(order)} folds", "two are needed, to train and to test")
    if wanted and wanted not in order:
        raise UsageError(
            f"--fold {wanted}: {path} has no such fold",
            f"it has {', '.join(map(str, order))}",
        )
    return wanted or order[-1]
