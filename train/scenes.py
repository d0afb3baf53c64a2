"""Scenes: long recordings with a truth, mixed from a manifest, to judge a model as a stream.

A scene is what a device in a room hears: a bed of noise that changes (household sounds,
music, machines, rooms), and on it target words, other words, running talk and single sounds,
each with pauses. Speech is placed at a ratio to the bed from `snr_db`, and every so often
heard through a room. The truth lists the target words
only: everything else must give no event.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from realtime.errors import OutputError
from realtime.outputs.audio import Kind, container_of
from realtime.outputs.replace import Replacement
from realtime.places import native
from train.bank import Bank, open_bank
from train.clips import FRAME_S, active_span
from train.manifest import Row

Array = NDArray[np.float32]

BED_DB = (-48.0, -30.0)  # level of the noise bed, dBFS


class Truth(msgspec.Struct, frozen=True):
    """A target word: seconds from its first to its last audible sample."""

    start_s: float
    end_s: float
    label: str


def make_scene(
    rows: Sequence[Row], root: Path, labels: Sequence[str], seconds: float, seed: int,
    snr_db: tuple[float, float] = (8.0, 20.0), rate: int = 16_000,
) -> tuple[Array, list[Truth]]:  # fmt: skip
    """Mix a scene.

    Args:
        rows: the recordings of one split.
        root: their folder.
        labels: the target labels; clips of other labels are distractors.
        seconds: length.
        seed: of everything random.
        snr_db: level of speech over the bed.
        rate: Hz.

    Returns:
        float32 [samples], and the target words in order.
    """
    rng = np.random.default_rng(seed)
    bank = open_bank(root, [r.file for r in rows], rate)
    usable = bank.length > rate // 20
    by = {
        "word": [
            i
            for i, r in enumerate(rows)
            if usable[i] and r.role == "clip" and r.label in labels
        ],
        "other": [
            i
            for i, r in enumerate(rows)
            if usable[i] and r.role == "clip" and r.label == "unknown"
        ],
        "talk": [i for i, r in enumerate(rows) if usable[i] and r.role == "talk"],
        "sound": [i for i, r in enumerate(rows) if usable[i] and r.role == "noise"],
        "room": [i for i, r in enumerate(rows) if usable[i] and r.role == "room"],
    }
    kinds = [k for k in ("word", "other", "talk", "sound") if by[k]]
    chances = np.array(
        [{"word": 0.34, "other": 0.22, "talk": 0.26, "sound": 0.18}[k] for k in kinds]
    )
    out, bed_level = _bed(bank, by["sound"], round(seconds * rate), rate, rng)
    order = {k: _shuffled(by[k], rng) for k in kinds}
    truth: list[Truth] = []
    at = rate
    while True:
        kind = kinds[int(rng.choice(len(kinds), p=chances / chances.sum()))]
        clip = bank.clip(next(order[kind]))
        clip = clip[: 8 * rate]
        if at + len(clip) + rate > len(out):
            return out, truth
        first, last = active_span(clip, rate)
        if by["room"] and rng.random() < 0.3:
            clip = _in_room(clip, bank.clip(int(rng.choice(by["room"]))))
        here = float(bed_level[(at + len(clip) // 2) // rate])
        ratio = rng.uniform(*snr_db) if kind != "sound" else rng.uniform(0.0, snr_db[1])
        gain = 10.0 ** ((here + ratio - loud_db(clip, rate)) / 20.0)
        out[at : at + len(clip)] += clip * np.float32(
            min(gain, 0.9 / (np.abs(clip).max() + 1e-9))
        )
        if kind == "word":
            label = rows[_index(order, kind)].label
            truth.append(
                Truth(round((at + first) / rate, 3), round((at + last) / rate, 3), label)
            )
        at += len(clip) + round(rng.uniform(0.3, 4.0) * rate)


class _Endless:
    """Walks through a list in random order, again and again; remembers what it gave last."""

    def __init__(self, items: list[int], rng: np.random.Generator) -> None:
        self.items, self.rng, self.left, self.last = items, rng, list[int](), -1

    def __next__(self) -> int:
        if not self.left:
            self.left = [int(i) for i in self.rng.permutation(self.items)]
        self.last = self.left.pop()
        return self.last


def _shuffled(items: list[int], rng: np.random.Generator) -> _Endless:
    return _Endless(items, rng)


def _index(order: dict[str, _Endless], kind: str) -> int:
    return order[kind].last


def _bed(
    bank: Bank, sounds: list[int], samples: int, rate: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """A changing noise bed and its level in each second, dBFS."""
    out = (rng.standard_normal(samples) * 10.0 ** (-75 / 20)).astype(np.float32)
    levels = np.full(samples // rate + 2, -70.0, np.float32)
    long = [i for i in sounds if bank.length[i] > 3 * rate]
    at = 0
    while long and at < samples:
        size = min(samples - at, round(rng.uniform(10.0, 40.0) * rate))
        clip = bank.clip(int(rng.choice(long)))
        piece = np.tile(clip, -(-size // len(clip)))[:size]
        level = rng.uniform(*BED_DB)
        piece = piece * np.float32(10.0 ** ((level - loud_db(piece, rate)) / 20.0))
        fade = min(rate // 2, size // 2)
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        piece[:fade] *= ramp
        piece[-fade:] *= ramp[::-1]
        out[at : at + size] += piece
        levels[at // rate : (at + size) // rate + 1] = level
        at += size
    return out, levels


def loud_db(x: Array, rate: int) -> float:
    """Level of the loudest 40 % of 20-ms frames, dBFS."""
    size = round(FRAME_S * rate)
    frames = np.square(x[: len(x) // size * size]).reshape(-1, size).mean(1)
    top = np.sort(frames)[-max(1, round(0.4 * len(frames))) :]
    return float(10.0 * np.log10(max(float(top.mean()), 1e-12)))


def _in_room(clip: Array, response: Array) -> Array:
    h = response[int(np.abs(response).argmax()) :]
    size = 1 << int(len(clip) + len(h)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(clip, size) * np.fft.rfft(h, size), size)[
        : len(clip) + len(h) // 4
    ]
    return np.asarray(wet, np.float32)


def write_scene(audio: Array, truth: Sequence[Truth], path: Path, rate: int = 16_000) -> Path:
    """Write a scene as audio and `<stem>.csv`, both whole or not at all; the truth's path.

    Raises:
        UsageError: a suffix that names no kind of file.
        OutputError: they cannot be written.
    """
    container, subtype = container_of(str(path), Kind(rate, 1, "WAV", "PCM_16"))
    table = path.with_suffix(".csv")
    made: list[Replacement] = []
    try:
        made += [Replacement(path), Replacement(table)]
        sound = native(made[0].temporary)
        soundfile.write(sound, np.clip(audio, -1.0, 1.0), rate, subtype, format=container)
        with made[1].temporary.open("w", newline="", encoding="utf-8") as f:
            writer = csv.writer(f)
            writer.writerow(Truth.__struct_fields__)
            writer.writerows([t.start_s, t.end_s, t.label] for t in truth)
    except (OSError, soundfile.SoundFileError) as e:
        for one in made:
            one.discard()
        raise OutputError(f"{path} cannot be written: {e}", "is the disk full?") from e
    except OutputError:
        for one in made:
            one.discard()
        raise
    for one in made:
        one.commit()
    return table
