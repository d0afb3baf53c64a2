"""What can be read of a shard: found out once, by decoding every sound, and kept in the cache.

A tar file has no sums of its members, and most of what is broken shows only when it is decoded.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
from pathlib import Path

import msgspec
import soundfile

from train.bank import cache_dir
from train.manifest import Row


class Sound(msgspec.Struct, frozen=True, array_like=True):
    """A row's sound in a shard.

    Args:
        file: as the manifest names it.
        at: first byte in the tar file.
        size: bytes.
        frames: samples of each channel.
        rate: Hz.
    """

    file: str
    at: int
    size: int
    frames: int
    rate: int


class Contents(msgspec.Struct):
    """Of a shard.

    Args:
        sounds: that can be read.
        broken: why the others cannot, by file.
        faults: of the tar file itself.
    """

    sounds: list[Sound] = msgspec.field(default_factory=list)
    broken: dict[str, str] = msgspec.field(default_factory=dict)
    faults: list[str] = msgspec.field(default_factory=list)


def contents_of(path: Path) -> Contents:
    """What can be read of a shard; from the cache if that was found out before."""
    try:
        info = path.stat()
        stamp = f"{path.resolve()} {info.st_size} {info.st_mtime_ns}"
        kept = cache_dir() / f"shard-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.json"
        if kept.exists():
            with contextlib.suppress(msgspec.DecodeError):  # of another version
                return msgspec.json.decode(kept.read_bytes(), type=Contents)
        found = Contents()
        with path.open("rb") as file:
            _read(file, found)
    except OSError as e:  # may be another one next time: not kept
        return Contents(faults=[e.strerror or str(e)])
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}.part")  # two runs may look at once
    part.write_bytes(msgspec.json.encode(found))
    part.replace(kept)
    return found


def _read(file: io.BufferedReader, found: Contents) -> None:
    """Read a tar file as far as it goes."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            before: tarfile.TarInfo | None = None
            data = b""
            for member in tar:
                inside = tar.extractfile(member)
                if inside is None:
                    continue
                if member.name.endswith(".json") and before is not None:
                    _add(found, before, data, inside.read())
                    before = None
                else:
                    before, data = member, inside.read()
    except (tarfile.TarError, EOFError) as e:
        found.faults.append(f"it breaks off: {e}")


def _add(found: Contents, member: tarfile.TarInfo, data: bytes, text: bytes) -> None:
    try:
        file = msgspec.json.decode(text, type=Row).file
    except msgspec.DecodeError as e:
        found.faults.append(f"{member.name}: the row beside it: {e}")
        return
    try:
        frames, rate = _heard(data)
    except soundfile.SoundFileError as e:
        found.broken[file] = getattr(e, "error_string", str(e))
        return
    if not frames:
        found.broken[file] = "empty"
        return
    found.sounds.append(Sound(file, member.offset_data, member.size, frames, rate))


def _heard(data: bytes) -> tuple[int, int]:
    """Frames that can be decoded, and Hz."""
    with soundfile.SoundFile(io.BytesIO(data)) as f:
        return len(f.read(dtype="int16")), f.samplerate
