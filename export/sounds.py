"""The sounds that an export is calibrated with and compared on, and reading them.

They come from a manifest (parts train and val, never test), from a folder of label folders, or,
with neither, from the sounds of this project.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

import realtime
from realtime.errors import AudioError, UsageError
from realtime.resample import StreamResampler
from realtime.sources.wav import WavSource

Array = NDArray[np.float32]

DEMO = Path(realtime.__file__).parent / "sounds" / "demo.flac"
WORDS = Path(realtime.__file__).parent.parent / "tests" / "data" / "words"  # in a checkout only
PART = re.compile(r"#t=(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$")
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3")

log = logging.getLogger("rt.export.sounds")


class Sound(msgspec.Struct, frozen=True):
    """One file to take a window from; `part` and `role` as in a manifest."""

    file: Path
    label: str
    part: str
    role: str


def list_sounds(data: Path | None, root: Path | None) -> tuple[list[Sound], str]:
    """What there is to calibrate and to judge with, and its name for reports.

    Args:
        data: a manifest, or a folder of label folders; None takes this project's own sounds.
        root: folder that the manifest's file names are relative to; None is the manifest's.

    Raises:
        UsageError: no such file or folder, or it holds nothing of use.
    """
    if data is None:
        return (_label_folders(WORDS) if WORDS.is_dir() else []), "bundled sounds"
    if data.is_dir():
        sounds = _label_folders(data)
    else:
        sounds = _manifest(data, root or data.parent)
    if not sounds:
        raise UsageError(f"{data}: no sound of part train or val", "see docs/recipes.md")
    return sounds, data.name


def read_all(sounds: Sequence[Sound], rate: int, name: str) -> Iterator[tuple[Sound, Array]]:
    """Each sound that can be read, float32 [samples] at `rate`; a warning names the others.

    Args:
        sounds: to read.
        rate: Hz.
        name: of the data, for messages.

    Raises:
        AudioError: there are sounds, and not one of them could be read.
    """
    read = 0
    for sound in sounds:
        try:
            audio = read_mono(sound.file, rate)
        except AudioError as e:
            log.warning("left out: %s", e)
            continue
        read += 1
        yield sound, audio
    if sounds and not read:
        raise AudioError(f"not one sound of {name} could be read", "check --root")


def read_mono(path: Path, rate: int) -> Array:
    """A sound file as the engine hears it, float32 [samples] at `rate`.

    Args:
        path: the file; its name may end in `#t=START,END` (seconds), as manifests name parts.
        rate: Hz.

    Raises:
        AudioError: missing, no sound, or it ends before START.
    """
    part = PART.search(path.name)
    if part is not None:
        start, end = (round(float(t) * rate) for t in part.groups())
        found = read_mono(path.with_name(path.name[: part.start()]), rate)[start:end]
        if not len(found):
            raise AudioError(f"{path}: no sound there", "does the file end before?")
        return found
    source = WavSource(str(path), block_s=1.0)
    audio = np.concatenate([block.audio for block in source.blocks()])
    mono: Array = audio.mean(axis=1, dtype=np.float32)
    if source.rate == rate:
        return mono
    resampler = StreamResampler(source.rate, rate, 1)
    return np.concatenate([resampler.process(mono), resampler.flush()])


def _label_folders(folder: Path) -> list[Sound]:
    """Files of label folders. Equal stems (a speaker, a take) stay in one part."""
    files = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in SOUNDS)
    stems = sorted({p.stem for p in files})
    part = {stem: ("train", "val")[i % 2] for i, stem in enumerate(stems)}
    return [Sound(p, p.parent.name, part[p.stem], "clip") for p in files]


def _manifest(path: Path, root: Path) -> list[Sound]:
    """Rows of parts train and val. Rows of part test are not even listed."""
    try:
        with path.open(newline="") as file:
            return [
                Sound(root / row["file"], row["label"], row["split"], row["role"])
                for row in csv.DictReader(file)
                if row["split"] in ("train", "val")
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        why = getattr(e, "strerror", None) or "no text"
        raise UsageError(f"{path}: {why}", "give a manifest or a folder of folders") from e
    except KeyError as e:
        raise UsageError(
            f"{path}: no column {e}", "a manifest has file,label,group,split,role"
        ) from e
