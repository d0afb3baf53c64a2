"""Mixtures for training a gate: the target in rooms, over other sounds, with ideal labels.

A step's batch depends on nothing but the recipe, its seed and the step's number, so an
interrupted run goes on exactly. Audio is put together in NumPy, row by row; rooms, levels and
features are computed for the whole batch in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime.errors import UsageError
from realtime.gate.ideal import gate_of_levels, hop_levels
from train import augment
from train.bank import Bank, open_bank
from train.clips import active_span
from train.gate.recipe import GateRecipe
from train.manifest import Row, pick
from train.torch_frontend import TorchFrontEnd

Audio = NDArray[np.float32]

FADE_S = 0.004  # a cut phrase fades in and out, or its edges would click
KINDS_HOLD_DB = 30.0  # a kind counts as heard this far under its loudest
# what a background is made of, and how often
CONTINUOUS, SCATTERED, PATTERN, COLOURED = range(4)
BACKGROUNDS = (0.45, 0.33, 0.1, 0.12)
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
        root, names = Path(recipe.data.root), [r.file for r in rows]
        self.banks = [open_bank(root, names, spec.rate, s) for s in recipe.mix.speeds]
        self.bank = self.banks[0]
        index = {r.file: i for i, r in enumerate(rows)}
        self.pool = {
            role: np.array([index[r.file] for r in pick(rows, split, role)], int)
            for role in ("target", "other", "room")
        }
        for role in ("target", "other"):
            self.pool[role] = self.pool[role][self.bank.length[self.pool[role]] > 400]
            if not len(self.pool[role]):
                raise UsageError(f"the manifest has no {role} in split {split}", "add some")
        self.kinds = sorted({r.label for r in rows if r.role == "other"})
        self.kind = np.array(
            [self.kinds.index(r.label) if r.role == "other" else -1 for r in rows]
        )
        self._weigh(rows)
        self.responses = self._recorded_rooms()

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
                self._say(target[i], rng)
            if rng.random() >= mix.alone:
                self._background(first[i], kinds[i], rng)
                if rng.random() < mix.second:
                    self._background(second[i], kinds[i], rng)
        heard = torch.from_numpy(self._heard(rng))
        clean = self._treat(torch.from_numpy(target), rng, g) * heard
        gate = gate_of_levels(self._levels(clean))
        audio = self._mix(clean, torch.from_numpy(first), torch.from_numpy(second), g) * heard
        amplitude = 10.0 ** (torch.from_numpy(self._levels(audio)) / 20.0)
        return MixBatch(
            self._features(audio, g),
            torch.from_numpy(gate).float(),
            amplitude / amplitude.mean(1, keepdim=True).clamp_min(1e-9),
            torch.from_numpy(kinds),
        )

    # --- the target -----------------------------------------------------------------------

    def _say(self, out: Audio, rng: np.random.Generator) -> None:
        """Phrases of one voice, sometimes of two, with pauses."""
        mix = self.recipe.mix
        row, bank = self._voice(rng)
        at = int(rng.uniform(-0.5, 1.0) * self.rate)
        while at < len(out):
            length = int(np.exp(rng.uniform(*np.log(mix.phrase_s))) * self.rate)
            if rng.random() < 0.5:  # the same recording goes on, or another one begins
                row, bank = self._voice(rng)
            phrase = self._piece(bank.clip(row), length, rng) * 10 ** (rng.normal(0, 3.0) / 20)
            _add(out, phrase, at)
            at += len(phrase) + int(rng.uniform(*mix.pause_s) * self.rate)

    def _voice(self, rng: np.random.Generator) -> tuple[int, Bank]:
        return int(rng.choice(self.pool["target"], p=self.target_weight)), self._played(rng)

    def _played(self, rng: np.random.Generator) -> Bank:
        """The recordings at one of the speeds."""
        return self.banks[rng.integers(len(self.banks))]

    def _piece(self, clip: Audio, length: int, rng: np.random.Generator) -> Audio:
        """A part of a recording that begins and ends within its sound, faded at the cuts."""
        begin, end = active_span(clip, self.rate)
        spare = end - begin - length
        if spare > 0:
            begin += int(rng.integers(spare + 1))
            end = begin + length
        piece = clip[begin:end].copy()
        fade = min(round(FADE_S * self.rate), len(piece) // 2)
        ramp = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
        piece[:fade] *= ramp
        piece[len(piece) - fade :] *= ramp[::-1]
        # every phrase about as loud, whatever the recording
        return piece * np.float32(0.1 / max(1e-4, float(np.sqrt(np.square(piece).mean()))))

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
            made = self._made_rooms(rng)
            every = torch.cat([self.responses, made]) if len(self.responses) else made
            which = torch.randint(len(every), (len(wet),), generator=g)
            x[wet] = augment.rooms(x[wet], every[which])
        return x

    # --- everything else ------------------------------------------------------------------

    def _background(self, out: Audio, kinds: Audio, rng: np.random.Generator) -> None:
        what, bank = rng.choice(4, p=BACKGROUNDS), self._played(rng)
        if what == COLOURED:
            out += _coloured(len(out), rng)
        elif what == PATTERN and len(self.drums):
            self._pattern(out, kinds, rng)
        elif what == SCATTERED:
            row = rng.choice(self.pool["other"], p=self.scatter_weight)
            near = self.pool["other"][self.kind[self.pool["other"]] == self.kind[row]]
            at = int(rng.uniform(0.0, 1.0) * self.rate)
            pause = np.exp(rng.uniform(np.log(0.08), np.log(2.5)))
            while at < len(out):
                clip = bank.clip(row)
                begin, end = active_span(clip, self.rate)
                sound = clip[begin : min(end, begin + 3 * self.rate)]
                level = max(1e-4, float(np.abs(sound).max()))
                gain = np.float32(10 ** (rng.normal(0.0, 3.0) / 20) * 0.3 / level)
                self._put(out, kinds, row, sound * gain, at)
                at += len(sound) // 2 + int(rng.exponential(pause) * self.rate)
                if rng.random() < 0.4:
                    row = int(rng.choice(near))
        else:
            row = rng.choice(self.pool["other"], p=self.long_weight)
            clip = bank.clip(row)
            at = -int(rng.integers(max(1, len(clip))))
            while at < len(out):
                self._put(out, kinds, row, clip, at)
                at += max(len(clip), 1600)

    def _pattern(self, out: Audio, kinds: Audio, rng: np.random.Generator) -> None:
        """Drums on a grid."""
        step = rng.uniform(0.09, 0.3)
        for _ in range(rng.integers(1, 4)):
            row = int(rng.choice(self.drums))
            hit = self._played(rng).clip(row)
            level = rng.uniform(0.1, 1.0) / max(1e-3, float(np.abs(hit).max()))
            plays = rng.random(16) < rng.uniform(0.15, 0.7)
            for beat in range(int(len(out) / self.rate / step) + 1):
                if plays[beat % 16]:
                    at = int((beat * step + rng.normal(0, 0.004)) * self.rate)
                    self._put(out, kinds, row, hit * np.float32(level), at)

    def _put(self, out: Audio, kinds: Audio, row: int, sound: Audio, at: int) -> None:
        _add(out, sound, at)
        hop = self.recipe.features.hop
        begin, end = active_span(sound, self.rate) if len(sound) else (0, 0)
        kinds[max(0, (at + begin) // hop) : max(0, -(-(at + end) // hop)), self.kind[row]] = 1.0

    # --- together -------------------------------------------------------------------------

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

    def _weigh(self, rows: Sequence[Row]) -> None:
        """How often each recording is used."""
        target, other = self.pool["target"], self.pool["other"]
        words = np.array([rows[i].label == "word" for i in target])
        # a second of every voice; single words are many and short, running speech is worth more
        weight = np.where(words, 0.3 / max(1, words.sum()), 0.7 / max(1, (~words).sum()))
        self.target_weight = weight / weight.sum()
        length = self.bank.length[other] / self.rate
        kinds, count = np.unique(self.kind[other], return_counts=True)
        # many kinds beat many recordings of one kind
        rare = count[np.searchsorted(kinds, self.kind[other])] ** -0.4
        rare *= [self.recipe.mix.favour.get(rows[i].label, 1.0) for i in other]
        long = rare * np.sqrt(np.minimum(length, 60.0)) * (length > 1.5)
        self.long_weight = (
            long / long.sum() if long.any() else np.full(len(other), 1 / len(other))
        )
        self.scatter_weight = rare / rare.sum()
        self.drums = np.array([i for i in other if rows[i].label.startswith("drums/")], int)

    def _recorded_rooms(self) -> Tensor:
        taps = self.rate // 2
        out = np.zeros((len(self.pool["room"]), taps), np.float32)
        for row, i in zip(out, self.pool["room"], strict=True):
            h = self.bank.clip(i)
            h = h[int(np.abs(h).argmax()) :][:taps]
            row[: len(h)] = h / np.sqrt(np.square(h).sum() + 1e-12)
        return torch.from_numpy(out)

    def _made_rooms(self, rng: np.random.Generator) -> Tensor:
        """Direct sound and an exponentially decaying tail, which low-passes as it goes."""
        taps = self.rate // 2
        t = np.arange(taps) / self.rate
        out = np.zeros((MADE_ROOMS, taps), np.float32)
        for row in out:
            decay = 6.91 / rng.uniform(0.1, 0.9)
            tail = rng.standard_normal(taps) * np.exp(-decay * t)
            tail = 0.6 * tail + 0.4 * np.roll(tail, 1)
            tail[: int(rng.uniform(0.001, 0.02) * self.rate)] = 0.0
            ratio = 10 ** (rng.uniform(-6.0, 14.0) / 20)
            row[:] = tail / np.sqrt(np.square(tail).sum() + 1e-12)
            row[0] += ratio
            row /= np.sqrt(np.square(row).sum())
        return torch.from_numpy(out)


def whispered(x: Tensor, g: torch.Generator) -> Tensor:
    """Speech without its harmonics: noise with the smoothed spectrum, lows weakened.

    Args:
        x: float32 [rows, samples] at 16 kHz.
        g: source of the noise.
    """
    window = torch.hann_window(512)
    size = x.abs()
    noise = torch.randn(x.shape, generator=g)
    shape = torch.stft(x, 512, 128, window=window, return_complex=True).abs()
    smooth = torch.nn.functional.avg_pool1d(shape.transpose(1, 2), 13, 1, 6).transpose(1, 2)
    carrier = torch.stft(noise, 512, 128, window=window, return_complex=True)
    tilt = (torch.arange(257) / 40.0).clamp(0.05, 1.0)[:, None]
    y = torch.istft(
        carrier / carrier.abs().clamp_min(1e-6) * smooth * tilt,
        512, 128, window=window, length=x.shape[1],
    )  # fmt: skip
    loud, now = size.square().mean(1, keepdim=True), y.square().mean(1, keepdim=True)
    scale = loud / now.clamp_min(1e-12)
    return y * scale.sqrt() * (size.amax(1, keepdim=True) > 1e-5)


def _at(x: Tensor, level: Tensor) -> Tensor:
    """Rows brought to a level; empty rows stay empty."""
    now = augment.level_db(x)
    return torch.where((now > -100.0)[:, None], augment.gain(x, level - now), x)


def _add(out: Audio, sound: Audio, at: int) -> None:
    """Add a sound at a position; what lies outside is cut."""
    first, last = max(at, 0), min(at + len(sound), len(out))
    if first < last:
        out[first:last] += sound[first - at : last - at]


def _coloured(samples: int, rng: np.random.Generator) -> Audio:
    """Noise with a random slope, sometimes with mains hum, sometimes swelling."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    f = np.maximum(1.0, np.arange(len(spectrum)))
    x = np.fft.irfft(spectrum * f ** rng.uniform(-1.0, 0.2), n=samples)
    x /= np.sqrt(np.square(x).mean() + 1e-12)
    t = np.arange(samples) / 16000.0
    if rng.random() < 0.3:
        hum = rng.choice([50.0, 60.0, 100.0, 120.0]) * np.arange(1, 6)
        x += sum(np.sin(2 * np.pi * (h * t + rng.random())) * rng.random() for h in hum)
    if rng.random() < 0.4:
        x *= 1.0 + 0.8 * np.sin(2 * np.pi * (rng.uniform(0.1, 4.0) * t + rng.random()))
    return (0.1 * x).astype(np.float32)
