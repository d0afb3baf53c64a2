"""A pool of recordings of many sources: words, talk, noises and rooms, with their licences."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import msgspec

from realtime.errors import UsageError
from train.datasets.files import sounds_in
from train.manifest import Role, Row, split_of

KWS12 = (
    "yes",
    "no",
    "up",
    "down",
    "left",
    "right",
    "on",
    "off",
    "stop",
    "go",
    "unknown",
    "silence",
)

# Licences that allow weights to be given away under Apache-2.0, as `sounds.csv` spells them.
FREE_LICENCES = (
    "CC0",
    "CC BY 4",
    "CC BY 3",
    "CC BY 2",
    "Public Domain",
    "MIT",
    "ODbL",
    "Apache",
)
# Free sources of talk that do not say the target words on purpose ("turn on the light").
FREE_TALK = (
    "commonvoice", "commonvoice48k", "librispeech", "picovoice_wakeword",
    "precise_community", "serbian_commands", "vctk_p287",
)  # fmt: skip


def kws12(root: Path) -> list[Row]:
    """The 12-class task with speaker-disjoint splits: words, talk, noises and rooms.

    Args:
        root: a folder with `speech-commands/<word>/<speaker>_nohash_<n>.*`,
            `voice/<source>/`, `sounds.csv` and the files it names.

    Raises:
        UsageError: the folder has another layout.
    """
    words = root / "speech-commands"
    if not words.is_dir():
        raise UsageError(
            f"{words}: no such folder", "give the folder that holds speech-commands/"
        )
    rows: list[Row] = []
    for file in sounds_in(words):
        word = file.parent.name
        name = file.relative_to(root).as_posix()
        if word == "sc_test_silence":
            rows.append(
                Row(name, "silence", f"silence:{file.stem}", split_of(file.stem), "clip")
            )
        elif not word.startswith("_"):
            speaker = file.stem.split("_")[0]
            label = word if word in KWS12 else "unknown"
            rows.append(Row(name, label, f"sc:{speaker}", split_of(speaker), "clip"))
    for source in FREE_TALK:
        for file in sounds_in(root / "voice" / source):
            group = file.stem.rsplit("_", 1)[0]
            rows.append(
                Row(
                    file.relative_to(root).as_posix(), "unknown", group, split_of(group), "talk"
                )
            )
    rows.extend(free_sounds(root))
    return rows


def voice(root: Path) -> list[Row]:
    """Speech of many people against everything else: what a voice gate learns from.

    The label of a sound is its kind ("drums/snare", "noise/animals"), which the network learns
    on the side. Recordings whose licence does not allow weights to be given away are left out.

    Args:
        root: a folder as `kws12` reads it.

    Raises:
        UsageError: the folder has another layout.
    """
    words = root / "speech-commands"
    if not words.is_dir():
        raise UsageError(
            f"{words}: no such folder", "give the folder that holds speech-commands/"
        )
    rows: list[Row] = []
    for file in sounds_in(words):
        if not file.parent.name.startswith(("_", "sc_test")):
            name, speaker = file.relative_to(root).as_posix(), file.stem.split("_")[0]
            rows.append(Row(name, "word", f"sc:{speaker}", split_of(speaker), "target"))
    for source in (*FREE_TALK, "picovoice_intent"):
        for file in sounds_in(root / "voice" / source):
            group = file.stem.rsplit("_", 1)[0]
            name = file.relative_to(root).as_posix()
            rows.append(Row(name, "speech", group, split_of(group), "target"))
    for row in free_sounds(root):
        if row.role == "room":
            rows.append(row)
        else:
            kind = _kind(row.file, row.label)
            rows.append(msgspec.structs.replace(row, label=kind, role="other"))
    return rows


def free_sounds(root: Path) -> Iterator[Row]:
    """The rows of `sounds.csv` whose licence allows weights to be given away: noises and rooms.

    Raises:
        UsageError: there is no such table.
    """
    table = root / "sounds.csv"
    if not table.is_file():
        raise UsageError(
            f"{table}: no such file", "the noises and their licences are listed there"
        )
    with table.open(newline="") as f:
        for line in csv.DictReader(f):
            top = line["file"].split("/")[0]
            free = line["licence"].startswith(FREE_LICENCES) and "SA" not in line["licence"]
            if top == "noncommercial" or not (free or line["licence"] == "CC BY"):
                continue
            role: Role = "room" if top == "rir" else "noise"
            group = line["source_id"] or line["file"]
            label = "babble" if "coffee-shop" in line["category"] else line["category"]
            yield Row(line["file"], label, group, split_of(group), role)


# ESC-10 and the household folder mix kinds: by category
KIND_OF = {
    **dict.fromkeys(("dog", "rooster", "cat", "cow", "pig", "sheep", "hen", "crow"), "animals"),
    **dict.fromkeys(("crying_baby", "sneezing", "snoring", "coughing", "laughing"), "human"),
    **dict.fromkeys(("rain", "sea_waves", "wind", "thunderstorm"), "weather"),
    **dict.fromkeys(("keyboard", "keyboard_typing", "typing", "keyboard_click"), "keyboard"),
}


def _kind(file: str, category: str) -> str:
    """What sort of sound a file is: "drums/snare", "instruments/guitar", "noise/animals"."""
    top, folder = file.split("/")[:2]
    if top in ("drums", "instruments"):
        return f"{top}/{folder}"
    if top == "music":
        return "music"
    if category in KIND_OF:
        return f"noise/{KIND_OF[category]}"
    return "noise/effects" if top == "esc10" else f"noise/{folder.removesuffix('_oneshots')}"
