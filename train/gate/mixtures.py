"""Mixtures for training a gate: the target in rooms, over other sounds, with ideal labels.

A step's batch depends on nothing but the recipe, its seed and the step's number, so an
interrupted run goes on exactly. Audio is put together in NumPy, row by row; rooms, levels and
features are computed for the whole batch in torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime.gate.ideal import gate_of_levels, hop_levels
from train import augment
from train.gate.backdrop import Backdrop
from train.gate.recipe import GateRecipe
from train.gate.sounds import Sounds
from train.gate.talk import Talk, whispered
from train.manifest import Row
from train.rooms import from_direct, plain_rooms
from train.torch_frontend import TorchFrontEnd

Audio = NDArray[np.float32]

MADE_ROOMS = 8  # responses invented for each batch, beside the recorded ones


class MixBatch(msgspec.Struct):
    """One step.

    Args:
        features: float32 [rows, frames, mels].
        gate: float32 [rows, frames + 1], the ideal gate at hop 0, 1, ...; frame k has heard
            everything up to hop k + 1.
        level: float32 [rows, frames + 1], amplitude of the mixture around each hop.
        kinds: float32 [rows, frames, kinds], which kinds of other sounds are heard.
    """

    features: Tensor
    gate: Tensor
    level: Tensor
    kinds: Tensor


class Mixtures:
    """Draws mixtures for one recipe from one split of a manifest.

    Args:
        recipe: what to make.
        rows: the manifest.
        split: "train", or "val" for judging while training.

    Raises:
        UsageError: the split has no targets or no other sounds.
    """

    def __init__(self, recipe: GateRecipe, rows: Sequence[Row], split: str = "train") -> None:
        self.recipe = recipe
        spec = recipe.features
        self.rate = spec.rate
        self.frames = round(recipe.mix.seconds * spec.rate / spec.hop)
        self.samples = self.frames * spec.hop
        self.frontend = TorchFrontEnd(spec)
        self.sounds = Sounds(recipe, rows, split)
        self.kinds = self.sounds.kinds
        self.talk = Talk(recipe.mix, self.sounds, rows)
        self.backdrop = Backdrop(recipe.mix, self.sounds, rows, spec.hop)
        self.rooms = self._recorded_rooms()

    def draw(self, step: int) -> MixBatch:
        """The batch of a step."""
        seed = self.recipe.fit.seed * 1_000_003 + step
        rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        mix, n = self.recipe.mix, self.recipe.mix.rows
        kinds = np.zeros((n, self.frames, len(self.kinds)), np.float32)
        target = np.zeros((n, self.samples), np.float32)
        first, second = np.zeros_like(target), np.zeros_like(target)
        for i in range(n):
            if rng.random() >= mix.empty:
                self.talk.say(target[i], rng)
            if rng.random() >= mix.alone:
                self.backdrop.play(first[i], kinds[i], rng)
                if rng.random() < mix.second:
                    self.backdrop.play(second[i], kinds[i], rng)
        heard = torch.from_numpy(self._heard(rng))
        sounds = [torch.from_numpy(x) for x in (target, first, second)]
        if mix.shape:  # or older recipes would draw other batches
            sounds = [augment.shaped(x, g, mix.shape) for x in sounds]
        clean = self._treat(sounds[0], rng, g) * heard
        gate = gate_of_levels(self._levels(clean))
        audio = self._mix(clean, sounds[1], sounds[2], g) * heard
        amplitude = 10.0 ** (torch.from_numpy(self._levels(audio)) / 20.0)
        return MixBatch(
            self._features(audio, g),
            torch.from_numpy(gate).float(),
            amplitude / amplitude.mean(1, keepdim=True).clamp_min(1e-9),
            torch.from_numpy(kinds),
        )

    def _treat(self, x: Tensor, rng: np.random.Generator, g: torch.Generator) -> Tensor:
        """Whispered, shouted, and in rooms."""
        mix, n = self.recipe.mix, len(x)
        low = augment.chance(g, n, mix.whisper).nonzero()[:, 0]
        if len(low):
            x[low] = whispered(x[low], g)
        loud = augment.chance(g, n, mix.drive).nonzero()[:, 0]
        if len(loud):
            drive = augment.uniform(g, len(loud), (2.0, 20.0))[:, None]
            x[loud] = torch.tanh(x[loud] * drive) / drive.sqrt()
        wet = augment.chance(g, n, mix.room).nonzero()[:, 0]
        if len(wet):
            made = torch.from_numpy(plain_rooms(MADE_ROOMS, self.rate, rng))
            every = torch.cat([self.rooms, made]) if len(self.rooms) else made
            which = torch.randint(len(every), (len(wet),), generator=g)
            x[wet] = augment.rooms(x[wet], every[which])
        return x

    def _mix(self, clean: Tensor, first: Tensor, second: Tensor, g: torch.Generator) -> Tensor:
        mix, n = self.recipe.mix, len(clean)
        silent = clean.abs().amax(1) < 1e-5
        spoken = torch.where(silent, torch.tensor(-26.0), augment.level_db(clean))
        snr = augment.uniform(g, n, mix.snr_db)
        y = clean + _at(first, spoken - snr)
        y = y + _at(second, spoken - snr + augment.uniform(g, n, (-12.0, 4.0)))
        level = augment.uniform(g, n, mix.level_db)
        y = augment.gain(y, (level - augment.level_db(y)).clamp(-80.0, 60.0))
        hiss = augment.gain(
            torch.randn(y.shape, generator=g),
            torch.minimum(augment.uniform(g, n, mix.hiss_db), level - 25.0),
        )
        # some inputs are digital silence between the sounds
        hiss = hiss * augment.chance(g, n, 0.9)[:, None]
        return (y + hiss).clamp(-1.0, 1.0)

    def _features(self, audio: Tensor, g: torch.Generator) -> Tensor:
        mix, spec = self.recipe.mix, self.recipe.features
        x = self.frontend(torch.nn.functional.pad(audio, (spec.frame - spec.hop, 0)))
        floor = float(np.log(spec.log_floor))
        x = augment.colour(x, g, mix.tilt_db, floor)
        n, bands = len(x), torch.arange(spec.mels)
        top = augment.uniform(g, n, (0.55 * spec.mels, spec.mels))[:, None]
        low = augment.uniform(g, n, (0.0, 0.15 * spec.mels))[:, None]
        cut = augment.chance(g, n, mix.band)[:, None] & (bands > top)
        cut |= augment.chance(g, n, mix.band)[:, None] & (bands < low)
        x = torch.where(cut[:, None], torch.full_like(x, floor), x)
        return self.frontend.finish(x)

    def _heard(self, rng: np.random.Generator) -> Audio:
        """1 where the input is not muted; most often it is muted at its beginning."""
        n = self.recipe.mix.rows
        heard = np.ones((n, self.samples), np.float32)
        if self.recipe.mix.mute:
            for i in np.flatnonzero(rng.random(n) < self.recipe.mix.mute):
                heard[i, self._muted(rng)] = 0.0
        return heard

    def _muted(self, rng: np.random.Generator) -> slice:
        begin = 0 if rng.random() < 0.7 else int(rng.integers(self.samples))
        longest = np.log(0.5 * self.samples / self.rate)
        return slice(begin, begin + int(np.exp(rng.uniform(np.log(0.02), longest)) * self.rate))

    def _levels(self, audio: Tensor) -> NDArray[np.float32]:
        """Levels around hop 0 to `frames`, float32 [rows, frames + 1]."""
        padded = np.pad(audio.numpy(), ((0, 0), (0, self.recipe.features.hop)))
        return hop_levels(padded, self.rate)

    def _recorded_rooms(self) -> Tensor:
        """Responses of the split, float32 [rooms, taps]."""
        taps = self.rate // 2
        found = self.sounds.pool["room"]
        out = np.zeros((len(found), taps), np.float32)
        for row, i in zip(out, found, strict=True):
            h = from_direct(self.sounds.bank.clip(i), taps)
            row[: len(h)] = h
        return torch.from_numpy(out)


def _at(x: Tensor, level: Tensor) -> Tensor:
    """Rows brought to a level; empty rows stay empty."""
    now = augment.level_db(x)
    return torch.where((now > -100.0)[:, None], augment.gain(x, level - now), x)
