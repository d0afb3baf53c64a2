"""A house for tests/docs/wake_same.py: one sound as it is heard in its rooms.

Four simulated rooms (image sources: every reflection of a box, as late and as weak as its way
is long, walls that take the same of every frequency), and the rooms of a manifest's part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.learn.examples import read_clip
from realtime.learn.sounds import add, decibels, excerpt, loudness, tilt
from train.manifest import read_manifest, whole_of
from train.rooms import heard_in

Floats = NDArray[np.float32]
Rng = np.random.Generator

ROOMS: Final = {  # length, width, height in m; seconds to decay by 60 dB
    "living room": ((5.2, 4.1, 2.5), 0.40),
    "kitchen": ((3.4, 2.8, 2.5), 0.45),
    "bedroom": ((4.0, 3.2, 2.5), 0.25),
    "hall": ((6.0, 1.6, 2.5), 0.50),
}
SOUND_M_S: Final = 343.0
WALL_M: Final = 0.3  # that everything is away from walls
NEAR_M: Final = 0.5  # that source and microphone are apart, at least
LOWEST_HZ: Final = 60.0
PLACES: Final = 6  # in each simulated room
LEAD_S, TAIL_S = 1.0, 1.2  # of background before a sound and after it
LONGEST_S: Final = 20.0


class House(msgspec.Struct):
    """Where a sound is, and what else is heard there.

    Attributes:
        rooms: responses by room.
        noises: recordings by kind.
    """

    rooms: dict[str, list[Floats]]
    noises: dict[str, list[Floats]]


def house_of(
    manifest: Path, root: Path, part: str, heard: tuple[str, ...], rate: int, seed: int
) -> House:
    """The house, with the rooms and the background of a part of a manifest.

    Args:
        manifest: of recordings, and their folder.
        root: so.
        part: of it: train, val or test.
        heard: kinds of background: noise, talk, music.
        rate: Hz.
        seed: of where sources and microphones stand.
    """
    rng = np.random.default_rng(seed)
    rooms = {
        name: [response(size, decay, rate, rng) for _ in range(PLACES)]
        for name, (size, decay) in ROOMS.items()
    }
    noises: dict[str, list[Floats]] = {kind: [] for kind in heard}
    for row in read_manifest(manifest):
        kind = "music" if row.label == "music" else row.role
        if row.split == part and (kind in noises or kind == "room"):
            path = root / whole_of(row.file)
            audio = read_clip(path, rate, LONGEST_S).audio
            if kind == "room":
                rooms[path.stem] = [audio]
            else:
                noises[kind].append(audio)
    return House(rooms, noises)


def response(size: tuple[float, float, float], decay_s: float, rate: int, rng: Rng) -> Floats:
    """What a microphone hears of a click, both somewhere in a box, float32 [samples]."""
    box = np.array(size)
    while True:
        source, microphone = (rng.uniform(WALL_M, box - WALL_M) for _ in range(2))
        if np.linalg.norm(source - microphone) >= NEAR_M:
            break
    volume, walls = box.prod(), 2 * (box[0] * box[1] + box[0] * box[2] + box[1] * box[2])
    kept = np.exp(-0.161 * volume / (walls * decay_s) / 2)  # of the pressure (Eyring)
    reach = decay_s * SOUND_M_S
    ways = []
    for length, at, to in zip(box, source, microphone, strict=True):
        n = np.arange(-int(reach / 2 / length) - 1, int(reach / 2 / length) + 2)
        along = [(2 * n * length + at - to, 2 * abs(n))]
        along.append((2 * n * length - at - to, abs(n) + abs(n - 1)))
        offsets, counts = (np.concatenate(parts) for parts in zip(*along, strict=True))
        ways.append((np.square(offsets), counts))
    (x, nx), (y, ny), (z, nz) = ways
    far = np.sqrt(x[:, None, None] + y[:, None] + z)
    hits = nx[:, None, None] + ny[:, None] + nz
    near = far < reach
    sample = np.rint(far[near] / SOUND_M_S * rate).astype(int)
    pressure = np.bincount(sample, kept ** hits[near] / far[near])
    spectrum = np.fft.rfft(pressure)  # reflections add up to a constant; sound has none
    spectrum[: round(LOWEST_HZ * len(pressure) / rate)] = 0.0
    return np.fft.irfft(spectrum, len(pressure)).astype(np.float32)


def recorded(
    sound: Floats, room: Floats, noises: list[Floats], level_db: float, snr_db: float,
    tilt_db: float, rate: int, rng: Rng,
) -> Floats:  # fmt: skip
    """A recording of a sound in a room, with background all along.

    Args:
        sound: alone.
        room: response.
        noises: background; an excerpt of one of them.
        level_db: of the sound, dBFS.
        snr_db: how far the background is under it.
        tilt_db: how unlike another microphone is.
        rate: Hz.
        rng: all chance.
    """
    lead, tail = round(LEAD_S * rate), round(TAIL_S * rate)
    wet = heard_in(np.concatenate([sound, np.zeros(tail, np.float32)]), room)
    if tilt_db:
        wet = tilt(wet, rng, tilt_db)
    wet = wet * decibels(level_db - loudness(wet, rate))
    under = excerpt(noises[int(rng.integers(len(noises)))], lead + len(wet), rng, rate)
    out: Floats = under * decibels(level_db - snr_db - loudness(under, rate))
    add(out, wet, lead)
    return np.clip(out, -1.0, 1.0)
