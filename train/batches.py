"""Batches: which recordings make up a training step, cut, placed and mixed.

A step's batch depends on nothing but the recipe, its seed and the step's number, so an
interrupted run goes on exactly. Rows with one label (cross-entropy) get it where they are put
together; where there may be several, `train.heard` says in the end which can be heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from models.checkpoint import load_model
from realtime.errors import UsageError
from train import augment
from train.clips import crop, edge_of, place, room_of, stretched
from train.datasets.shard_bank import open_recordings
from train.draft import Draft
from train.hard import HOP_S, Hard
from train.heard import powers
from train.manifest import Row
from train.moments import Moments
from train.picks import Clips, Picks
from train.processes import rows_of
from train.recipe import Recipe
from train.torch_frontend import TorchFrontEnd
from train.truth import Truth

CLIP, TALK, SILENCE, FRAGMENT, HARD, EVENTS = range(6)  # kinds of rows
HUMAN = ("noise/human/", "crying_baby", "babble")  # noises that a listener may take for a voice
QUIET_DB = 25.0  # talk this far under its recording's level is a pause
EDGE = 0.2  # of a window: with one label, what gives it is no nearer to the ends
LONG = 1.5  # windows: of a longer clip a sounding part is taken, not the middle

Array = NDArray[np.float32]


class Batch(msgspec.Struct):
    """One step: features [batch, frames, width], targets [batch, labels]; float32."""

    features: Tensor
    targets: Tensor


class Batches:
    """Draws batches for one recipe."""

    def __init__(self, recipe: Recipe, rows: Sequence[Row]) -> None:
        self.recipe, self.rows = recipe, rows
        spec = recipe.features
        self.batch = rows_of(recipe.mix.batch, recipe.fit)
        self.samples = round(recipe.window_s * spec.rate)
        self.frontend = TorchFrontEnd(spec)
        self.banks, shard = open_recordings(recipe.data, rows, spec.rate, recipe.augment.speeds)
        self.moments = [Moments(bank) for bank in self.banks]
        self.usable = self.banks[0].length > 0
        self.truth = Truth(recipe, rows)
        if recipe.mix.events and not self.truth.several:
            raise UsageError("mix.events with one label for a window", 'use loss.kind = "bce"')
        self.pool = {role: self._pool(role) for role in ("talk", "noise", "room")}
        self.pool["clip"] = self.truth.clips("train", self.usable)
        self.clip_weight = self.truth.chances(self.pool["clip"], recipe.mix.balance)
        self.clips = Clips(self.pool["clip"], self.clip_weight, shard, recipe.fit.seed)
        self.wordless = np.concatenate([self.pool["talk"], self.pool["noise"]])
        self.hard = self._mined()
        self.human = np.array([any(h in r.file or h in r.label for h in HUMAN) for r in rows])
        labels = recipe.data.labels
        self.silence = np.array([name == "silence" for name in labels], np.float32)
        if not self.silence.any():
            self.silence = self.truth.either
        # long noises give more windows than short ones, but many kinds beat much of one kind
        long = np.sqrt(np.minimum(self.banks[0].length[self.pool["noise"]], 60 * spec.rate))
        self.noise_weight = long / long.sum()
        rooms = [self.banks[0].clip(i) for i in self.pool["room"]]
        self.responses = augment.responses(rooms, self.samples // 2)

    def draw(self, step: int) -> Batch:
        """The batch of a step."""
        seed = self.recipe.fit.seed * 1_000_003 + step
        rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        audio, targets = self._compose(rng, g, self.clips.of(step, self.batch))
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

    def windows(self, row: int, most: int) -> Tensor:
        """Features of a recording, for validation: [windows, frames, width].

        Args:
            row: which.
            most: windows over the recording, half a window apart or more; 1 is its middle.
        """
        clip, size = self.banks[0].clip(row), self.samples
        count = min(most, 1 + max(0, -(-(len(clip) - size) // (size // 2))))
        x = np.zeros((count, size), np.float32)
        ends = (len(clip) - size) / 2
        for out, move in zip(x, np.linspace(ends, -ends, count), strict=True):
            place(out, clip, round(move) if count > 1 else 0)
        with torch.no_grad():
            return self.frontend.finish(self.frontend(torch.from_numpy(x)))

    def _pool(self, role: str) -> NDArray[np.int64]:
        found = [i for i, r in enumerate(self.rows) if (r.role, r.split) == (role, "train")]
        return np.array([i for i in found if self.usable[i]], np.int64)

    def _compose(
        self, rng: np.random.Generator, g: Generator, picks: Picks
    ) -> tuple[Tensor, Tensor]:
        m, a, size = self.recipe.mix, self.recipe.augment, self.samples
        kinds = rng.choice(
            [CLIP, TALK, SILENCE, FRAGMENT, HARD, EVENTS], self.batch, p=self._shares()
        )
        draft = Draft(self.truth, self.batch, size, self.recipe.features.rate, picks)
        for i, kind in enumerate(kinds):
            speed = int(rng.integers(len(self.banks)))
            if kind in (CLIP, FRAGMENT):
                self._clip(draft, i, speed, kind == FRAGMENT, rng)
            elif kind == EVENTS:
                self._events(draft, i, rng)
            elif kind == TALK:
                self._talk(draft, i, speed, rng)
            elif kind == HARD:
                self._mistaken(draft, i, rng)
            else:
                row = rng.choice(self.pool["noise"], p=self.noise_weight)
                crop(draft.sounds[i], self.banks[speed].clip(row), rng)
                alone = self.truth.either if self.human[row] else self.silence
                draft.put(i, self.truth.rows[row] if self.truth.several else alone)
        noise, which = np.zeros_like(draft.sounds), []
        for out in noise if len(self.pool["noise"]) else ():
            row = rng.choice(self.pool["noise"], p=self.noise_weight)
            crop(out, self.banks[rng.integers(len(self.banks))].clip(row), rng)
            which.append(row)
        y = self._add_noise(draft, noise, which, g)
        level = augment.uniform(g, self.batch, a.level_db)
        quiet = augment.uniform(g, self.batch, (-75.0, a.level_db[1]))
        level = torch.where(torch.from_numpy(kinds == SILENCE), quiet, level)
        targets = draft.judged(y.numpy(), (level < a.level_db[0]).numpy(), m.audible_db)
        return self._level(y, level, g), torch.from_numpy(targets)

    def _clip(
        self, draft: Draft, i: int, speed: int, fragment: bool, rng: np.random.Generator
    ) -> None:
        a, bank = self.recipe.augment, self.banks[speed]
        shift = round(a.shift_s * self.recipe.features.rate)
        row = draft.picks.own(i, rng)
        if bank.length[row] > LONG * self.samples:
            self._moment(draft, i, speed, row, rng)
            return
        clip = stretched(bank.clip(row), rng.uniform(-a.stretch, a.stretch))
        least, most = -shift, shift
        if a.whole:
            room = room_of(clip, self.samples, self.recipe.features.rate)
            least, most = max(least, min(room[0], 0)), min(most, max(room[1], 0))
        move, target = int(rng.integers(least, most + 1)), self.truth.rows[row]
        cut = self._edge(clip, rng) if fragment else None
        if cut is not None and not np.array_equal(target, self.silence):
            move, target = cut, draft.unclear(target)
        place(draft.sounds[i], clip, move)
        draft.put(i, target)
        if rng.random() < a.neighbour:
            other_row = draft.picks.beside(rng)
            other = bank.clip(other_row)
            cut = self._edge(other, rng)
            if cut is not None:
                place(draft.beside[i], other, cut)
                if self.truth.several:
                    draft.put(i, draft.unclear(self.truth.rows[other_row]), draft.beside[i])

    def _moment(
        self, draft: Draft, i: int, speed: int, row: int, rng: np.random.Generator
    ) -> None:
        """A sounding part of a recording that is longer than the window."""
        sound, pieces = self._cut(speed, row, rng)
        draft.sounds[i] = sound
        draft.put(i, self.truth.rows[row], sound, pieces)

    def _events(self, draft: Draft, i: int, rng: np.random.Generator) -> None:
        """Several clips at once, each somewhere in the window."""
        m = self.recipe.mix
        for n in range(rng.integers(1, m.most + 1)):
            row = draft.picks.more(rng) if n else draft.picks.own(i, rng)
            sound, pieces = self._cut(int(rng.integers(len(self.banks))), row, rng)
            loud = np.sqrt(powers(sound, draft.heard.size).max(initial=1e-12))
            sound *= np.float32(10.0 ** (rng.uniform(*m.apart_db) / 20.0) / max(loud, 1e-6))
            draft.sounds[i] += 0.1 * sound
            draft.put(i, self.truth.rows[row], 0.1 * sound, pieces)

    def _talk(self, draft: Draft, i: int, speed: int, rng: np.random.Generator) -> None:
        row = rng.choice(self.pool["talk"])
        if self.truth.several:
            self._moment(draft, i, speed, row, rng)
            return
        clip = self.banks[speed].clip(row)
        crop(draft.sounds[i], clip, rng)
        loud, here = np.abs(clip).max(initial=1e-9), np.abs(draft.sounds[i]).max()
        quiet = 20 * np.log10(max(here, 1e-9) / loud) < -QUIET_DB
        known = (self.truth.rows[row] != 0.0).any() and not quiet
        draft.put(i, self.truth.rows[row] if known else self.truth.either)

    def _mistaken(self, draft: Draft, i: int, rng: np.random.Generator) -> None:
        """What is taken for a word, at the speed at which it was."""
        assert self.hard is not None
        number, at = self.hard.draw(rng)
        row = self.wordless[number]
        at += int(rng.integers(round(HOP_S * self.recipe.features.rate)))
        part = self.banks[0].clip(row)[at : at + self.samples]
        draft.sounds[i, : len(part)] = part
        draft.put(i, self.truth.either)

    def _mined(self) -> Hard | None:
        """Talk and noises as the weights that the run begins with hear them."""
        recipe = self.recipe
        if not recipe.mix.hard or not len(self.wordless):
            return None
        if not recipe.fit.init or self.truth.several:
            raise UsageError(
                "mix.hard has nothing that could say what is hard",
                "name a checkpoint in fit.init, and have one label for a window",
            )
        network, _ = load_model(Path(recipe.fit.init))
        background = np.array([n in recipe.data.background for n in recipe.data.labels])
        clips = [self.banks[0].clip(row) for row in self.wordless]
        return Hard(
            clips, self.samples, recipe.features.rate,
            lambda x: self.frontend.finish(self.frontend(x)), network, background,
        )  # fmt: skip

    def _cut(self, speed: int, row: int, rng: np.random.Generator) -> tuple[Array, int]:
        share = rng.uniform(-self.recipe.augment.stretch, self.recipe.augment.stretch)
        size = int(self.samples * (1.0 + share)) + 3
        edge = 0.0 if self.truth.several else EDGE
        sound, pieces = self.moments[speed].cut(row, size, rng, edge)
        return stretched(sound, share)[: self.samples], pieces

    def _add_noise(
        self, draft: Draft, noise: Array, which: Sequence[int], g: Generator
    ) -> Tensor:
        a, n = self.recipe.augment, len(noise)
        y = torch.from_numpy(draft.sounds)
        near = torch.from_numpy(draft.beside)
        near = augment.gain(near, augment.uniform(g, n, (-8.0, 4.0)))
        y = y + near
        if len(self.responses):
            wet = augment.chance(g, n, a.room).nonzero()[:, 0]
            choice = torch.randint(len(self.responses), (len(wet),), generator=g)
            y[wet] = augment.rooms(y[wet], self.responses[choice])
        ratio = augment.uniform(g, n, a.snr_db)
        mixed = augment.add_at_ratio(y, torch.from_numpy(noise), ratio)
        noisy = augment.chance(g, n, a.noise)
        if self.truth.several:
            for i in noisy.nonzero()[:, 0].tolist() if which else ():
                draft.heard.add(i, (mixed[i] - y[i]).numpy(), self.truth.rows[which[i]])
        return torch.where(noisy[:, None], mixed, y)

    def _level(self, y: Tensor, level: Tensor, g: Generator) -> Tensor:
        y = augment.gain(y, (level - augment.level_db(y)).clamp_max(60.0))
        hiss = torch.randn(y.shape, generator=g)
        hiss_db = augment.uniform(g, len(y), self.recipe.augment.hiss_db)
        faint = torch.minimum(hiss_db, augment.level_db(y) - 10.0)
        y = y + augment.gain(hiss, faint)
        return y.clamp(-1.0, 1.0)

    def _edge(self, clip: Array, rng: np.random.Generator) -> int | None:
        rate = self.recipe.features.rate
        return edge_of(clip, self.samples, rate, rng.uniform(0.0, 0.3), bool(rng.integers(2)))

    def _shares(self) -> list[float]:
        m = self.recipe.mix
        talk = m.talk if len(self.pool["talk"]) else 0.0
        hard = m.hard if len(self.wordless) else 0.0
        silence = m.silence if len(self.pool["noise"]) else 0.0
        clip = 1.0 - talk - silence - m.fragment - hard - m.events
        if clip < 0.0:
            raise UsageError("the shares of [mix] are over 1 together", "lower one")
        return [clip, talk, silence, m.fragment, hard, m.events]
