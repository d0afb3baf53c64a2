"""In how many clips `--no-voice` hears a person, where there is one and where there is none.

    nice -n 10 python tests/bench/bench_person.py --sounds FOLDER

With one: the words of tests/data/words, each in three seconds of faint noise, up to 20 dB
softer than recorded. Without one, if a folder is given: sixty of its recordings, drawn with
seed 0.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from realtime.services.voice import Person

sys.path.insert(0, str(Path(__file__).parent))
import report

WORDS = report.ROOT / "tests/data/words"
RATE = 16_000
CLIP_S, BEFORE_S, NOISE, SOFTER_DB = 3, 1, 1e-3, 20.0
DRAWN = 60

Sound = tuple[np.ndarray, int]


def words(rng: np.random.Generator) -> Iterator[Sound]:
    for path in sorted(WORDS.glob("*/*.flac")):
        word, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE
        clip = rng.normal(0, NOISE, CLIP_S * rate).astype(np.float32)
        word = word[: len(clip) - BEFORE_S * rate]
        gain = 10 ** (-rng.uniform(0, SOFTER_DB) / 20)
        clip[BEFORE_S * rate : BEFORE_S * rate + len(word)] += word * gain
        yield clip, rate


def sounds(folder: Path, rng: np.random.Generator) -> Iterator[Sound]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix in (".wav", ".flac", ".ogg"))
    for i in rng.permutation(len(paths))[:DRAWN]:
        audio, rate = soundfile.read(paths[i], dtype="float32", always_2d=True)
        yield audio.mean(axis=1), rate


def count(clips: Iterator[Sound], person: Person) -> dict[str, Any]:
    n = heard = 0
    seconds, began = 0.0, time.process_time()
    for audio, rate in clips:
        n += 1
        heard += person(audio, rate)
        seconds += len(audio) / rate
    busy = time.process_time() - began
    return {"clips": n, "heard": heard, "cpu_ms_per_s": round(1e3 * busy / seconds, 1)}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--sounds", type=Path, help="recordings without a person")
    args = report.parse(parser, argv)
    machine, person = report.machine(), Person()
    report.show_machine(machine)
    found = {"words": count(words(np.random.default_rng(0)), person)}
    if args.sounds is not None:
        found["sounds"] = count(sounds(args.sounds, np.random.default_rng(0)), person)
    rows = [[name, *figures.values()] for name, figures in found.items()]
    head = ["clips of", "clips", "a person heard", "CPU ms per s"]
    report.show_table("--no-voice", head, rows)
    results = {"machine": machine, **found}
    report.save("person", results)
    return results


if __name__ == "__main__":
    main()
