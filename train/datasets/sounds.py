"""Sounds of a house and of instruments by kind, and words beside them, with free licences only.

`household` lists whole recordings for a tagger of everyday sounds; `ears` lists short parts of
them, and the words, for the network whose inside tells sounds apart that it was never taught.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from train.datasets.files import need, sounds_in
from train.datasets.pool import FREE_TALK, free_sounds
from train.manifest import Role, Row, part_of, split_of

# What a category of `sounds.csv` is called here: the first pattern that is found in
# "folder/category" decides. What fits none is "other".
KINDS = (
    (r"clock_tick|tick tock|watch_tick", "clock_tick"),
    (r"crackling_fire|fireplace|fire_crackle", "crackling_fire"),
    (r"crying.baby", "crying_baby"),
    (r"sneezing", "sneezing"),
    (r"helicopter", "helicopter"),
    (r"chainsaw", "chainsaw"),
    (r"rooster", "rooster"),
    (r"/dog|dog_bark|puppy_bark|dog growl", "dog"),
    (r"/rain", "rain"),
    (r"waves", "sea_waves"),
    (r"typing|keyboard", "typing"),
    (r"[Ss]tep(Hard|Soft|_)|node_step", "footsteps"),
    (r"/door_?(knock|close|open|creak)|Door(Open|Close)|knock", "door"),
    (r"_bells?(_|$)|/ding bell|doorbell", "bell"),
    (r"horn|siren|[Gg]lass|train.whistle|buzzer", "alarm"),
    (r"[Ll]augh", "laughter"),
    (r"applause|clapping|golf clap|crowd_cheering", "applause"),
    (r"handclap|fingerclap|drums/clap", "clap"),
    (r"snap", "snap"),
    (r"human/(Scream|Hurt|Die|Shock|scream)", "shout"),
    (r"snor(e|ing)", "snoring"),
    (r"cough|fart|vomit|Breathing|gasp|mmm|aww|undead|zombie|human/human|miaowing", "human"),
    (r"/(bird|canary|parrot|owl_|pigeon|crow_|seagull|peacock|duck_|quack|goose|turkey|penguin|"
     r"chicken|Chirp|Flutter)", "bird"),
    (r"motor|FanLoop|/boat|/train$|airplane_prop|exercise_bike", "motor"),
    (r"bee|cicada|cricket|grasshopper|summer-night", "insect"),
    (r"noise/animals", "animal"),
    (r"running_tap|toilet", "water"),
    (r"dishes", "dishes"),
    (r"explosion|thunder|fireworks|pistol_fire|balloon_pop", "bang"),
    (r"scrape|chalk|pencil|shears|zipper|scratch", "scrape"),
    (r"outdoor_urban|coffee-shop", "street"),
    (r"drums/kick", "kick"),
    (r"drums/snare", "snare"),
    (r"drums/hihat", "hihat"),
    (r"drums/cymbal", "cymbal"),
    (r"drums/tom", "tom"),
    (r"drums/(rim|perc)", "percussion"),
    (r"instruments/guitar", "guitar"),
    (r"instruments/bass", "bass"),
    (r"music|instruments/(piano|other)|drum_roll", "music"),
)  # fmt: skip
UNHEARD_KINDS = ("alarm",)  # left out of `ears`, with UNHEARD_WORDS: by them it is tried
UNHEARD_WORDS = ("happy", "eight")
SMALL = {  # of `household`: kinds that have too few recordings of their own
    **dict.fromkeys(("kick", "snare", "hihat", "cymbal", "tom", "percussion"), "drums"),
    **dict.fromkeys(("guitar", "bass"), "music"),
    **dict.fromkeys(("clap", "applause", "snap"), "clapping"),
    **dict.fromkeys(("shout", "snoring", "human"), "voice_sound"),
    **dict.fromkeys(("scrape", "dishes", "water", "bang", "alarm", "street"), "other"),
    **dict.fromkeys(("insect",), "animal"),
}
PART_S = 1.0
PART_HOP_S = 0.6
PARTS = 8  # of one recording at most
LEVEL_DB = 25.0  # a part this far under the recording's loudest one is a pause


def household(root: Path) -> list[Row]:
    """Everyday sounds, speech and music: whole recordings, one label each; streets as noise.

    Args:
        root: a folder with `sounds.csv` and the files it names, `voice/<source>/` and
            `speech-commands/<word>/`.

    Raises:
        UsageError: the folder has another layout.
    """
    rows: list[Row] = []
    for row in free_sounds(root):
        if row.role == "room":
            rows.append(row)
        else:
            kind = kind_of(row.file, row.label)
            role: Role = "noise" if kind == "street" else "clip"
            rows.append(Row(row.file, SMALL.get(kind, kind), row.group, row.split, role))
    return rows + _speech(root, "clip")


def ears(root: Path) -> list[Row]:
    """Words and sounds in parts of a second; arguments and errors as `household`.

    The kinds in `UNHEARD_KINDS` and the words in `UNHEARD_WORDS` are nowhere in it.
    """
    rows: list[Row] = []
    words = need(root / "speech-commands", "give the folder that holds speech-commands/")
    for file in sounds_in(words):
        word, name = file.parent.name, file.relative_to(root).as_posix()
        if word == "sc_test_silence":
            group = f"silence:{file.stem}"
            rows.append(Row(name, "silence", group, split_of(file.stem), "clip"))
        elif not word.startswith("_") and word not in UNHEARD_WORDS:
            speaker = file.stem.split("_")[0]
            rows.append(Row(name, word, f"sc:{speaker}", split_of(speaker), "clip"))
    for row in free_sounds(root):
        kind = kind_of(row.file, row.label)
        if row.role == "room":
            rows.append(row)
        elif kind not in UNHEARD_KINDS:
            if row.file.startswith(("noise/ambience", "noise/berlin", "noise/home")):
                rows.append(row)  # as background too
            rows.extend(
                Row(part, kind, row.group, row.split, "clip") for part in parts(root, row.file)
            )
    return rows + _speech(root, "talk")


def kind_of(file: str, category: str) -> str:
    """What a sound is: "dog", "snare", "footsteps" ... or "other"."""
    name = f"{file.rsplit('/', 1)[0]}/{category}"
    return next((kind for pattern, kind in KINDS if re.search(pattern, name)), "other")


def parts(root: Path, file: str) -> list[str]:
    """Names of the parts of a recording in which something sounds; itself if it is short."""
    try:
        audio, rate = soundfile.read(root / file, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError):
        return [file]  # sift says so
    size, hop = round(PART_S * rate), round(PART_HOP_S * rate)
    if len(audio) <= 1.5 * size:
        return [file]
    starts = np.arange(0, len(audio) - size + 1, hop)
    level = _levels(audio.mean(1), starts, size)
    heard = starts[level > level.max() - LEVEL_DB]
    chosen = heard[np.linspace(0, len(heard) - 1, min(PARTS, len(heard))).astype(int)]
    return [part_of(file, at / rate, (at + size) / rate) for at in chosen.tolist()]


def _levels(
    audio: NDArray[np.float32], starts: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    power = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
    mean: NDArray[np.float64] = (power[starts + size] - power[starts]) / size
    return np.asarray(10.0 * np.log10(mean + 1e-12))


def _speech(root: Path, role: Role) -> list[Row]:
    rows = []
    for source in FREE_TALK:
        for file in sounds_in(root / "voice" / source):
            group = file.stem.rsplit("_", 1)[0]
            name = file.relative_to(root).as_posix()
            rows.append(Row(name, "speech", group, split_of(group), role))
    return rows
