"""A folder of label folders, and tables of other people's: the layouts without a name."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from realtime.errors import UsageError
from train.datasets.files import ARRAYS, SOUNDS, read_table, sounds_in
from train.manifest import Row, Split, split_of

# how folders and columns of a split are called
SPLITS: dict[str, Split] = {
    "train": "train", "training": "train", "dev": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
FILE = ("file", "filename", "path", "file_name", "fname", "slice_file_name")
LABEL = ("label", "labels", "category", "class", "class_name", "scene_label", "target")
GROUP = ("group", "speaker", "src_file", "source_id", "session", "identifier")
SPLIT = ("split", "subset", "set", "part")


def folder_of_folders(root: Path, arrays: bool = False) -> list[Row]:
    """A folder of label folders, or of parts (train, val, test) that hold label folders.

    Without parts each file is a group of its own, split by a hash of its name.

    Args:
        root: the folder.
        arrays: look for files of features in place of sounds.

    Raises:
        UsageError: no folder, or no sound in it.
    """
    if not root.is_dir():
        raise UsageError(
            f"{root}: no such folder", "give a folder of label folders, or a manifest"
        )
    endings = ARRAYS if arrays else SOUNDS
    names = [
        f.relative_to(root).as_posix() for f in sounds_in(root, endings) if f.parent != root
    ]
    if not names:
        kind = "files of features" if arrays else "sounds"
        raise UsageError(
            f"{root}: no label folder with {kind} in it", f"they end in {' '.join(endings)}"
        )
    parts = {Path(n).parts[0].lower() for n in names}
    by_part = parts <= set(SPLITS) and all(len(Path(n).parts) > 2 for n in names)
    return [
        Row(
            name,
            Path(name).parent.name,
            name,
            SPLITS[Path(name).parts[0].lower()] if by_part else split_of(name),
            "clip",
        )
        for name in names
    ]


def feature_files(root: Path) -> list[Row]:
    """Label folders of MFCC or embeddings; see `train.datasets.arrays` for the formats.

    Raises:
        UsageError: as `folder_of_folders`.
    """
    return folder_of_folders(root, arrays=True)


def any_table(path: Path) -> list[Row]:
    """A CSV file with a column for the file and one for the label, whatever they are called.

    Columns for the group and the split are used where there are any; else a file is a group of
    its own, and groups are split by a hash of their names. Several labels of a file stand
    between semicolons.

    Args:
        path: the table; its file names are relative to its folder.

    Raises:
        UsageError: no table, or no column of use.
    """
    what = f"a table has a column {' or '.join(FILE[:3])}, and {' or '.join(LABEL[:4])}"
    lines = read_table(path, (), what)
    if not lines:
        raise UsageError(f"{path}: no rows", what)
    file, label, group, split = (
        next((c for c in names if c in lines[0]), None) for names in (FILE, LABEL, GROUP, SPLIT)
    )
    if file is None or label is None:
        raise UsageError(f"{path}: columns {', '.join(lines[0])}", what)
    rows = []
    for number, line in enumerate(lines, 2):
        if not line[file] or line[label] is None:
            raise UsageError(f"{path}:{number}: no file or no label", "complete the line")
        owner = (line[group] if group else "") or line[file]
        part = split_of(owner)
        if split:
            said = (line[split] or "").strip().lower()
            if said not in SPLITS:
                raise UsageError(
                    f"{path}:{number}: {split} {said!r}", f"use {' '.join(get_args(Split))}"
                )
            part = SPLITS[said]
        rows.append(Row(line[file], line[label], owner, part, "clip"))
    return rows
