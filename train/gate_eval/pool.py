"""`Pool`: which recordings the mixtures of one part are made of.

Speech and rooms are those of the manifest's part. Sounds are, besides, recordings that no
manifest for training may list because of their licence: nothing was ever trained on them, and
figures may be measured on them. Those are dealt to val and test by a hash of their group, like
everything else.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from realtime.errors import UsageError
from train.manifest import Row, pick, split_of

# Kinds of sounds. Categories are the first words of those in sounds.csv.
STEADY = (
    "airplane", "boat", "brushing_teeth", "car_motor", "chainsaw", "compressor_motor",
    "crackling_fire", "engine", "exercise_bike", "fanloop", "fire_crackle", "fireplace",
    "helicopter", "insects", "crickets", "motorbike_idle", "noise/berlin", "noise/weather",
    "ocean", "outdoor_urban", "pouring_water", "radio static", "rain", "running_tap",
    "sea_waves", "summer-night", "thunderstorm", "toilet_flush", "vacuum_cleaner",
    "vehicle_motor_idle", "waves", "wind",
)  # fmt: skip
FAN = ("airplane", "compressor_motor", "engine", "fanloop", "vacuum_cleaner")
KEYS = ("keyboard", "mouse", "typing", "noise/keyboard", "noise/mouse")
MUSIC = ("music", "arcade_music", "cinematic", "instruments", "bass", "cello", "drumkit")
# Voices that sing or talk, an imitation: a voice gate may open. Single hits are no music.
DOUBTFUL = ("babble", "coffee-shop", "singing", "dude_", "cymbal_crash", "drum_tomtom")
NO_LIVING = ("siren", "clapping")  # hard, but neither human nor animal sounds from a throat
SPEECH_UNLISTED = ("voice/emodb", "voice/fsdd", "noncommercial/voice")


class Sound(msgspec.Struct, frozen=True):
    """A recording that is no target; the category is what it is, or what makes it hard."""

    file: str
    group: str
    category: str


class Pool(msgspec.Struct):
    """The recordings of one part.

    Attributes:
        talkers: files of running speech of each talker.
        words: files of single words of each talker.
        sounds: by kind: "continuous", "intermittent", "music", "human+animal", "keyboard",
            "fan", and "drums" for one-shots.
        rooms: files of impulse responses.
    """

    talkers: dict[str, list[str]]
    words: dict[str, list[str]]
    sounds: dict[str, list[Sound]]
    rooms: list[str]

    def files(self) -> list[str]:
        """Every file, each once, sorted."""
        speech = [f for d in (self.talkers, self.words) for files in d.values() for f in files]
        others = [s.file for sounds in self.sounds.values() for s in sounds]
        return sorted({*speech, *others, *self.rooms})

    def groups(self) -> set[str]:
        """Every talker and every source of a sound."""
        sounds = {s.group for kind in self.sounds.values() for s in kind}
        return {*self.talkers, *self.words, *sounds}


def pool_of(root: Path, rows: Sequence[Row], part: str) -> Pool:
    """The recordings that mixtures of a part may use.

    Args:
        root: folder of the files, with `sounds.csv` if there is one.
        rows: the manifest.
        part: "val" or "test".

    Raises:
        UsageError: the part has no speech, or no sounds of a kind.
    """
    talkers: dict[str, list[str]] = defaultdict(list)
    words: dict[str, list[str]] = defaultdict(list)
    for row in pick(rows, part, "target"):
        (words if row.label == "word" else talkers)[row.group].append(row.file)
    for group, file in _unlisted_speech(root, rows, part):
        talkers[group].append(file)
    sounds: dict[str, list[Sound]] = defaultdict(list)
    for sound, hard in _sounds(root, rows, part):
        for kind in kinds_of(sound, hard):
            # of living things the first choice is which: there are far more animals than coughs
            known = Sound(sound.file, sound.group, hard) if kind == "human+animal" else sound
            sounds[kind].append(known)
    if not talkers and not words:
        raise UsageError(
            f"the manifest has no target in part {part}", "rt-train manifest voice makes one"
        )
    for kind in ("continuous", "intermittent", "human+animal"):
        if not sounds[kind]:
            raise UsageError(f"no {kind} sound in part {part}", "add some to the manifest")
    rooms = [r.file for r in pick(rows, part, "room")]
    return Pool(dict(talkers), dict(words), dict(sounds), rooms)


def kinds_of(sound: Sound, hard: str) -> list[str]:
    """What a sound may be used as; nothing for the doubtful."""
    names = (sound.category.lower(), sound.file.lower())

    def one_of(prefixes: Sequence[str]) -> bool:
        return any(name.startswith(tuple(prefixes)) for name in names)

    if one_of(DOUBTFUL):
        return []
    if hard and hard not in NO_LIVING:
        return ["human+animal"]
    if one_of(("drums",)):
        return ["drums"]
    if one_of(MUSIC):
        return ["music"]
    if one_of(KEYS):
        return ["intermittent", "keyboard"]
    if one_of(STEADY) or sound.category == "train":  # and not "train whistle"
        return ["continuous", "fan"] if one_of(FAN) else ["continuous"]
    return ["intermittent"]


def _sounds(root: Path, rows: Sequence[Row], part: str) -> Iterator[tuple[Sound, str]]:
    """The part's sounds, each with what it is hard for ("" for most)."""
    listed = {r.file: r for r in rows}
    trained = {r.group for r in rows if r.split == "train"}
    told = set()
    table = root / "sounds.csv"
    if table.is_file():
        with table.open(newline="") as f:
            for line in csv.DictReader(f):
                name, group = line["file"], line["source_id"] or line["file"]
                told.add(name)
                row = listed.get(name)
                if name.startswith("rir/") or "/voice/" in name:
                    continue
                if row is None:
                    mine = group not in trained and _dealt(group) == part
                else:
                    mine = row.split == part and row.role == "other"
                if mine:
                    yield Sound(name, group, line["category"]), line["hard"]
    for row in pick(rows, part, "other"):
        if row.file not in told:
            hard = row.label if row.label in ("noise/human", "noise/animals") else ""
            yield Sound(row.file, row.group, row.label), hard


def _unlisted_speech(root: Path, rows: Sequence[Row], part: str) -> Iterator[tuple[str, str]]:
    """Talkers that training may not use: (group, file)."""
    listed = {r.file for r in rows}
    trained = {r.group for r in rows if r.split == "train"}
    for folder in SPEECH_UNLISTED:
        for path in sorted((root / folder).rglob("*.ogg")):
            file, group = path.relative_to(root).as_posix(), path.stem.rsplit("_", 1)[0]
            if file not in listed and group not in trained and _dealt(group) == part:
                yield group, file


def _dealt(group: str) -> str:
    return split_of(group, val=0.5, test=0.5)
