"""`Talkers`: clean targets, phrases of one to three people with pauses between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from realtime.errors import UsageError
from train.gate_eval.phrases import at_level, is_clean, phrases_of
from train.gate_eval.pool import Pool

Array = NDArray[np.float32]

PEOPLE = (0.6, 0.3, 0.1)  # share of targets with one, two, three people
WORDS = 0.2  # share of the people who say single words
PAUSE_S = (0.25, 1.8)
WORK_DB = -26.0  # of every recording before it is mixed
PERSON_DB, PHRASE_DB = 4.0, 2.0  # people and phrases are so much louder or softer
FILES = 8  # read of one person at most


class Talkers:
    """Hands out people in random order, each once before anyone comes again.

    Args:
        pool: the recordings.
        read: name of a file to its samples, float32.
        rate: Hz.
        rng: of everything random.
    """

    def __init__(
        self, pool: Pool, read: Callable[[str], Array], rate: int, rng: np.random.Generator
    ) -> None:
        self._read, self._rate, self._rng = read, rate, rng
        self._speech = self._people(pool.talkers)
        self._words = self._people(pool.words)
        self._empty = (not pool.talkers, not pool.words)

    def target(self, samples: int) -> tuple[Array, list[str]]:
        """A target, float32 [samples], with silence between phrases, and who is heard in it."""
        rng = self._rng
        people = [self._next() for _ in range(1 + int(rng.choice(len(PEOPLE), p=PEOPLE)))]
        out, heard = np.zeros(samples, np.float32), list[str]()
        at = self._pause()
        while True:
            turn = int(rng.integers(len(people)))
            if not people[turn][1]:
                people[turn] = self._next()
            name, phrases, level_db = people[turn]
            phrase = phrases.pop()
            if at + len(phrase) > samples:
                if heard:
                    return out, heard
                phrase = phrase[: samples - at]
            loud = level_db + rng.uniform(-PHRASE_DB, PHRASE_DB)
            out[at : at + len(phrase)] = phrase * np.float32(10.0 ** (loud / 20.0))
            if name not in heard:
                heard.append(name)
            at += len(phrase) + self._pause()

    def _pause(self) -> int:
        return round(self._rng.uniform(*PAUSE_S) * self._rate)

    def _next(self) -> tuple[str, list[Array], float]:
        words = bool(self._rng.random() < WORDS)
        if self._empty[words]:
            words = not words
        name, phrases = next(self._words if words else self._speech)
        return name, phrases, WORK_DB + float(self._rng.uniform(-PERSON_DB, PERSON_DB))

    def _people(self, files: dict[str, list[str]]) -> Iterator[tuple[str, list[Array]]]:
        """People with their phrases, for ever; those without a usable one are passed over."""
        names = sorted(files)
        while True:
            usable = 0
            for i in self._rng.permutation(len(names)):
                phrases = self._phrases(files[names[int(i)]])
                if phrases:
                    usable += 1
                    yield names[int(i)], phrases
            if not usable:
                raise UsageError(
                    "no recording of speech is clean enough for mixtures",
                    "its pauses must be 25 dB under its speech",
                )

    def _phrases(self, files: list[str]) -> list[Array]:
        order = [files[int(i)] for i in self._rng.permutation(len(files))[:FILES]]
        clips = [clip for clip in map(self._read, order) if is_clean(clip, self._rate)]
        even = [at_level(clip, 0.0, self._rate) for clip in clips]
        found = [p for clip in even for p in phrases_of(clip, self._rate, self._rng)]
        return [found[int(i)] for i in self._rng.permutation(len(found))]
