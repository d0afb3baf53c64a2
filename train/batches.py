"""Batches: which recordings make up a training step, cut, placed and mixed.

A step's batch depends on nothing but the recipe, its seed and the step's number, so an
interrupted run goes on exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from train import augment
from train.bank import open_bank
from train.clips import crop, edge_of, place, stretched
from train.manifest import Row, pick
from train.recipe import Recipe
from train.torch_frontend import TorchFrontEnd

CLIP, TALK, SILENCE, FRAGMENT = range(4)  # kinds of rows
EITHER = -1  # target of rows that may be called unknown or silence, but no word
HUMAN = ("noise/human/", "crying_baby", "babble")  # noises that a listener may take for a voice
QUIET_DB = 25.0  # talk this far under its recording's level is a pause


class Batch(msgspec.Struct):
    """One step: features float32 [batch, frames, width], targets int64 [batch] (or EITHER)."""

    features: Tensor
    targets: Tensor


class Batches:
    """Draws batches for one recipe."""

    def __init__(self, recipe: Recipe, rows: Sequence[Row]) -> None:
        self.recipe = recipe
        spec = recipe.features
        self.samples = round(recipe.window_s * spec.rate)
        self.frontend = TorchFrontEnd(spec)
        root, names = Path(recipe.data.root), [r.file for r in rows]
        self.banks = [open_bank(root, names, spec.rate, s) for s in recipe.augment.speeds]
        self.rows = rows
        index = {r.file: i for i, r in enumerate(rows)}
        usable = self.banks[0].length > 0
        self.pool = {
            role: np.array(
                [index[r.file] for r in pick(rows, "train", role) if usable[index[r.file]]], int
            )
            for role in ("clip", "talk", "noise", "room")
        }
        labels = list(recipe.data.labels)
        self.target = np.array(
            [labels.index(r.label) if r.label in labels else EITHER for r in rows]
        )
        self.human = np.array([any(h in r.file or h in r.label for h in HUMAN) for r in rows])
        self.silence = labels.index("silence") if "silence" in labels else EITHER
        clips = self.target[self.pool["clip"]]
        count = np.bincount(clips, minlength=len(labels)).astype(float)
        weight = count[clips] ** -recipe.mix.balance
        self.clip_weight = weight / weight.sum()
        # long noises give more windows than short ones, but many kinds beat much of one kind
        long = np.sqrt(np.minimum(self.banks[0].length[self.pool["noise"]], 60 * spec.rate))
        self.noise_weight = long / long.sum()
        self.responses = self._responses()

    def draw(self, step: int) -> Batch:
        """The batch of a step."""
        seed = self.recipe.fit.seed * 1_000_003 + step
        rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        audio, targets = self._compose(rng, g)
        features = self.frontend(audio)
        a = self.recipe.augment
        if a.tilt_db and self.recipe.features.log.startswith("ln"):
            features = augment.colour(
                features, g, a.tilt_db, float(np.log(self.recipe.features.log_floor))
            )
        features = self.frontend.finish(features)
        features = augment.masks(features, g, 1, a.time_masks, a.time_mask)
        features = augment.masks(features, g, 2, a.mel_masks, a.mel_mask)
        return Batch(features, targets)

    def whole(self, rows: Sequence[int]) -> Tensor:
        """Features of recordings as they are, centred in a window: for validation."""
        x = np.zeros((len(rows), self.samples), np.float32)
        for out, i in zip(x, rows, strict=True):
            place(out, self.banks[0].clip(i), 0)
        with torch.no_grad():
            return self.frontend.finish(self.frontend(torch.from_numpy(x)))

    def _compose(self, rng: np.random.Generator, g: Generator) -> tuple[Tensor, Tensor]:
        r, a, size = self.recipe, self.recipe.augment, self.samples
        n = r.mix.batch
        kinds = rng.choice([CLIP, TALK, SILENCE, FRAGMENT], n, p=self._shares())
        x, beside = np.zeros((n, size), np.float32), np.zeros((n, size), np.float32)
        targets = np.zeros(n, np.int64)
        shift = round(a.shift_s * r.features.rate)
        for i, kind in enumerate(kinds):
            bank = self.banks[rng.integers(len(self.banks))]
            if kind in (CLIP, FRAGMENT):
                row = rng.choice(self.pool["clip"], p=self.clip_weight)
                clip = stretched(bank.clip(row), rng.uniform(-a.stretch, a.stretch))
                move = int(rng.integers(-shift, shift + 1))
                targets[i] = self.target[row]
                cut = self._edge(clip, rng) if kind == FRAGMENT else None
                if cut is not None and targets[i] != self.silence:
                    move, targets[i] = cut, EITHER
                place(x[i], clip, move)
                if rng.random() < a.neighbour:
                    other = bank.clip(rng.choice(self.pool["clip"]))
                    cut = self._edge(other, rng)
                    if cut is not None:
                        place(beside[i], other, cut)
            elif kind == TALK:
                row = rng.choice(self.pool["talk"])
                clip = bank.clip(row)
                crop(x[i], clip, rng)
                loud, here = np.abs(clip).max(initial=1e-9), np.abs(x[i]).max()
                quiet = 20 * np.log10(max(here, 1e-9) / loud) < -QUIET_DB
                targets[i] = EITHER if quiet else self.target[row]
            else:
                row = rng.choice(self.pool["noise"], p=self.noise_weight)
                crop(x[i], bank.clip(row), rng)
                targets[i] = EITHER if self.human[row] else self.silence
        noise = np.zeros_like(x)
        for out in noise if len(self.pool["noise"]) else ():
            row = rng.choice(self.pool["noise"], p=self.noise_weight)
            crop(out, self.banks[rng.integers(len(self.banks))].clip(row), rng)
        return self._mix(x, beside, noise, kinds == SILENCE, g), torch.from_numpy(targets)

    def _mix(
        self, x: NDArray[np.float32], beside: NDArray[np.float32], noise: NDArray[np.float32],
        silent: NDArray[np.bool_], g: Generator,
    ) -> Tensor:  # fmt: skip
        a, n = self.recipe.augment, len(x)
        y = torch.from_numpy(x)
        near = torch.from_numpy(beside)
        near = augment.gain(near, augment.uniform(g, n, (-8.0, 4.0)))
        y = y + near
        if len(self.responses):
            wet = augment.chance(g, n, a.room).nonzero()[:, 0]
            which = torch.randint(len(self.responses), (len(wet),), generator=g)
            y[wet] = augment.rooms(y[wet], self.responses[which])
        ratio = augment.uniform(g, n, a.snr_db)
        mixed = augment.add_at_ratio(y, torch.from_numpy(noise), ratio)
        y = torch.where(augment.chance(g, n, a.noise)[:, None], mixed, y)
        level = augment.uniform(g, n, a.level_db)
        quiet = augment.uniform(g, n, (-75.0, a.level_db[1]))
        level = torch.where(torch.from_numpy(silent), quiet, level)
        y = augment.gain(y, (level - augment.level_db(y)).clamp_max(60.0))
        hiss = torch.randn(y.shape, generator=g)
        faint = torch.minimum(augment.uniform(g, n, a.hiss_db), augment.level_db(y) - 10.0)
        y = y + augment.gain(hiss, faint)
        return y.clamp(-1.0, 1.0)

    def _edge(self, clip: NDArray[np.float32], rng: np.random.Generator) -> int | None:
        rate = self.recipe.features.rate
        return edge_of(clip, self.samples, rate, rng.uniform(0.0, 0.3), bool(rng.integers(2)))

    def _shares(self) -> list[float]:
        m = self.recipe.mix
        talk = m.talk if len(self.pool["talk"]) else 0.0
        silence = m.silence if len(self.pool["noise"]) else 0.0
        return [1.0 - talk - silence - m.fragment, talk, silence, m.fragment]

    def _responses(self) -> Tensor:
        taps = self.samples // 2
        out = np.zeros((len(self.pool["room"]), taps), np.float32)
        for row, i in zip(out, self.pool["room"], strict=True):
            h = self.banks[0].clip(i)
            h = h[int(np.abs(h).argmax()) :][:taps]
            row[: len(h)] = h / np.sqrt(np.square(h).sum() + 1e-12)
        return torch.from_numpy(out)
