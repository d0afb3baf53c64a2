"""Clips in noise: a figure for each kind of noise at each ratio of sound to noise.

The ratio is the power of the clip where it sounds (`train.clips.active_span`) over the power
of the noise. At every ratio a clip lies in the same piece of the same noise, so that columns
can be compared. A clip of digital silence stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from realtime.errors import AudioError, UsageError
from realtime.runners import Runner
from train.bank import read_mono
from train.clip_scores import Array, ClipScores, Over, score_clips
from train.clips import active_span
from train.datasets.files import sounds_in
from train.judge_tag import figures
from train.manifest import Row


class Noises:
    """Recordings of noise by kind, read when they are needed.

    Args:
        folder: a folder for each kind, or files of one kind.

    Attributes:
        kinds: files of each kind.
        unreadable: a line for each file that was left out.

    Raises:
        UsageError: no sound in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.kinds: dict[str, list[Path]] = {}
        self.unreadable: list[str] = []
        self._read: dict[tuple[Path, int], Array] = {}
        for path in sounds_in(folder):
            parts = path.relative_to(folder).parts
            kind = parts[0] if len(parts) > 1 else folder.resolve().name
            self.kinds.setdefault(kind, []).append(path)
        if not self.kinds:
            raise UsageError(f"{folder}: no sound in it", "give a folder of noises")

    def piece(self, kind: str, number: int, size: int, rate: int, seed: int) -> Array:
        """A piece of noise that depends on these alone, float32 [size] at `rate`.

        Raises:
            AudioError: no file of the kind can be read.
        """
        rng = np.random.default_rng([seed, number, sorted(self.kinds).index(kind)])
        for path in rng.permutation(np.array(self.kinds[kind], dtype=object)):
            sound = self._sound(path, rate)
            if not sound.any():
                continue
            whole = np.tile(sound, -(-size // len(sound))) if len(sound) < size else sound
            at = int(rng.integers(len(whole) - size + 1))
            if whole[at : at + size].any():
                return whole[at : at + size]
        raise AudioError(f"{kind}: no noise that can be read", "check the folder of noises")

    def _sound(self, path: Path, rate: int) -> Array:
        if (path, rate) not in self._read:
            try:
                self._read[path, rate] = read_mono(path, rate)
            except (OSError, soundfile.SoundFileError) as e:
                self.unreadable.append(f"{path}: {e}")
                self._read[path, rate] = np.zeros(0, np.float32)
        return self._read[path, rate]


def in_noise(clip: Array, noise: Array, snr_db: float, rate: int) -> Array:
    """A clip with noise of the same length at a ratio; not clipped."""
    first, last = active_span(clip, rate)
    sound = float(np.square(clip[first:last], dtype=np.float64).mean())
    power = float(np.square(noise, dtype=np.float64).mean())
    if sound <= 0.0 or power <= 0.0:
        return clip
    gain = np.sqrt(sound / power) * 10.0 ** (-snr_db / 20.0)
    mixed: Array = clip + np.float32(gain) * noise
    return mixed


def judge_in_noise(
    scorer: Runner, rows: Sequence[Row], root: Path, noises: Noises,
    ratios: Sequence[float], over: Over = "mean", seed: int = 1, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A model's figure without noise, and for each kind of noise at each ratio.

    Args:
        scorer: the model.
        rows: labelled clips.
        root: folder of their files.
        noises: what is added.
        ratios: of sound to noise, dB.
        over: how long clips are scored.
        seed: of the pieces of noise.
        quiet: no progress bar.

    Returns:
        Plain data: see docs/metrics.md.
    """
    clean = score_clips([scorer], rows, root, over, quiet)[0]
    name = headline(clean)[0]
    table: dict[str, dict[str, float]] = {}
    for kind in sorted(noises.kinds):
        table[kind] = {}
        for ratio in ratios:

            def disturb(
                clip: Array, number: int, rate: int, k: str = kind, r: float = ratio
            ) -> Array:
                return in_noise(clip, noises.piece(k, number, len(clip), rate, seed), r, rate)

            heard = score_clips([scorer], rows, root, over, quiet, disturb)[0]
            table[kind][f"{ratio:g}"] = headline(heard)[1]
    return {
        "model": clean.model,
        "n": len(clean.truth),
        "figure": name,
        "clean": headline(clean)[1],
        "by_snr": {
            f"{r:g}": float(np.mean([row[f"{r:g}"] for row in table.values()])) for r in ratios
        },
        "by_kind": table,
        "noises": {kind: len(files) for kind, files in sorted(noises.kinds.items())},
        "windows": over,
        "unreadable": [*clean.unreadable, *noises.unreadable],
    }


def headline(heard: ClipScores) -> tuple[str, float]:
    """The one figure of clips: accuracy where each has one label, else mAP."""
    name = "accuracy" if heard.exclusive else "mAP"
    return name, float(figures(heard)[name])
