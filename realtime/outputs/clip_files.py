"""Kept clips on disk: names, a JSON beside each, and which ones go. Used by `clips`.

    2026-11-21T18-30-05.120Z_doorbell_0.97.flac
    2026-11-21T18-30-05.120Z_doorbell_0.97.json
    2026-11-21T18-31-40.020Z_doorbell_0.61_near.flac

The time is that of the first sample, UTC. Only the owner may read them. Only files of such
names are ever deleted; whatever else is in the folder stays.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import OutputError
from realtime.outputs.delivery import Undelivered
from realtime.outputs.replace import fault

OURS = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z_.*_[01]\.\d\d(_near)?(-\d+)?\.flac")
PART = ".part"
LONGEST_NAME = 64
DAY_S = 86_400.0


class Clip(msgspec.Struct):
    """A piece of sound and why it is kept.

    Args:
        audio: float32 [samples].
        rate: Hz.
        label: of what.
        kind: "detection" or "near".
        score: the best of it.
        threshold: that it had to reach.
        began: time of the first sample.
        t: the same in seconds of the input.
        source, model: who heard.
    """

    audio: NDArray[np.float32]
    rate: int
    label: str
    kind: str
    score: float
    threshold: float
    began: datetime
    t: float
    source: str
    model: str


class ClipFolder:
    """A folder of clips that does not grow without end.

    Args:
        folder: where; made if it is not there.
        most_mb: megabytes of clips.
        most_days: age at which a clip goes; 0 is never.

    Raises:
        OutputError: it cannot be made or written.
    """

    def __init__(self, folder: str | Path, most_mb: float, most_days: float) -> None:
        self._folder = Path(folder)
        self._most = most_mb * 1e6
        self._days = most_days
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for stale in self._folder.glob(f"*{PART}"):  # of a run that was cut off
                if OURS.fullmatch(stale.name.removesuffix(PART)):
                    stale.unlink()
            probe = self._folder / f".rt-tag-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as e:
            raise fault(self._folder, e) from e
        if not self._folder.is_dir():
            raise OutputError(f"{folder} is no folder", "name a folder for clips")

    def write(self, clip: Clip) -> Path:
        """Make room, then write sound and JSON; both or neither.

        Raises:
            Undelivered: the disk is full, or the folder is gone.
        """
        import soundfile

        sound = self._folder / self._name(clip)
        part, beside = sound.with_name(sound.name + PART), sound.with_suffix(".json")
        try:
            self.tidy(room=2 * len(clip.audio))  # no more than 16 bits a sample
            part.touch(mode=0o600)
            soundfile.write(part, clip.audio, clip.rate, format="FLAC", subtype="PCM_16")
            beside.touch(mode=0o600)
            beside.write_bytes(msgspec.json.format(_facts(clip, sound.name)) + b"\n")
            part.replace(sound)
        except (OSError, soundfile.SoundFileError) as e:
            for path in (part, beside):
                with contextlib.suppress(OSError):
                    path.unlink()
            raise Undelivered(f"cannot be written: {e}", again=False) from e
        return sound

    def tidy(self, room: int = 0) -> int:
        """Delete what is too old, then the oldest until there is room; how many went."""
        clips = sorted(self._clips())
        total = sum(size for _, size in clips)
        old = time.time() - self._days * DAY_S if self._days else float("-inf")
        gone = 0
        for path, size in clips:
            if total + room <= self._most and path.stat().st_mtime >= old:
                break
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)
            total -= size
            gone += 1
        return gone

    def _clips(self) -> Iterator[tuple[Path, int]]:
        """Our clips, and the bytes of each with its JSON."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    yield self._folder / entry.name, entry.stat().st_size + 500

    def _name(self, clip: Clip) -> str:
        """A name that no file has yet; a label cannot lead out of the folder."""
        label = re.sub(r"[^\w-]+", "_", clip.label)[:LONGEST_NAME].strip("_") or "label"
        at = clip.began.strftime("%Y-%m-%dT%H-%M-%S.") + f"{clip.began.microsecond // 1000:03d}"
        kind = "_near" if clip.kind == "near" else ""
        stem = f"{at}Z_{label}_{min(max(clip.score, 0.0), 1.0):.2f}{kind}"
        name, number = f"{stem}.flac", 2
        while (self._folder / name).exists():
            name, number = f"{stem}-{number}.flac", number + 1
        return name


def _facts(clip: Clip, name: str) -> bytes:
    """The JSON beside a clip."""
    return msgspec.json.encode(
        {
            "file": name,
            "label": clip.label,
            "kind": clip.kind,
            "score": clip.score,
            "threshold": clip.threshold,
            "time": clip.began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "t": clip.t,
            "seconds": round(len(clip.audio) / clip.rate, 3),
            "rate": clip.rate,
            "source": clip.source,
            "model": clip.model,
        }
    )
