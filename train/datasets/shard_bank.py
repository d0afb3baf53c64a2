"""Recordings that are read from shards while a run learns, in the place of a `Bank`.

For sets that are too large to be kept decoded. A recording is read where it stands in its tar
file and decoded by whoever asks for it: the processes that make batches (`fit.workers`).
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from realtime.errors import FormatError, UsageError
from train.bank import Bank, Recordings, as_int16, decoded, mono, open_bank
from train.datasets.shard_contents import Sound, contents_of
from train.manifest import Row
from train.tables import Listed

Array = NDArray[np.float32]

log = logging.getLogger("rt.train.shards")


class Shards:
    """Where a manifest's recordings stand in a folder of shards, the test's left aside.

    What cannot be read is listed and counted, every time.

    Attributes:
        rows: of the manifest.
        shard: number of each row's shard, int64 [rows]; -1 where none holds it.
    """

    def __init__(self, folder: Path, rows: Sequence[Row]) -> None:
        self.rows, self.folder = rows, folder
        self._paths = sorted(p for s in ("train", "val") for p in folder.glob(f"{s}-*.tar"))
        if not self._paths:
            raise UsageError(
                f"{folder}: no train-*.tar or val-*.tar", "make them with rt-train shard"
            )
        found, broken = self._look()
        if not any(row.file in found for row in rows):
            raise UsageError(
                f"{folder}: its shards hold none of the manifest's {len(rows)} recordings",
                "name the manifest that they were made of",
            )
        self._sounds: list[Sound | None] = [None] * len(rows)
        self.shard = np.full(len(rows), -1, np.int64)
        bad = 0
        for i, row in enumerate(rows):
            if row.file in found and row.split != "test":
                self._sounds[i], self.shard[i] = found[row.file]
            elif row.split != "test":
                bad += 1
                _warn("left out: %s: %s", row.file, broken.get(row.file, "in no shard"))
        wanted = sum(row.split != "test" for row in rows)
        if bad:
            _warn("%d of %d recordings could not be read", bad, wanted)
        log.info("%s: %d shards, %d recordings", folder, len(self._paths), wanted - bad)

    def length(self, rate: int, speed: float) -> NDArray[np.int64]:
        """Samples of each recording at a rate and speed, 0 where there is none."""
        frames = [(s.frames, s.rate) if s else (0, 1) for s in self._sounds]
        have, at = np.array(frames, np.float64).reshape(-1, 2).T
        return np.floor(have * rate / (at * speed) + 0.5).astype(np.int64)

    def read(self, index: int, rate: int, speed: float) -> Array:
        """A recording, mono float32 [samples].

        Raises:
            FormatError: it cannot be read any more.
        """
        sound, path = self._sounds[index], self._paths[self.shard[index]]
        if sound is None:
            return np.zeros(0, np.float32)
        try:
            with path.open("rb") as f:
                f.seek(sound.at)
                return mono(io.BytesIO(f.read(sound.size)), rate, speed)
        except (OSError, soundfile.SoundFileError) as e:
            raise FormatError(
                f"{path}: {sound.file} cannot be read any more: {e}",
                "start again: it is left out then",
            ) from e

    def few(self, rate: int, speed: float) -> tuple[Bank | None, dict[int, int]]:
        """Talk, noises and rooms, decoded on disk, and where each row is among them.

        There are few of them, and they are drawn again and again.
        """
        mine = [i for i, s in enumerate(self._sounds) if s and self.rows[i].role != "clip"]
        if not mine:
            return None, {}
        key = hashlib.sha256(f"{rate} {speed}".encode())
        for i in mine:
            path = self._paths[self.shard[i]]
            key.update(f"{path.resolve()} {path.stat().st_mtime_ns} {self._sounds[i]}".encode())
        where = {str(i): i for i in mine}
        bank = decoded(
            key.hexdigest(), self.folder, list(where),
            lambda name: self.read(where[name], rate, speed), rate,
        )  # fmt: skip
        return bank, {i: k for k, i in enumerate(mine)}

    def _look(self) -> tuple[dict[str, tuple[Sound, int]], dict[str, str]]:
        """Sounds with their shards, and why the others cannot be read, by file."""
        found: dict[str, tuple[Sound, int]] = {}
        broken: dict[str, str] = {}
        with (
            ThreadPoolExecutor() as pool,
            Progress(console=Console(stderr=True), transient=True) as progress,
        ):
            all_of = pool.map(contents_of, self._paths)
            looked = progress.track(all_of, len(self._paths), description="looking at shards")
            for number, contents in enumerate(looked):
                for fault in contents.faults:
                    _warn("%s: %s", self._paths[number], fault)
                found.update({sound.file: (sound, number) for sound in contents.sounds})
                broken |= contents.broken
        return found, broken


class ShardBank:
    """Recordings of shards at one rate and speed.

    Attributes:
        length: int64 [recordings], samples of each; 0 where it could not be read.
        rate: Hz.
    """

    def __init__(self, shards: Shards, rate: int, speed: float = 1.0) -> None:
        self.rate, self.length = rate, shards.length(rate, speed)
        self._shards, self._speed = shards, speed
        self._few, self._where = shards.few(rate, speed)
        self._last = (-1, np.zeros(0, np.int16))  # a long recording is asked for twice

    def clip(self, index: int, first: int = 0, count: int | None = None) -> Array:
        """As `Bank.clip`, and of the same values."""
        if self._few is not None and index in self._where:
            return self._few.clip(self._where[index], first, count)
        if self._last[0] != index:
            heard = self._shards.read(index, self.rate, self._speed)
            self._last = (index, as_int16(heard))
        end = None if count is None else first + count
        return self._last[1][first:end].astype(np.float32) / 32768.0


def open_recordings(
    data: Listed, rows: Sequence[Row], rate: int, speeds: Sequence[float] = (1.0,)
) -> tuple[list[Recordings], NDArray[np.int64] | None]:
    """A manifest's recordings at each playing speed, and the rows' shards if there are any.

    Raises:
        UsageError: no shards where there should be some, or nothing that can be read.
    """
    if not data.shards:
        root, names = Path(data.root), [r.file for r in rows]
        return [open_bank(root, names, rate, speed) for speed in speeds], None
    shards = Shards(Path(data.shards), rows)
    return [ShardBank(shards, rate, speed) for speed in speeds], shards.shard


def _warn(text: str, *words: object) -> None:
    if os.environ.get("RANK", "0") == "0":  # under torchrun one process speaks
        log.warning(text, *words)
