"""What a person shows: sound files of one side, read and judged.

Used by `realtime.learn.lesson`. Everything is mono at the backbone's rate from here on. Which
files were passed over, and why, is part of the answer.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from glob import escape
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import AudioError, FormatError
from realtime.gate.ideal import HOPS_PER_S, gate_of_levels, hop_levels
from realtime.resample import StreamResampler
from realtime.sources.wav import WavSource

Audio = NDArray[np.float32]  # [samples], mono

MOST_S = 600.0  # seconds that are read of one side; a minute is plenty
FILE_S = 20.0  # seconds that any file may give, however many there are
SILENT_DB = -65.0  # a recording that is nowhere louder holds nothing
FULL = 0.999  # two samples in a row that are equal and this large are clipped

log = logging.getLogger("rt.realtime.learn")


class Clip(msgspec.Struct):
    """One recording.

    Attributes:
        name: the file's name.
        audio: float32 [samples], mono.
        seconds: its length.
        active_s: seconds with sound: those in which the ideal gate is open.
        clipped: share of the hops with sound that are clipped.
        digest: of the samples: the same sound in any lossless file has the same one.
        mended: samples that were NaN or infinite, and are 0 now.
    """

    name: str
    audio: Audio
    seconds: float
    active_s: float
    clipped: float = 0.0
    digest: str = ""
    mended: int = 0


class Side(msgspec.Struct):
    """All that was shown of one side.

    Attributes:
        name: "open" or "closed".
        clips: recordings with sound in them.
        skipped: file and reason of those that are not used.
    """

    name: str
    clips: list[Clip]
    skipped: list[tuple[str, str]] = msgspec.field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Seconds read."""
        return sum(c.seconds for c in self.clips)

    @property
    def active_s(self) -> float:
        """Seconds with sound."""
        return sum(c.active_s for c in self.clips)


WANTED = {
    "open": "about a minute of the sound that shall open the gate, alone",
    "closed": "about a minute of all that shall not, without it",
}


def read_side(
    name: str, paths: Sequence[str], rate: int, wanted: Mapping[str, str] = WANTED
) -> Side:
    """Read the examples of one side.

    Args:
        name: "open" or "closed", for messages.
        paths: files, and folders whose files at any depth are taken.
        rate: Hz of the result.
        wanted: what should be recorded for either side, for messages.

    Raises:
        AudioError: a path that is not there, or nothing that can be read.
    """
    files = list_files(name, paths, wanted)
    side = Side(name, [])
    most_s = max(FILE_S, MOST_S / max(1, len(files)))
    for path in files:
        if side.seconds >= MOST_S:
            side.skipped.append((path.name, f"{MOST_S / 60:g} minutes are enough"))
            continue
        try:
            clip = read_clip(path, rate, most_s)
        except (AudioError, FormatError) as e:
            side.skipped.append((path.name, str(e).removeprefix(f"{path}: ")))
            continue
        if clip.active_s == 0.0:
            side.skipped.append((path.name, "is silent"))
            continue
        side.clips.append(clip)
    if not side.clips:
        raise nothing(side, paths, wanted)
    return side


def list_files(
    name: str, paths: Sequence[str], wanted: Mapping[str, str] = WANTED
) -> list[Path]:
    """The files that paths name, each once; those of a folder sorted, without hidden ones.

    A JSON file beside a sound of its name tells of it, as `--save-clips` leaves them, and is
    passed over.

    Raises:
        AudioError: a path that is not there, or a folder without files.
    """
    found: dict[Path, Path] = {}
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise AudioError(f"--{name} {given}: no such file or folder", "check the path")
        inside = [path] if not path.is_dir() else sorted(_files_in(path))
        if not inside:
            raise AudioError(
                f"--{name} {given}: the folder is empty",
                f"put recordings into it: {wanted[name]}",
            )
        found |= {p.resolve(): p for p in inside}
    return list(found.values())


def _files_in(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        tells = path.suffix == ".json" and any(
            p != path for p in path.parent.glob(f"{escape(path.stem)}.*")
        )
        if path.is_file() and not hidden and not tells:
            yield path


def nothing(side: Side, paths: Sequence[str], wanted: Mapping[str, str] = WANTED) -> AudioError:
    """What to say when no file of a side can be used."""
    given = " ".join(paths)
    reasons = {reason for _, reason in side.skipped}
    count = len(side.skipped)
    which = f"{side.skipped[0][0]} " if count == 1 else f"none of {count} files can be used: "
    if reasons == {"is silent"}:
        what = (
            f"{side.skipped[0][0]} is silent" if count == 1 else f"all {count} files are silent"
        )
        return AudioError(
            f"--{side.name} {given}: {what}",
            "check the microphone and its level, and record again",
        )
    return FormatError(
        f"--{side.name} {given}: {which}{'; '.join(sorted(reasons)[:3])}", wanted[side.name]
    )


def read_clip(path: Path, rate: int, most_s: float) -> Clip:
    """Read one file as mono, at most so many seconds of it.

    Raises:
        AudioError: it cannot be read.
    """
    source = WavSource(str(path), block_s=1.0)
    resampler = StreamResampler(source.rate, rate)
    parts, full, mended, seconds = [], [], 0, 0.0
    hop = max(1, source.rate // HOPS_PER_S)
    try:
        for block in source.blocks():
            x = block.audio
            bad = ~np.isfinite(x)
            if bad.any():
                mended += int(bad.sum())
                x = np.where(bad, np.float32(0), x)
            full.append(_clipped_hops(x, hop))
            parts.append(resampler.process(x.mean(axis=1)))
            seconds += len(x) / source.rate
            if seconds >= most_s:
                break
    except FormatError as e:  # it broke off: what came before was read
        if not parts:
            raise
        log.warning("%s", e)
    finally:
        source.close()
    parts.append(resampler.flush())
    audio = np.concatenate(parts)[: round(most_s * rate)]
    return judge(path.name, audio, rate, np.concatenate(full), mended)


def judge(
    name: str, audio: Audio, rate: int, full: NDArray[np.bool_] | None = None, mended: int = 0
) -> Clip:
    """A clip of a sound, with what can be said about it.

    Args:
        name: of the file.
        audio: float32 [samples].
        rate: Hz.
        full: bool [hops], which hops are clipped.
        mended: samples that were no numbers.
    """
    digest = hashlib.sha256(np.round(audio * 8192).astype(np.int16).tobytes()).hexdigest()[:16]
    levels = hop_levels(audio, rate)
    active = np.zeros(len(levels), bool)
    if len(levels) and levels.max() >= SILENT_DB:
        active = gate_of_levels(levels[None])[0]
    clipped = 0.0
    if full is not None and active.any():
        width = min(len(full), len(active))
        clipped = float((full[:width] & active[:width]).sum() / active.sum())
    seconds = len(audio) / rate
    active_s = float(active.sum()) / HOPS_PER_S
    return Clip(name, audio, seconds, active_s, clipped, digest, mended)


def _clipped_hops(x: NDArray[np.float32], hop: int) -> NDArray[np.bool_]:
    """Which hops of a block [samples, channels] have a flat top at full scale."""
    flat = ((x[1:] == x[:-1]) & (np.abs(x[1:]) >= FULL)).any(axis=1)
    count = len(x) // hop
    hops = np.append(flat, False)[: count * hop].reshape(count, hop)
    return np.asarray(hops.any(axis=1))
