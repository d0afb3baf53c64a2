"""Make the recordings of the worked examples in docs/learning.md: what a person would record.

Run by hand; nothing that it writes is committed. The sources are public recordings, some under
licences that allow experiments only, in the folder that `--data` names (drums/, instruments/,
voice/ and sounds.csv):

    python tests/data/make_learning_examples.py build/learning --data ../shared/data

It writes build/learning/{snare,guitar,voice}/{open,closed}/*.flac. One file is one kit, one
instrument, or one reading, so that whatever holds back whole files holds back kits, instruments
and readings that were never learned. The same sources and seed give the same samples.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # mono, RATE

RATE = 48_000
SEED = 20_261_121
KIT_S = 6.0  # of each kit
FLOOR_DB = -72.0  # noise of the microphone, dBFS
SNARE_DB = (-18.0, 0.0)  # strokes under the hardest one, and bleed under it likewise
BLEED_DB = (-20.0, -8.0)
PEAK_DB = -6.0  # of the hardest stroke, dBFS
DRUMS_DB = (-28.0, -14.0)  # peaks of drums in the microphone of a guitar that peaks at -10
GUITAR_DB = -10.0
READERS = ("533", "367", "3331", "3080", "3005", "2609")  # of whom there are ten pieces each


def main() -> int:
    """Make all three; the exit status."""
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("out", type=Path)
    args.add_argument("--data", type=Path, default=Path("../shared/data"))
    args.add_argument("--reader", default=READERS[0], choices=READERS, help="whose voice")
    args.add_argument("--seed", type=int, default=SEED)
    given = args.parse_args()
    if not (given.data / "sounds.csv").is_file():
        print(f"skipped: {given.data} does not hold the recordings", file=sys.stderr)
        return 0
    kits = find_kits(given.data)
    rng = np.random.default_rng(given.seed)
    write(given.out / "snare" / "open", {k: snare(v, rng) for k, v in kits.items()})
    write(given.out / "snare" / "closed", {k: bleed(v, rng) for k, v in kits.items()})
    write(given.out / "guitar" / "open", guitars(given.data))
    write(given.out / "guitar" / "closed", {k: drumming(v, rng) for k, v in kits.items()})
    write(given.out / "voice" / "open", readings(given.data, given.reader))
    write(given.out / "voice" / "closed", others(given.data, given.reader, rng))
    return 0


def find_kits(data: Path) -> dict[str, dict[str, list[Audio]]]:
    """Kits that have kick, snare and hi-hat: kit to kind to one-shots, each peak at 0 dBFS.

    Within a kind of one kit the levels stay as they are.
    """
    found: dict[str, dict[str, list[Audio]]] = defaultdict(lambda: defaultdict(list))
    with (data / "sounds.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["source_id"].startswith("drumkit:"):
                kind = row["file"].split("/")[1]
                found[row["source_id"].split(":")[1]][kind].append(load(data / row["file"]))
    kits = {k: v for k, v in sorted(found.items()) if {"kick", "snare", "hihat"} <= set(v)}
    for kit in kits.values():
        for kind, strokes in kit.items():
            loudest = max(float(np.abs(s).max()) for s in strokes)
            kit[kind] = [s / np.float32(loudest) for s in strokes]
    return kits


def snare(kit: dict[str, list[Audio]], rng: np.random.Generator) -> Audio:
    """Strokes of one snare, soft and hard, with pauses."""
    out = floor(KIT_S, rng)
    at = 0.2
    while at < KIT_S - 0.2:
        place(out, one(kit["snare"], rng), at, PEAK_DB + rng.uniform(*SNARE_DB))
        at += rng.uniform(0.2, 0.7)
    return out


def bleed(kit: dict[str, list[Audio]], rng: np.random.Generator) -> Audio:
    """Hi-hat and kick of the same kit, as the snare's microphone hears them."""
    out = floor(KIT_S, rng)
    step = rng.uniform(0.14, 0.26)
    for i in range(int((KIT_S - 0.2) / step)):
        at = 0.1 + i * step + rng.normal(0, 0.004)
        level = PEAK_DB + rng.uniform(*BLEED_DB)
        if rng.random() < 0.9:
            place(out, one(kit["hihat"], rng), at, level)
        if i % 4 == 0 or rng.random() < 0.15:
            place(out, one(kit["kick"], rng), at, PEAK_DB + rng.uniform(*BLEED_DB))
    return out


