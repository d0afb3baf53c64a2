"""Evaluation mixtures on disk: what a gate is judged on.

    DIR/mixtures.csv       one row a mixture
    DIR/000/mix.flac       what the gate hears
    DIR/000/clean.flac     the target as it is in the mixture, after the room

The ratio of target to noise is that of their energies over the whole mixture, of `clean` and of
`mix - clean`; pauses count.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from realtime.errors import UsageError
from train.bank import open_bank
from train.gate_eval.backgrounds import Backgrounds
from train.gate_eval.phrases import active_db, at_level, power_db
from train.gate_eval.pool import Pool, pool_of
from train.gate_eval.talkers import Talkers
from train.manifest import Row
from train.rooms import heard_in, made_room

Array = NDArray[np.float32]

KINDS = ("continuous", "intermittent", "music", "human+animal", "clean")
ALONE = ("keyboard", "fan", "music")
SNR_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
LENGTH_S = (10.0, 15.0)
ALONE_S = 15.0
LEVEL_DB = (-38.0, -16.0)  # of a target while it sounds, or of a sound that is alone
FLOOR_DB = 55.0  # white noise so far under the target: no microphone is silent
PEAK = 0.9
DRY, FOUND = 0.6, 0.2  # shares of targets in no room, in a room of the manifest
TABLE = "mixtures.csv"


class Mixture(msgspec.Struct, frozen=True):
    """A row of mixtures.csv.

    Attributes:
        file: its folder.
        kind: one of `KINDS`, or "keyboard alone", "fan alone", "music alone".
        snr_db: inf for clean, nan where nobody speaks.
        level_db: of the target; of the sound where it is alone.
        seconds: length.
        room: "none", a file, or what the response made for it is like.
        speakers, sources: with semicolons between them.
        part, seed: of the whole set.
    """

    file: str
    kind: str
    snr_db: float
    level_db: float
    seconds: float
    room: str
    speakers: str
    sources: str
    part: str
    seed: int

    @property
    def alone(self) -> bool:
        """Whether nobody speaks."""
        return self.kind.endswith(" alone")


class Maker:
    """Makes the mixtures of one set.

    Args:
        pool: the recordings of the part.
        read: name of a file to its samples, float32.
        rate: Hz.
        rng: of everything random.
    """

    def __init__(
        self, pool: Pool, read: Callable[[str], Array], rate: int, rng: np.random.Generator
    ) -> None:
        self._rooms, self._read, self._rate, self._rng = pool.rooms, read, rate, rng
        self._talkers = Talkers(pool, read, rate, rng)
        self._backgrounds = Backgrounds(pool, read, rate)

    def mixture(
        self, kind: str, snr_db: float, samples: int
    ) -> tuple[Array, Array, dict[str, str]]:
        """Mix one: mix and clean, float32 [samples], and what is in it."""
        rng, rate = self._rng, self._rate
        dry, speakers = self._talkers.target(samples)
        wet, room = self._in_room(dry)
        clean = at_level(wet, rng.uniform(*LEVEL_DB), rate)
        level = active_db(clean, rate)
        mix = clean + at_level(_white(samples, rng), level - FLOOR_DB, rate)
        sources: list[str] = []
        if kind != "clean":
            noise, sources = self._backgrounds.make(kind, samples, rng)
            noise_db = power_db(clean) - snr_db
            mix = mix + noise * np.float32(10.0 ** ((noise_db - power_db(noise)) / 20.0))
        gain = np.float32(min(1.0, PEAK / float(np.abs(mix).max())))
        told = {"room": room, "speakers": ";".join(speakers), "sources": ";".join(sources)}
        return mix * gain, clean * gain, told

    def alone(self, kind: str, samples: int) -> tuple[Array, Array, dict[str, str]]:
        """A sound that nobody speaks over."""
        noise, sources = self._backgrounds.make(kind, samples, self._rng)
        mix = at_level(noise, self._rng.uniform(*LEVEL_DB), self._rate)
        mix = mix * np.float32(min(1.0, PEAK / float(np.abs(mix).max())))
        told = {"room": "none", "speakers": "", "sources": ";".join(sources)}
        return mix, np.zeros_like(mix), told

    def _in_room(self, dry: Array) -> tuple[Array, str]:
        chance = self._rng.random()
        if chance < DRY:
            return dry, "none"
        if self._rooms and chance < DRY + FOUND:
            name = self._rooms[int(self._rng.integers(len(self._rooms)))]
            return heard_in(dry, self._read(name)), name
        response, name = made_room(self._rate, self._rng)
        return heard_in(dry, response), name


def write_mixtures(
    root: Path, rows: Sequence[Row], out: Path, part: str, count: int, alone: int, seed: int,
    rate: int = 16_000,
) -> list[Mixture]:  # fmt: skip
    """Make a set of mixtures.

    Kinds and ratios are dealt evenly: every kind but "clean" has every ratio equally often.

    Args:
        root: folder of the manifest's files.
        rows: the manifest.
        out: folder to write to; must not hold a set already.
        part: "val" or "test".
        count: mixtures with speech.
        alone: recordings of each kind without any.
        seed: of everything random.
        rate: Hz.

    Raises:
        UsageError: `out` holds a set, or the part has too little.
    """
    if (out / TABLE).exists():
        raise UsageError(f"{out} holds mixtures already", "choose another folder, or remove it")
    pool = pool_of(root, rows, part)
    names = pool.files()
    bank, index = open_bank(root, names, rate), {name: i for i, name in enumerate(names)}
    rng = np.random.default_rng(seed)
    maker = Maker(pool, lambda name: bank.clip(index[name]), rate, rng)
    done: list[Mixture] = []
    for kind, snr_db in _plan(count, alone):
        quiet = math.isnan(snr_db)
        seconds = ALONE_S if quiet else round(rng.uniform(*LENGTH_S), 2)
        samples = round(seconds * rate)
        mix, clean, told = (
            maker.alone(kind.removesuffix(" alone"), samples)
            if quiet
            else maker.mixture(kind, snr_db, samples)
        )
        folder = f"{len(done):03d}"
        (out / folder).mkdir(parents=True, exist_ok=True)
        for name, audio in (("mix", mix), ("clean", clean)):
            soundfile.write(out / folder / f"{name}.flac", audio, rate, subtype="PCM_24")
        level_db = active_db(mix if quiet else clean, rate)
        done.append(
            Mixture(folder, kind, snr_db, round(level_db, 2), seconds,
                    **told, part=part, seed=seed)
        )  # fmt: skip
    _write_table(out / TABLE, done)
    return done


def read_mixtures(folder: Path) -> list[Mixture]:
    """The rows of a set.

    Raises:
        UsageError: no set, or a row that is not one of `Mixture`.
    """
    try:
        with (folder / TABLE).open(newline="") as f:
            rows = [msgspec.convert(r, Mixture, strict=False) for r in csv.DictReader(f)]
    except OSError as e:
        raise UsageError(
            f"{folder / TABLE}: {e.strerror}", "rt-eval mixtures makes a set"
        ) from e
    except msgspec.ValidationError as e:
        raise UsageError(f"{folder / TABLE}: {e}", "make the set again") from e
    if not rows:
        raise UsageError(f"{folder / TABLE}: no mixtures", "make the set again")
    return rows


def load(folder: Path, mixture: Mixture) -> tuple[Array, Array, int]:
    """Mix and clean of a mixture, float32 [samples], and their rate."""
    mix, rate = soundfile.read(folder / mixture.file / "mix.flac", dtype="float32")
    clean, _ = soundfile.read(folder / mixture.file / "clean.flac", dtype="float32")
    return mix, clean, rate


def _plan(count: int, alone: int) -> Iterator[tuple[str, float]]:
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        yield kind, math.inf if kind == "clean" else SNR_DB[i // len(KINDS) % len(SNR_DB)]
    for kind in ALONE:
        for _ in range(alone):
            yield f"{kind} alone", math.nan


def _white(samples: int, rng: np.random.Generator) -> Array:
    return rng.standard_normal(samples).astype(np.float32)


def _write_table(path: Path, rows: Sequence[Mixture]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(Mixture.__struct_fields__)
        writer.writerows([getattr(r, name) for name in Mixture.__struct_fields__] for r in rows)
    temporary.replace(path)
