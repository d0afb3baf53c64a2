"""Manifests from data sets in their own layout.

Each function knows one layout and nothing of training. `sift` then looks at the files: what is
missing or cannot be read is listed and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import soundfile

from realtime.errors import FormatError, UsageError
from train.datasets.arrays import read_array
from train.datasets.audioset import audioset
from train.datasets.files import ARRAYS
from train.datasets.folders import any_table, feature_files, folder_of_folders
from train.datasets.folds import esc10, esc50, urbansound8k
from train.datasets.fsd50k import fsd50k, fsd50k_families, slim
from train.datasets.pool import kws12, voice
from train.datasets.scenes import dcase
from train.datasets.sounds import ears, household
from train.datasets.speech_commands import speech_commands, speech_commands12
from train.manifest import Row, whole_of

__all__ = ["FOLDED", "LAYOUTS", "folder_of_folders", "kws12", "list_rows", "sift", "voice"]

Layout = Callable[..., list[Row]]

LAYOUTS: dict[str, Layout] = {
    "audioset": audioset,
    "dcase": dcase,
    "ears": ears,
    "esc10": esc10,
    "esc50": esc50,
    "features": feature_files,
    "folders": folder_of_folders,
    "fsd50k": fsd50k,
    "fsd50k-families": fsd50k_families,
    "fsd50k-slim": fsd50k_families,
    "household": household,
    "kws12": kws12,
    "speech-commands": speech_commands,
    "speech-commands12": speech_commands12,
    "table": any_table,
    "urbansound8k": urbansound8k,
    "voice": voice,
}
THINNED = {"fsd50k-slim": slim}  # those of which only some rows that can be read are kept
FOLDED = ("dcase", "esc10", "esc50", "urbansound8k")  # those that can hold out a fold


def list_rows(layout: str, root: Path, fold: int = 0) -> tuple[list[Row], list[str]]:
    """The rows of a data set whose files can be read, and what is left out.

    Args:
        layout: one of `LAYOUTS`.
        root: its folder; of a table the file.
        fold: to hold out; 0 for the layout's own choice.

    Raises:
        UsageError: no such layout, another layout, a fold for one without, or not one file
            that can be read.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}", f"use {', '.join(LAYOUTS)}")
    if fold and layout not in FOLDED:
        raise UsageError(f"--fold {fold}: {layout} has no folds", f"{', '.join(FOLDED)} have")
    found = LAYOUTS[layout](root, fold) if layout in FOLDED else LAYOUTS[layout](root)
    kept, bad = sift(found, root.parent if root.is_file() else root)
    kept = THINNED.get(layout, list)(kept)
    if not kept:
        raise UsageError(
            f"{root}: none of its {len(found)} files can be read",
            bad[0] if bad else "check the folder",
        )
    return kept, bad


def sift(rows: Sequence[Row], root: Path) -> tuple[list[Row], list[str]]:
    """Rows whose files are there and are what their names say, and a line for each other file.

    Only the beginning of a sound is looked at; what breaks off later is found when it is
    decoded.
    """
    files = list(dict.fromkeys(whole_of(r.file) for r in rows))
    with ThreadPoolExecutor() as pool:
        said = dict(zip(files, pool.map(lambda f: _fault(root / f), files), strict=True))
    bad = [f"{file}: {fault}" for file, fault in said.items() if fault]
    return [r for r in rows if not said[whole_of(r.file)]], bad


def _fault(path: Path) -> str:
    """What is wrong with a file; "" for nothing."""
    if not path.is_file():
        return "missing"
    try:
        if path.suffix.lower() in ARRAYS:
            read_array(path)
        elif not soundfile.info(path).frames:
            return "empty"
    except FormatError as e:
        return str(e).removeprefix(f"{path}: ")
    except (OSError, soundfile.SoundFileError) as e:
        return " ".join(str(e).split()).rpartition("': ")[2]
    return ""