def drumming(kit: dict[str, list[Audio]], rng: np.random.Generator) -> Audio:
    """The whole kit: kick, snare, hi-hat, fills on toms and cymbals."""
    out = floor(KIT_S, rng)
    step = rng.uniform(0.12, 0.22)
    for i in range(int((KIT_S - 0.2) / step)):
        at = 0.1 + i * step + rng.normal(0, 0.004)
        strokes = ["hihat"] if rng.random() < 0.8 else []
        if i % 8 == 0 or rng.random() < 0.15:
            strokes.append("kick")
        if i % 8 == 4 or rng.random() < 0.08:
            strokes.append("snare")
        if rng.random() < 0.1:
            strokes.append("tom")
        if i % 16 == 0 and rng.random() < 0.6:
            strokes.append("cymbal")
        for kind in strokes:
            if kit.get(kind):
                place(out, one(kit[kind], rng), at, rng.uniform(*DRUMS_DB))
    return out


def guitars(data: Path) -> dict[str, Audio]:
    """One file for each guitar, all that there is of it."""
    found: dict[str, list[Audio]] = defaultdict(list)
    for path in sorted((data / "instruments/guitar").glob("*.ogg")):
        name = path.stem
        if name.startswith("fluidr3"):
            name = name.rsplit("_", 1)[0]  # a melody and a strum of the same guitar
        audio = load(path)
        gain = np.float32(10 ** (GUITAR_DB / 20) / np.abs(audio).max())
        found[name] += [audio * gain, np.zeros(RATE // 4, np.float32)]
    return {name: np.concatenate(parts) for name, parts in found.items()}


def readings(data: Path, reader: str) -> dict[str, Audio]:
    """One file for each piece that somebody read."""
    paths = sorted((data / "voice/librispeech").glob(f"libri-{reader}_*.ogg"))
    return {path.stem: load(path) for path in paths}


def others(data: Path, reader: str, rng: np.random.Generator) -> dict[str, Audio]:
    """Pieces of other people, twenty of the same kind and ten by telephone and laptop."""
    pools = {"librispeech": 20, "commonvoice": 10}
    found = {}
    for name, count in pools.items():
        paths = sorted((data / "voice" / name).glob("*.ogg"))
        by_person = {p.stem.rsplit("_", 1)[0]: p for p in paths}
        by_person.pop(f"libri-{reader}", None)
        people = sorted(by_person)
        for i in sorted(rng.choice(len(people), count, replace=False)):
            found[people[i]] = load(by_person[people[i]])
    return found


def one(strokes: list[Audio], rng: np.random.Generator) -> Audio:
    """Any one of them."""
    return strokes[int(rng.integers(len(strokes)))]


def place(out: Audio, sound: Audio, at_s: float, peak_db: float) -> None:
    """Add a sound whose kit's loudest would peak at a level, dBFS."""
    at = max(0, round(at_s * RATE))
    part = sound[: max(0, len(out) - at)]
    out[at : at + len(part)] += part * np.float32(10 ** (peak_db / 20))


def floor(seconds: float, rng: np.random.Generator) -> Audio:
    """The noise of a microphone."""
    noise = rng.standard_normal(round(seconds * RATE)) * 10 ** (FLOOR_DB / 20)
    return noise.astype(np.float32)


def load(path: Path) -> Audio:
    """A file as mono at RATE."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Audio = audio.mean(axis=1)
    return mono if rate == RATE else soxr.resample(mono, rate, RATE).astype(np.float32)


def write(folder: Path, sounds: dict[str, Audio]) -> None:
    """Sixteen bits, FLAC; what was there before goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.flac"):
        old.unlink()
    for name, audio in sounds.items():
        soundfile.write(folder / f"{name}.flac", np.clip(audio, -1, 1), RATE, "PCM_16")
    seconds = sum(len(a) for a in sounds.values()) / RATE
    print(f"{folder}: {len(sounds)} files, {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
