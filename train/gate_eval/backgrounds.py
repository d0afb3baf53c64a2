"""Backgrounds: everything that is no speech, of a given length and kind.

"continuous" (rain, engines, streets, coloured noise), "intermittent" (keys, doors, steps, now
and then), "music" (pieces, instruments, beats from one-shots), "human+animal" (laughing,
coughing, crying, crowds, dogs), and for sounds that are alone "keyboard" and "fan".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from train.clips import active_span
from train.gate_eval.phrases import at_level, faded
from train.gate_eval.pool import Pool, Sound

Array = NDArray[np.float32]
Read = Callable[[str], Array]
Made = tuple[Array, list[str]]

WORK_DB = -26.0  # level of every piece before it is mixed
FADE_S = 0.05  # between repetitions
COLOURED = 0.2  # share of continuous noises that are made here
SLOPES = {"white": 0.0, "pink": -0.5, "brown": -1.0}  # of amplitude over frequency
SECOND = 0.3  # share of continuous noises that are two
EVENT_S = 3.0  # longest single event
PAUSE_S = {"intermittent": (0.05, 1.2), "human+animal": (0.1, 1.2), "keyboard": (0.0, 0.6)}
BPM = (80.0, 150.0)
PATTERNS = {  # chance of a hit on each of sixteen steps
    "kick": (1, 0, 0.1, 0.1, 0.2, 0, 0.3, 0.1, 0.9, 0, 0.2, 0.1, 0.1, 0, 0.3, 0.1),
    "snare": (0, 0, 0, 0.1, 1, 0, 0, 0.1, 0, 0.1, 0, 0, 1, 0, 0.1, 0.2),
    "hihat": (1, 0.3, 1, 0.3, 1, 0.3, 1, 0.3, 1, 0.3, 1, 0.3, 1, 0.3, 1, 0.4),
    "tom": (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.1, 0.2, 0.2),
    "cymbal": (0.2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
}


class Backgrounds:
    """Makes backgrounds from a pool.

    Args:
        pool: the recordings.
        read: name of a file to its samples, float32.
        rate: Hz.
    """

    def __init__(self, pool: Pool, read: Read, rate: int) -> None:
        self._pool, self._read, self._rate = pool, read, rate
        kits: dict[str, list[Sound]] = defaultdict(list)
        for one in pool.sounds.get("drums", []):
            kits[one.group].append(one)
        enough = {g: s for g, s in kits.items() if len({_drum(x) for x in s}) >= 2}
        self._kits = [enough[name] for name in sorted(enough)]

    def make(self, kind: str, samples: int, rng: np.random.Generator) -> Made:
        """A background, float32 [samples], and the names of its sources."""
        if kind in ("continuous", "fan"):
            return self._continuous(kind, samples, rng)
        if kind == "music":
            return self._music(samples, rng)
        return self._events(kind, samples, rng)

    def _sound(self, kind: str, rng: np.random.Generator) -> tuple[Array, str]:
        """The sounding part of a recording, picked by category first: no kind outweighs all."""
        by: dict[str, list[Sound]] = defaultdict(list)
        for one in self._pool.sounds[kind]:
            by[one.category].append(one)
        names = sorted(by)
        choice = by[names[int(rng.integers(len(names)))]]
        file = choice[int(rng.integers(len(choice)))].file
        clip = self._read(file)
        if not clip.any():
            return np.full(self._rate // 10, 1e-4, np.float32), file
        first, last = active_span(clip, self._rate)
        return at_level(clip[first:last], WORK_DB, self._rate), file

    def _continuous(self, kind: str, samples: int, rng: np.random.Generator) -> Made:
        if rng.random() < COLOURED or not self._pool.sounds.get(kind):
            return (fan if kind == "fan" else coloured)(samples, self._rate, rng)
        clip, file = self._sound(kind, rng)
        out, files = tiled(clip, samples, self._rate, rng), [file]
        if kind == "continuous" and rng.random() < SECOND:
            clip, file = self._sound(kind, rng)
            gain = np.float32(10.0 ** (rng.uniform(-10.0, 0.0) / 20.0))
            out += gain * tiled(clip, samples, self._rate, rng)
            files.append(file)
        return out, files

    def _events(self, kind: str, samples: int, rng: np.random.Generator) -> Made:
        clips = [self._sound(kind, rng) for _ in range(int(rng.integers(1, 4)))]
        out = np.zeros(samples, np.float32)
        at = round(rng.uniform(*PAUSE_S[kind]) * self._rate)
        while at < samples:
            clip, _ = clips[int(rng.integers(len(clips)))]
            spare = len(clip) - round(EVENT_S * self._rate)
            if spare > 0:
                begin = int(rng.integers(spare))
                clip = faded(clip[begin : len(clip) - spare + begin], self._rate // 100)
            gain = np.float32(10.0 ** (rng.uniform(-4.0, 4.0) / 20.0))
            size = min(len(clip), samples - at)
            out[at : at + size] += gain * clip[:size]
            at += size + round(rng.uniform(*PAUSE_S[kind]) * self._rate)
        return out, sorted({file for _, file in clips})

    def _music(self, samples: int, rng: np.random.Generator) -> Made:
        out, files = np.zeros(samples, np.float32), list[str]()
        pieces = bool(self._pool.sounds.get("music"))
        if pieces:
            clip, file = self._sound("music", rng)
            out += tiled(clip, samples, self._rate, rng)
            files.append(file)
        if self._kits and (not pieces or rng.random() < 0.5):
            kit = self._kits[int(rng.integers(len(self._kits)))]
            beat, hits = self._beat(kit, samples, rng)
            gain = np.float32(10.0 ** (rng.uniform(-8.0, 4.0) / 20.0))
            out += gain * at_level(beat, WORK_DB, self._rate)
            files += hits
        return out, files

    def _beat(self, kit: Sequence[Sound], samples: int, rng: np.random.Generator) -> Made:
        step = 15.0 / rng.uniform(*BPM) * self._rate  # a sixteenth
        out, files = np.zeros(samples, np.float32), list[str]()
        for drum, chances in PATTERNS.items():
            mine = [one.file for one in kit if _drum(one) == drum]
            if not mine:
                continue
            file = mine[int(rng.integers(len(mine)))]
            clip = at_level(self._read(file), WORK_DB, self._rate)
            files.append(file)
            for i in range(int(samples / step)):
                if rng.random() < chances[i % 16]:
                    at, gain = round(i * step), np.float32(rng.uniform(0.5, 1.0))
                    size = min(len(clip), samples - at)
                    out[at : at + size] += gain * clip[:size]
        if not out.any():
            out[:: max(1, round(4 * step))] = 0.1
        return out, files


def tiled(clip: Array, samples: int, rate: int, rng: np.random.Generator) -> Array:
    """A clip repeated with cross-fades, from a random place on."""
    fade = min(round(FADE_S * rate), len(clip) // 4)
    body = faded(clip, fade)
    begin = int(rng.integers(max(1, len(clip) - fade)))
    out = np.zeros(samples + begin, np.float32)
    for at in range(0, len(out), len(clip) - fade):
        size = min(len(body), len(out) - at)
        out[at : at + size] += body[:size]
    return out[begin:]


def coloured(samples: int, rate: int, rng: np.random.Generator) -> Made:
    """Noise of a colour whose level wanders a little."""
    name = list(SLOPES)[int(rng.integers(len(SLOPES)))]
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / rate)
    spectrum *= np.maximum(hz, 40.0) ** SLOPES[name]
    x = np.fft.irfft(spectrum, samples)
    marks = np.arange(0, samples + rate, rate)
    wander = np.interp(np.arange(samples), marks, rng.uniform(-2.0, 2.0, len(marks)))
    sound = (x * 10.0 ** (wander / 20.0)).astype(np.float32)
    return at_level(sound, WORK_DB, rate), [f"{name} noise"]


def fan(samples: int, rate: int, rng: np.random.Generator) -> Made:
    """A fan: pink noise, a hum and what its blades do to both."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / rate)
    x = np.fft.irfft(spectrum * np.maximum(hz, 60.0) ** -rng.uniform(0.4, 0.9), samples)
    x /= np.sqrt(np.square(x).mean())
    t, blades = np.arange(samples) / rate, rng.uniform(40.0, 160.0)
    for harmonic in range(1, 6):
        phase = rng.uniform(0.0, 2 * np.pi)
        x += (
            rng.uniform(0.1, 0.5) / harmonic * np.sin(2 * np.pi * harmonic * blades * t + phase)
        )
    x *= 1.0 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.3, 2.0) * t)
    return at_level(x.astype(np.float32), WORK_DB, rate), ["made fan"]


def _drum(sound: Sound) -> str:
    """The drum of a one-shot: "kick" of drums/kick/soft.flac."""
    return sound.file.split("/")[1]
