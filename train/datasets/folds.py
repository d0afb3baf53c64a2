"""ESC-50, ESC-10 and UrbanSound8K: clips in folds, which results are averaged over.

Piczak, "ESC: Dataset for Environmental Sound Classification" (2015):

    audio/<fold>-<clip>-<take>-<target>.wav
    meta/esc50.csv     filename,fold,target,category,esc10,src_file,take

Salamon, Jacoby, Bello, "A Dataset and Taxonomy for Urban Sound Research" (2014):

    audio/fold<1 to 10>/<id>-<class>-<occurrence>-<slice>.wav
    metadata/UrbanSound8K.csv    slice_file_name,fsID,start,end,salience,fold,classID,class

The held-out fold is the test, the fold before it chooses the checkpoint, the rest trains.
"""

from __future__ import annotations

from pathlib import Path

from realtime.errors import UsageError
from train.datasets.files import fold_of, pick_fold, read_table, split_by_fold
from train.manifest import Row


def esc50(root: Path, fold: int = 0) -> list[Row]:
    """ESC-50; a clip's group is the recording that it was cut from.

    Args:
        root: the folder that holds `audio` and `meta`.
        fold: held out for the test; 0 for the last.

    Raises:
        UsageError: the folder has another layout.
    """
    return _esc(root, fold, ten=False)


def esc10(root: Path, fold: int = 0) -> list[Row]:
    """The ten classes of ESC-50 that may be used freely; arguments as `esc50`.

    Raises:
        UsageError: the folder has another layout.
    """
    return _esc(root, fold, ten=True)


def _esc(root: Path, fold: int, ten: bool) -> list[Row]:
    hint = "give the folder that holds audio/ and meta/esc50.csv"
    path = root / "meta" / "esc50.csv"
    if ten and not path.exists() and (root / "meta" / "esc10.csv").exists():
        path = root / "meta" / "esc10.csv"
    lines = read_table(path, ("filename", "fold", "category"), hint)
    if ten and path.name == "esc50.csv":
        lines = [x for x in lines if x.get("esc10", "").lower() == "true"]
    if not lines:
        raise UsageError(f"{path}: no clips", hint)
    folds = [fold_of(x["fold"], path) for x in lines]
    test = pick_fold(fold, folds, path)
    return [
        Row(
            f"audio/{x['filename']}",
            x["category"],
            f"esc:{x.get('src_file') or x.get('src_id') or x['filename'].split('-')[1]}",
            split_by_fold(here, test, folds),
            "clip",
        )
        for x, here in zip(lines, folds, strict=True)
    ]


def urbansound8k(root: Path, fold: int = 0) -> list[Row]:
    """UrbanSound8K; a clip's group is the recording that it was cut from.

    Args:
        root: the folder that holds `audio` and `metadata`.
        fold: held out for the test; 0 for the last.

    Raises:
        UsageError: the folder has another layout.
    """
    hint = "give the folder that holds audio/ and metadata/UrbanSound8K.csv"
    path = root / "metadata" / "UrbanSound8K.csv"
    lines = read_table(path, ("slice_file_name", "fsID", "fold", "class"), hint)
    if not lines:
        raise UsageError(f"{path}: no clips", hint)
    folds = [fold_of(x["fold"], path) for x in lines]
    test = pick_fold(fold, folds, path)
    return [
        Row(
            f"audio/fold{here}/{x['slice_file_name']}",
            x["class"],
            f"fs:{x['fsID']}",
            split_by_fold(here, test, folds),
            "clip",
        )
        for x, here in zip(lines, folds, strict=True)
    ]
