"""One sound, always the same: the second trial of tests/docs/make_wake.py.

What people teach is one bell, one whistle, one appliance. Twelve kinds of household sounds that
ears never heard (ESC-50), a single recording of each. Examples are that sound from several
places in one room of a simulated house, with a little background; what is to be found is the
same sound in other rooms, by another microphone, at other levels, over talk, music and noises
of the manifest's part "test". With the part "val" they are other recordings of the same kinds:
whatever was tuned was tuned on these.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from wake_house import ROOMS, House, house_of, recorded
from wake_trial import COUNTS, SEED, Trial

from realtime.learn.examples import Clip, judge, read_clip
from realtime.wake.occurrences import find
from train.manifest import hash_of

KINDS: Final = (
    "can_opening", "car_horn", "cat", "chirping_birds", "church_bells", "clapping",
    "clock_alarm", "door_wood_creaks", "door_wood_knock", "glass_breaking", "siren",
    "toilet_flush",
)  # fmt: skip
LABEL: Final = "mine"  # says nothing of the kind
SNRS: Final = (20.0, 10.0, 5.0)
DRAWS: Final = 2
POOL: Final = max(COUNTS)  # recordings that examples are drawn from
SOUGHT: Final = 20  # at each SNR
SHORTEST_S, LONGEST_S = 0.15, 3.0
BACKGROUND: Final = {
    "test": ("noise", "talk", "music"),
    "val": ("talk", "music"),
}  # of "val" no noise
LEVEL_DB: Final = (-45.0, -15.0)
QUIET_DB: Final = (25.0, 35.0)  # the sound over the background of an example
TILT_DB: Final = 3.0  # of another microphone

Floats = NDArray[np.float32]


def sound_of(kind: str, root: Path, part: str, rate: int) -> tuple[str, Floats]:
    """The recording of a kind, and the sound in it."""
    folder, by = root / "noncommercial/esc50", {}
    with (folder / "meta/esc50.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["category"] == kind:
                by.setdefault(row["src_id"], folder / "audio" / row["filename"])
    chosen = sorted(by, key=lambda source: hash_of(f"same {source}"))
    for source in chosen[::2] if part == "test" else chosen[1::2]:
        for one in find(read_clip(by[source], rate, 10.0).audio, rate):
            if one.end - one.begin >= SHORTEST_S * rate:
                return by[source].name, one.audio[: round(LONGEST_S * rate)]
    raise ValueError(f"no recording of {kind} has a sound that is long enough")


def examples_of(
    sound: Floats, house: House, room: str, rate: int, rng: np.random.Generator
) -> list[Clip]:
    """Recordings of the sound in one room."""
    noises, clips = house.noises["noise"], []
    for number in range(POOL):
        places = house.rooms[room]
        level, snr = rng.uniform(*LEVEL_DB), rng.uniform(*QUIET_DB)
        place = places[int(rng.integers(len(places)))]
        audio = recorded(sound, place, noises, level, snr, 0.0, rate, rng)
        clips.append(judge(f"{number}.wav", audio, rate, np.zeros(1, bool)))
        clips[-1].digest = str(number)
    return clips


def elsewhere(
    sound: Floats, house: House, room: str, snr: float, rate: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """The sound in all other rooms, in turn."""
    rooms = [places for name, places in house.rooms.items() if name != room]
    kinds = list(house.noises.values())
    for number in range(SOUGHT):
        places = rooms[number % len(rooms)]
        place = places[int(rng.integers(len(places)))]
        noises = kinds[int(rng.integers(len(kinds)))]
        level = rng.uniform(*LEVEL_DB)
        yield recorded(sound, place, noises, level, snr, TILT_DB, rate, rng)


def measure_same(
    trial: Trial, done: list[dict[str, Any]], part: str
) -> Iterator[dict[str, Any]]:
    """Figures of every kind, number of examples and draw that is not done."""
    rate = trial.ears.rate
    where = trial.manifest, trial.root
    teaching = house_of(*where, "train", ("noise",), rate, SEED)
    house = house_of(*where, part, BACKGROUND[part], rate, SEED + 1)
    have = {(e["kind"], e["count"], e["draw"]) for e in done}
    for number, kind in enumerate(KINDS):
        todo = [(kind, n, draw) for n in COUNTS for draw in range(DRAWS if n < POOL else 1)]
        if have.issuperset(todo):
            continue
        rng = np.random.default_rng((SEED, number))
        file, sound = sound_of(kind, trial.root, part, rate)
        room = list(ROOMS)[number % len(ROOMS)]
        clips = examples_of(sound, teaching, room, rate, rng)
        heard = trial.heard(LABEL, clips)
        sought = [trial.streams(elsewhere(sound, house, room, snr, rate, rng)) for snr in SNRS]
        for _, count, draw in (one for one in todo if one not in have):
            order = np.random.default_rng((SEED, number, draw)).permutation(POOL)[:count]
            chosen = [e for e in heard if int(e.recording) in order]
            told = trial.compare(LABEL, chosen, sought)
            yield {"kind": kind, "file": file, "count": count, "draw": draw} | told
