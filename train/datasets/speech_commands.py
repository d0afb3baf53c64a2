"""Speech Commands V2: 35 words, or ten of them with unknown and silence.

Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition" (2018). Layout:

    <word>/<speaker>_nohash_<n>.wav
    _background_noise_/*.wav             about a minute each
    validation_list.txt, testing_list.txt     the official split (optional: it follows from a
                                              hash of the speaker's name)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import soundfile

from realtime.errors import UsageError
from train.datasets.files import sounds_in
from train.manifest import Row, Split, part_of

HINT = "give the folder that holds the words' folders, of V2"
TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
BACKGROUND = "_background_noise_"
SHARES: dict[Split, tuple[float, float]] = {  # of each background recording
    "train": (0.0, 0.8), "val": (0.8, 0.9), "test": (0.9, 1.0),
}  # fmt: skip
LISTS: dict[str, Split] = {"validation_list.txt": "val", "testing_list.txt": "test"}
HASHES = 2**27 - 1  # the official hash's range


def speech_commands(root: Path) -> list[Row]:
    """All words as they are.

    The background recordings are noises to mix in; their first 80 % for training.

    Raises:
        UsageError: the folder has another layout.
    """
    return [*_words(root, lambda word: word), *_noises(root, silence=False)]


def speech_commands12(root: Path) -> list[Row]:
    """Ten words, all others as "unknown", and seconds of background as "silence".

    Raises:
        UsageError: the folder has another layout.
    """
    words = _words(root, lambda word: word if word in TEN else "unknown")
    return [*words, *_noises(root, silence=True)]


def official_split(name: str, val: float = 10.0, test: float = 10.0) -> Split:
    """The split of a file by the data set's own hash of its speaker.

    Args:
        name: file name.
        val: percent.
        test: percent.

    Source: the README of the data set (CC BY 4.0).
    """
    speaker = Path(name).name.split("_nohash_")[0]
    number = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16)
    percent = (number % (HASHES + 1)) * (100.0 / HASHES)
    return "val" if percent < val else "test" if percent < val + test else "train"


def _words(root: Path, label: Callable[[str], str]) -> list[Row]:
    lists: dict[str, Split] = {}
    for file, part in LISTS.items():
        if (root / file).exists():
            lists |= dict.fromkeys((root / file).read_text().split(), part)
    rows = []
    for path in sounds_in(root):
        name = path.relative_to(root).as_posix()
        if "_nohash_" not in name or name.startswith("_"):
            continue
        split = lists.get(name, "train") if lists else official_split(name)
        speaker = path.stem.split("_nohash_")[0]
        rows.append(Row(name, label(path.parent.name), f"sc:{speaker}", split, "clip"))
    if not rows:
        raise UsageError(f"{root}: no <word>/<speaker>_nohash_<n>.wav", HINT)
    return rows


def _noises(root: Path, silence: bool) -> list[Row]:
    """Parts of the background recordings, which no two splits share."""
    rows = []
    for path in sorted(p for p in sounds_in(root / BACKGROUND) if p.parent.name == BACKGROUND):
        name = path.relative_to(root).as_posix()
        try:
            seconds = soundfile.info(path).duration
        except (OSError, soundfile.SoundFileError):
            rows.append(Row(name, path.stem, path.stem, "train", "noise"))  # sift says so
            continue
        for split, (first, last) in SHARES.items():
            start, end = seconds * first, seconds * last
            group = f"{path.stem}:{split}"
            rows.append(Row(part_of(name, start, end), path.stem, group, split, "noise"))
            if silence:
                for at in range(int(end - start)):
                    piece = part_of(name, start + at, start + at + 1)
                    rows.append(Row(piece, "silence", group, split, "clip"))
    return rows
