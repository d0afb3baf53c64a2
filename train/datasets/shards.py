"""`rt-train shard`: a manifest's recordings as tar files in WebDataset's form.

For sets of more files than a disk likes to open one by one. A shard is a tar file of one split;
each row is a sound, as it was on disk, and a JSON file of the row under the same number:

    train-000000.tar:  00000000.wav 00000000.json 00000001.wav 00000001.json ...

Rows stand in an order that is shuffled, and always the same. A shard appears when it is
complete, so an interrupted run goes on with the first that is missing.
Source of the form: github.com/webdataset/webdataset (BSD-3-Clause).
"""

from __future__ import annotations

import hashlib
import io
import logging
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import soundfile

from realtime.errors import OutputError, UsageError
from train.manifest import Row, Split, hash_of, span_of, whole_of

ROWS = 1000  # in a shard
INDEX = "shards.json"

log = logging.getLogger("rt.train.shards")


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder of shards is made of.

    Args:
        digest: of the rows; shards of another manifest are not mixed with them.
        shards: rows in each, by name.
        left_out: files that could not be read, and why.
    """

    digest: str
    shards: dict[str, int] = msgspec.field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def write_shards(rows: Sequence[Row], root: Path, out: Path, size: int = ROWS) -> Index:
    """Write what is missing of a manifest's shards.

    Args:
        rows: of a manifest.
        root: folder of its files.
        out: folder of the shards.
        size: rows in a shard.

    Raises:
        UsageError: the folder has shards of another manifest.
            Or not one file could be read.
        OutputError: the disk is full, or the folder cannot be written.
    """
    digest = hashlib.sha256(msgspec.json.encode((list(rows), size))).hexdigest()[:16]
    try:
        out.mkdir(parents=True, exist_ok=True)
        index = _index(out, digest)
        for name, part in _plan(rows, size):
            if name in index.shards and (out / name).exists():
                continue
            written, bad = _write(part, root, out / name)
            left_out = tuple(dict.fromkeys((*index.left_out, *bad)))
            if not written:  # is tried again next time
                index = Index(digest, index.shards, left_out)
                continue
            shards = dict(sorted({**index.shards, name: written}.items()))
            index = Index(digest, shards, left_out)
            part_file = out / f".{INDEX}.part"
            part_file.write_bytes(msgspec.json.format(msgspec.json.encode(index)))
            part_file.replace(out / INDEX)
            log.info("%s: %d rows", name, written)
    except FileExistsError as e:
        raise OutputError(f"{out} is no folder", "name a folder for the shards") from e
    except OSError as e:
        raise OutputError(f"{out}: shards cannot be written: {e}", "free some space") from e
    if not sum(index.shards.values()):
        raise UsageError(
            f"{root}: not one of {len(rows)} recordings can be read",
            "the manifest's files are relative to the folder after it",
        )
    return index


def _plan(rows: Sequence[Row], size: int) -> Iterator[tuple[str, list[Row]]]:
    for split in get_args(Split):
        mine = sorted((r for r in rows if r.split == split), key=lambda r: hash_of(r.file))
        for i in range(0, len(mine), size):
            yield f"{split}-{i // size:06}.tar", mine[i : i + size]


def _index(out: Path, digest: str) -> Index:
    path = out / INDEX
    if not path.exists():
        if any(out.glob("*.tar")):
            raise UsageError(f"{out}: tar files of somebody else", "choose another folder")
        return Index(digest)
    try:
        index = msgspec.json.decode(path.read_bytes(), type=Index)
    except msgspec.DecodeError as e:
        raise UsageError(f"{path}: {e}", "choose another folder") from e
    if index.digest != digest:
        raise UsageError(f"{out}: shards of another manifest", "choose another folder")
    return index


def _write(rows: Sequence[Row], root: Path, path: Path) -> tuple[int, list[str]]:
    """Rows written, and a line for each file left out. No shard without rows."""
    part = path.with_name(f".{path.name}.part")
    written, bad = 0, []
    with tarfile.open(part, "w") as tar:
        for row in rows:
            try:
                data, ending = _sound(root, row.file)
            except (OSError, soundfile.SoundFileError) as e:
                bad.append(f"{row.file}: {e}")
                log.warning("left out: %s", bad[-1])
                continue
            key = f"{written:08}"
            _add(tar, f"{key}{ending}", data)
            _add(tar, f"{key}.json", msgspec.json.encode(row))
            written += 1
    if written:
        part.replace(path)
    else:
        part.unlink()
    return written, bad


def _sound(root: Path, file: str) -> tuple[bytes, str]:
    """A file's bytes and ending; a part of a file is written anew, as FLAC."""
    path, span = root / whole_of(file), span_of(file)
    if span is None:
        soundfile.info(path)  # raises for what is no sound
        return path.read_bytes(), path.suffix.lower()
    with soundfile.SoundFile(path) as f:
        rate = f.samplerate
        f.seek(min(round(span[0] * rate), f.frames))
        audio = f.read(round((span[1] - span[0]) * rate), dtype="int16", always_2d=True)
    out = io.BytesIO()
    soundfile.write(out, audio, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue(), ".flac"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
