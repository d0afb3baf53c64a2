"""`Bank`: every recording of a manifest, decoded once, kept as one int16 array on disk.

Decoding and resampling twelve thousand small files costs more than an epoch; a memory-mapped
array costs nothing. The cache is keyed by the files' names, sizes and dates. Files that
cannot be read are listed and counted, never skipped silently.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from realtime.errors import UsageError
from train.manifest import span_of, whole_of

log = logging.getLogger("rt.train.bank")


class Recordings(Protocol):
    """What batches are made of: a `Bank`, or recordings in shards.

    Attributes:
        length: int64 [recordings], samples of each; 0 where it could not be read.
        rate: Hz.
    """

    length: NDArray[np.int64]
    rate: int

    def clip(self, index: int, first: int = 0, count: int | None = None) -> NDArray[np.float32]:
        """As `Bank.clip`."""


class Bank:
    """Decoded recordings.

    Attributes:
        samples: int16 [total], all recordings one after the other.
        start: int64 [recordings], first sample of each.
        length: int64 [recordings], samples of each; 0 where the file could not be read.
        rate: Hz.
    """

    def __init__(
        self, samples: NDArray[np.int16], length: NDArray[np.int64], rate: int
    ) -> None:
        self.samples = samples
        self.length = length
        self.start = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
        self.rate = rate

    def clip(self, index: int, first: int = 0, count: int | None = None) -> NDArray[np.float32]:
        """One recording, or `count` samples of it from `first`, float32 [samples], -1 to 1."""
        at, end = self.start[index] + first, self.start[index] + self.length[index]
        if count is not None:
            end = min(end, at + count)
        return self.samples[at : max(at, end)].astype(np.float32) / 32768.0


def cache_dir() -> Path:
    """Where caches live: RT_CACHE, or rt-tag in the user's cache folder."""
    base = (
        os.environ.get("RT_CACHE")
        or os.environ.get("XDG_CACHE_HOME")
        or str(Path.home() / ".cache")
    )
    return Path(base) / "rt-tag"


def read_mono(path: Path, rate: int, speed: float = 1.0) -> NDArray[np.float32]:
    """A file, or a part of one, as mono float32 [samples] at `rate`.

    Args:
        path: the file; its name may end in `#t=START,END`, in seconds.
        rate: Hz.
        speed: 1.1 plays it faster and higher.
    """
    return mono(path.with_name(whole_of(path.name)), rate, speed, span_of(path.name))


def mono(
    file: Path | BinaryIO,
    rate: int,
    speed: float = 1.0,
    span: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """A file, or a part of one between two seconds, as `read_mono`."""
    with soundfile.SoundFile(file) as f:
        source_rate = f.samplerate
        if span:
            f.seek(min(round(span[0] * source_rate), f.frames))
        count = round((span[1] - span[0]) * source_rate) if span else -1
        audio = f.read(count, dtype="float32", always_2d=True)
    out = audio.mean(1)
    if source_rate != rate or speed != 1.0:
        out = soxr.resample(out, source_rate * speed, rate, quality="HQ")
    return np.asarray(out, dtype=np.float32)


def as_int16(sound: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples as a bank keeps them."""
    return np.asarray(np.clip(np.round(sound * 32768.0), -32768, 32767), np.int16)


def open_bank(root: Path, files: Sequence[str], rate: int, speed: float = 1.0) -> Bank:
    """Decode `files` below `root`, or take them from the cache.

    Raises:
        UsageError: not one file could be read.
    """
    key = hashlib.sha256(f"{rate} {speed}".encode())
    for name in files:
        path = root / whole_of(name)
        info = path.stat() if path.exists() else None
        stamp = (info.st_size, info.st_mtime_ns) if info else ()
        key.update(f"{name} {stamp}\n".encode())
    return decoded(
        key.hexdigest(), root, files, lambda name: read_mono(root / name, rate, speed), rate
    )


def decoded(
    key: str,
    root: Path,
    files: Sequence[str],
    read: Callable[[str], NDArray[np.float32]],
    rate: int,
) -> Bank:
    """What `read` gives for each file, or the cache of that key.

    Raises:
        UsageError: not one file could be read.
    """
    base = cache_dir() / f"bank-{key[:16]}"
    data, index = base.with_suffix(".i16"), base.with_suffix(".npy")
    if not index.exists():
        _decode(files, read, data, index)
    length = np.load(index)
    if not length.any():
        raise UsageError(
            f"{root}: none of the {len(files)} recordings could be read", "check the folder"
        )
    return Bank(np.memmap(data, np.int16, "r"), length, rate)


def _decode(
    files: Sequence[str],
    read: Callable[[str], NDArray[np.float32]],
    data: Path,
    index: Path,
) -> None:
    def one(name: str) -> NDArray[np.int16] | str:
        try:
            return as_int16(read(name))
        except (OSError, soundfile.SoundFileError) as e:
            return f"{name}: {e}"

    data.parent.mkdir(parents=True, exist_ok=True)
    part = data.with_suffix(f".{os.getpid()}.part")  # two runs may decode at once
    lengths = np.zeros(len(files), np.int64)
    bad: list[str] = []
    with (
        part.open("wb") as out,
        ThreadPoolExecutor() as pool,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        for i, got in enumerate(
            progress.track(pool.map(one, files), len(files), description="decoding")
        ):
            if isinstance(got, str):
                bad.append(got)
            else:
                lengths[i] = len(got)
                out.write(got.tobytes())
    for line in bad:
        log.warning("left out: %s", line)
    if bad:
        log.warning("%d of %d recordings could not be read", len(bad), len(files))
    part.replace(data)
    np.save(index, lengths)
