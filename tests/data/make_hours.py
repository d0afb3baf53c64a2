"""Make realtime/weights/ears.hours: embeddings of hours of other sounds, for `rt-tag learn`.

    rt-train manifest ears DATA -o ears.csv
    python tests/data/make_hours.py ears.csv --root DATA [--model ears.onnx] [-o FILE]

Run it anew for every new ears: embeddings of another network mean nothing to it. Only whole
recordings with a free licence are in it, and none of the sounds that docs/wake.md tries it on.
Half of the groups (speakers, recordings) of the part "train" teach; the other half, and all of
"val", count. Of the part "test" nothing is in it, so that something is left to measure with.
Sounds follow each other with short pauses in stretches of a minute; of one group come a few
seconds at most, for variety.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.learn.examples import read_clip
from realtime.wake.counting import HOP_S
from realtime.wake.ears import Ears
from realtime.wake.hours import Hours, Space, to_bytes
from realtime.wake.model_file import read_model
from train.manifest import Row, hash_of, read_manifest, whole_of

PROJECT = Path(__file__).parents[2]
WEIGHTS = PROJECT / "realtime/weights"
DIRECTIONS: Final = 96
RIDGE: Final = 0.02  # of the mean variance, added to all: the weakest directions stay weak
STRETCH_S: Final = 60.0
PAUSE_S: Final = (0.05, 0.5)
HISS_DB: Final = -70.0
CLIP_S: Final = 7.0  # of one recording at most
HELD: Final = ("happy", "eight")  # words that docs/wake.md measures with
MOST: Final = {"teach": 12, "count": 25}  # recordings of one word
TALK: Final = {"teach": 120, "count": 500}
TEACHING_HOP_S: Final = 0.5
SEED: Final = 1
TRAINED_ON: Final = [
    "shipped hours of other sounds: the recordings of ears, as embeddings",
]

Floats = NDArray[np.float32]


class Piece(msgspec.Struct):
    """A recording in a part."""

    file: str
    kind: str
    heard: bool  # by ears, in its training


def pieces(rows: list[Row]) -> dict[str, list[Piece]]:
    """Recordings of each part, each once, in an order of chance."""
    parts: dict[str, dict[str, Piece]] = {"teach": {}, "count": {}}
    for row in rows:
        file = whole_of(row.file)
        kind = "speech" if row.role == "talk" else row.label
        if row.role == "room" or row.split == "test" or kind in HELD:
            continue
        if file.split("/")[1] in HELD:
            continue
        part = "count" if row.split == "val" or hash_of("count " + row.group) < 0.5 else "teach"
        parts[part].setdefault(file, Piece(file, kind, row.split != "val"))
    rng = np.random.default_rng(SEED)
    chosen: dict[str, list[Piece]] = {}
    for part, found in parts.items():
        every = list(found.values())
        every = [every[i] for i in rng.permutation(len(every))]
        taken: dict[str, int] = {}
        chosen[part] = []
        for piece in every:
            word = piece.file.startswith("speech-commands/")
            most = TALK[part] if piece.kind == "speech" else MOST[part] if word else len(every)
            if taken.get(piece.kind, 0) < most:
                taken[piece.kind] = taken.get(piece.kind, 0) + 1
                chosen[part].append(piece)
        if part == "count":  # stretches are heard by ears, or not at all
            chosen[part].sort(key=lambda piece: piece.heard)
    return chosen


def stretches(
    chosen: list[Piece], root: Path, kinds: list[str], rate: int
) -> Iterator[tuple[Floats, NDArray[np.int16], bool]]:
    """Sound, kind of each sample, and whether ears learned it."""
    rng = np.random.default_rng(SEED + 1)
    sound: list[Floats] = []
    kind: list[NDArray[np.int16]] = []

    def finished() -> tuple[Floats, NDArray[np.int16], bool]:
        whole = np.concatenate(sound)
        hiss = rng.standard_normal(len(whole)).astype(np.float32) * 10 ** (HISS_DB / 20)
        return np.clip(whole + hiss, -1, 1), np.concatenate(kind), heard

    heard = chosen[0].heard
    for piece in chosen:
        if sound and (sum(map(len, sound)) > STRETCH_S * rate or piece.heard != heard):
            yield finished()
            sound.clear()
            kind.clear()
        heard = piece.heard
        audio = read_clip(root / piece.file, rate, CLIP_S).audio
        pause = np.zeros(round(rng.uniform(*PAUSE_S) * rate), np.float32)
        sound += [audio, pause]
        kind.append(np.full(len(audio) + len(pause), kinds.index(piece.kind), np.int16))
    if sound:
        yield finished()


def heard_by(
    ears: Ears, chosen: list[Piece], root: Path, kinds: list[str], hop_s: float
) -> tuple[list[Floats], list[NDArray[np.int16]], list[bool]]:
    """Embeddings of stretches, with the kind of each window and what ears learned."""
    streams, codes, learned = [], [], []
    hop = round(hop_s * ears.rate)
    began = time.monotonic()
    waiting: list[tuple[int, NDArray[np.int16], bool]] = []

    def sounds() -> Iterator[Floats]:
        for sound, kind, known in stretches(chosen, root, kinds, ears.rate):
            waiting.append((len(sound), kind, known))
            yield sound

    for whole in ears.stream_all(sounds(), hop_s):
        samples, kind, known = waiting.pop(0)
        stream = whole[: samples // hop]
        middle = (np.arange(len(stream)) + 1) * hop - ears.samples // 2
        streams.append(stream)
        codes.append(kind[np.maximum(middle, 0)])
        learned.append(known)
        seconds = hop_s * sum(map(len, streams))
        print(f"{seconds / 3600:.2f} h in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return streams, codes, learned


def space_of(windows: Floats) -> Space:
    """The directions of most variance."""
    mean = windows.mean(axis=0)
    variance, vectors = np.linalg.eigh(np.cov((windows - mean).T))
    turn = (vectors / np.sqrt(variance + RIDGE * variance.mean())).T[::-1][:DIRECTIONS]
    return Space(mean.astype(np.float32), turn.astype(np.float32))


def make(model: Path, rows: list[Row], root: Path) -> Hours:
    """Hear everything."""
    base = read_model(model)
    chosen = pieces(rows)
    kinds = sorted({piece.kind for part in chosen.values() for piece in part})
    teach, teach_kind, _ = heard_by(base.ears, chosen["teach"], root, kinds, TEACHING_HOP_S)
    count, count_kind, learned = heard_by(base.ears, chosen["count"], root, kinds, HOP_S)
    windows, code = np.concatenate(teach), np.concatenate(teach_kind)
    space = space_of(windows)
    return Hours(
        base.ears.digest,
        HOP_S,
        space,
        kinds,
        to_bytes(space.of(windows)),
        code,
        to_bytes(space.of(np.concatenate(count))),
        np.concatenate(count_kind),
        [len(stream) for stream in count],
        [not known for known in learned],
        TRAINED_ON,
    )


def main() -> int:
    """Make the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    add: Any = parser.add_argument
    add("manifest", type=Path)
    add("--root", type=Path, required=True)
    add("--model", type=Path, default=WEIGHTS / "ears.onnx")
    add("-o", "--out", type=Path, default=WEIGHTS / "ears.hours")
    args = parser.parse_args()
    hours = make(args.model, read_manifest(args.manifest), args.root)
    args.out.write_bytes(hours.encode())
    unheard = sum(n for n, u in zip(hours.lengths, hours.unheard, strict=True) if u)
    print(
        f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {len(hours.teaching)} windows "
        f"teach, {hours.seconds / 3600:.2f} h count, {unheard * HOP_S / 3600:.2f} h of them "
        "unheard by ears"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
