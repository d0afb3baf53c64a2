"""Features computed once and kept on disk, and batches of them.

For runs that change no waveform: a step then costs a crop. Files of features that somebody
else computed (`train.datasets.arrays`) are taken as they are. The cache is keyed by the front
end and by the files' names, sizes and dates; what cannot be read is listed and counted.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from realtime.errors import FormatError, UsageError
from realtime.features import FeatureSpec
from realtime.frontend import one_shot
from train import augment
from train.bank import cache_dir, read_mono
from train.batches import Batch
from train.datasets.arrays import read_array
from train.datasets.files import ARRAYS
from train.manifest import Row, whole_of
from train.processes import rows_of
from train.recipe import Recipe
from train.torch_frontend import TorchFrontEnd
from train.truth import Truth

Array = NDArray[np.float32]

log = logging.getLogger("rt.train.cached")


class FeatureBank:
    """Features of recordings, before `mean` and `std`.

    Attributes:
        frames: float32 [total, width], all recordings one after the other.
        start: int64 [recordings], first frame of each.
        length: int64 [recordings], frames of each; 0 where the file could not be read.
    """

    def __init__(self, frames: Array, length: NDArray[np.int64]) -> None:
        self.frames = frames
        self.length = length
        self.start = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)

    def clip(self, index: int) -> Array:
        """Frames of one recording, float32 [frames, width]."""
        at = self.start[index]
        return np.asarray(self.frames[at : at + self.length[index]], np.float32)

    def window(
        self, index: int, size: int, fill: float | None, rng: np.random.Generator | None = None
    ) -> Array:
        """So many frames of a recording, float32 [size, width].

        Args:
            index: which recording.
            size: frames.
            fill: value around a shorter recording; None repeats the recording.
            rng: places and cuts at random; None takes the middle.
        """
        clip = self.clip(index)
        if len(clip) < size and fill is None:
            clip = np.tile(clip, (-(-size // max(1, len(clip))), 1))
        spare = len(clip) - size
        at = abs(spare) // 2 if rng is None else int(rng.integers(abs(spare) + 1))
        if spare >= 0:
            return clip[at : at + size]
        out = np.full((size, clip.shape[1]), fill, np.float32)
        out[at : at + len(clip)] = clip
        return out


def open_features(root: Path, files: Sequence[str], spec: FeatureSpec) -> FeatureBank:
    """Compute the features of `files` below `root`, or take them from the cache.

    Raises:
        UsageError: not one file could be read, or the front end gives no features.
    """
    if spec.kind == "waveform":
        raise UsageError("data.cached with features.kind waveform", "samples are no features")
    plain = msgspec.structs.replace(spec, mean=0.0, std=1.0, window_mean=False)
    key = hashlib.sha256(plain.digest().encode())
    for name in files:
        path = root / whole_of(name)
        info = path.stat() if path.exists() else None
        key.update(f"{name} {(info.st_size, info.st_mtime_ns) if info else ()}\n".encode())
    base = cache_dir() / f"features-{key.hexdigest()[:16]}"
    data, index = base.with_suffix(".f32"), base.with_suffix(".npy")
    if not index.exists():
        _compute(root, files, plain, data, index)
    length = np.load(index)
    if not length.any():
        raise UsageError(
            f"{root}: none of the {len(files)} files could be read", "check the folder"
        )
    return FeatureBank(np.memmap(data, np.float32, "r").reshape(-1, spec.width), length)


def _compute(
    root: Path, files: Sequence[str], spec: FeatureSpec, data: Path, index: Path
) -> None:
    data.parent.mkdir(parents=True, exist_ok=True)
    part = data.with_suffix(f".{os.getpid()}.part")  # two runs may compute at once
    lengths, bad = np.zeros(len(files), np.int64), 0
    with (
        part.open("wb") as out,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        for i, name in enumerate(progress.track(files, description="features")):
            try:
                x = _features(root / name, spec)
            except (OSError, soundfile.SoundFileError, FormatError) as e:
                log.warning("left out: %s: %s", name, e)
                bad += 1
                continue
            lengths[i] = len(x)
            out.write(x.tobytes())
    if bad:
        log.warning("%d of %d files could not be read", bad, len(files))
    part.replace(data)
    np.save(index, lengths)


def _features(path: Path, spec: FeatureSpec) -> Array:
    if path.suffix.lower() not in ARRAYS:
        return np.asarray(one_shot(spec, read_mono(path, spec.rate)), np.float32)
    x = read_array(path)
    if x.shape[1] != spec.width:
        raise FormatError(
            f"{x.shape[1]} values in a frame, and {spec.width} by [features]", "make them equal"
        )
    return x


class CachedBatches:
    """Draws batches from cached features; takes the place of `train.batches.Batches`.

    Only labelled clips are used, and only what changes features: SpecAugment here, mixup in
    the loss.
    """

    def __init__(self, recipe: Recipe, rows: Sequence[Row]) -> None:
        asked = _needs_sound(recipe)
        if asked:
            raise UsageError(
                f"{', '.join(asked)} with data.cached: what is kept on disk is no sound",
                "set data.cached = false, or leave it out",
            )
        self.recipe, self.rows = recipe, rows
        spec = recipe.features
        self.batch = rows_of(recipe.mix.batch, recipe.fit)
        self.size = spec.frames_in(round(recipe.window_s * spec.rate))
        self.frontend = TorchFrontEnd(spec)
        self.bank = open_features(Path(recipe.data.root), [r.file for r in rows], spec)
        self.usable = self.bank.length > 0
        self.truth = Truth(recipe, rows)
        self.pool = {"clip": self.truth.clips("train", self.usable)}
        self.clip_weight = self.truth.chances(self.pool["clip"], recipe.mix.balance)
        # the features of silence
        self.fill = None if recipe.data.tile else float(self.bank.frames.min())

    def draw(self, step: int) -> Batch:
        """The batch of a step."""
        seed = self.recipe.fit.seed * 1_000_003 + step
        rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        chosen = rng.choice(self.pool["clip"], self.batch, p=self.clip_weight)
        features = self._windows(chosen.tolist(), rng)
        a = self.recipe.augment
        features = augment.masks(features, g, 1, a.time_masks, a.time_mask)
        features = augment.masks(features, g, 2, a.mel_masks, a.mel_mask)
        return Batch(features, torch.from_numpy(self.truth.rows[chosen]))

    def windows(self, row: int, most: int) -> Tensor:
        """As `Batches.windows`."""
        frames = int(self.bank.length[row])
        count = min(most, 1 + max(0, -(-(frames - self.size) // (self.size // 2))))
        if count == 1:
            return self._windows([row], None)
        clip = self.bank.clip(row)
        starts = np.linspace(0, frames - self.size, count).round().astype(int)
        x = np.stack([clip[at : at + self.size] for at in starts])
        return self.frontend.finish(torch.from_numpy(x))

    def _windows(self, rows: Sequence[int], rng: np.random.Generator | None) -> Tensor:
        x = [self.bank.window(i, self.size, self.fill, rng) for i in rows]
        return self.frontend.finish(torch.from_numpy(np.stack(x)))


def _needs_sound(recipe: Recipe) -> list[str]:
    """Names of the fields that ask for what cannot be done to features."""
    a, d = recipe.augment, recipe.data
    asked: dict[str, object] = {
        "augment.speeds": a.speeds != (1.0,), "augment.stretch": a.stretch,
        "augment.room": a.room, "augment.noise": a.noise, "augment.neighbour": a.neighbour,
        "augment.tilt_db": a.tilt_db, "mix.events": recipe.mix.events, "data.shards": d.shards,
    }  # fmt: skip
    return [name for name, value in asked.items() if value]
