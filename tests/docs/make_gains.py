"""What each part of the recipe of a small kws12 gains: trains without it; docs/figures.md.

    python tests/docs/make_gains.py --teacher kws12.safetensors --manifest kws12.csv --root DATA

Eleven variants of train/recipes/kws12-tiny.toml, three seeds each, one after the other, from
fresh weights; each is judged once, after its last step, on the clips of the val part as they
are and made worse. An hour or more on one core. What is done stays in build/gains, so
a run that was stopped goes on. `--again` writes the page of it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import msgspec
import numpy as np
import torch
from make_reference import PROJECT, replaced
from numpy.typing import NDArray

from models.checkpoint import load_model
from train import augment
from train.batches import Batches
from train.clips import crop, place
from train.fit import fit
from train.manifest import read_manifest
from train.recipe import Recipe, read_recipe
from train.validate import Validation

RECIPE = PROJECT / "train/recipes/kws12-tiny.toml"
PAGE = PROJECT / "docs/figures.md"
KEPT = PROJECT / "build/gains"
SEEDS = (1, 2, 3)
WHOLE = "nothing"
FIGURES = {  # what the table calls them
    "clean_spoken": "without silence",
    "clean": "all clips",
    "worse_spoken": "without silence, made worse",
}
SHIFT_S = 0.15  # of what is made worse, these four: either way
ROOM = 0.5  # probability
SNR_DB = (5.0, 15.0)
LEVEL_DB = (-45.0, -15.0)
VARIANTS: dict[str, dict[str, Any]] = {  # what the table calls it: fields of the recipe
    WHOLE: {},
    "added noise": {"augment.noise": 0.0},
    "rooms": {"augment.room": 0.0},
    "shift": {"augment.shift_s": 0.0},
    "SpecAugment": {"augment.time_masks": 0, "augment.mel_masks": 0},
    "speeds and stretching": {"augment.speeds": [1.0], "augment.stretch": 0.0},
    "levels and tilt": {"augment.level_db": [-20.0, -20.0], "augment.tilt_db": 0.0},
    "talk as other speech": {"mix.talk": 0.0},
    "balance": {"mix.balance": 0.0},
    "the teacher": {"loss.teachers": [], "loss.imitate": 0.0},
    "averaged weights": {"fit.ema": 0.0},
}


class Clips:
    """The clips of the val part as they are, and made worse: always in the same way."""

    def __init__(self, recipe: Recipe) -> None:
        rows = read_manifest(Path(recipe.data.manifest))
        self._batches = Batches(recipe, rows)
        self.clean, self.worse = (Validation(recipe, self._batches) for _ in range(2))
        self._rate, bank = recipe.features.rate, self._batches.banks[0]
        found = {
            role: [i for i, r in enumerate(rows) if (r.role, r.split) == (role, "val")]
            for role in ("noise", "room")
        }
        self._noises = [i for i in found["noise"] if bank.length[i] > 2 * self._rate]
        rooms = [bank.clip(i) for i in found["room"]]
        self._rooms = augment.responses(rooms, self._rate // 2)
        clips = self._batches.truth.clips("val", self._batches.usable)
        sounds = torch.cat([self._made_worse(bank.clip(int(i)), int(i)) for i in clips])
        front = self._batches.frontend
        windows = [front.finish(front(part)) for part in sounds.split(64)]
        self.worse.windows = torch.cat(windows)

    def _made_worse(self, clip: NDArray[np.float32], number: int) -> torch.Tensor:
        """A clip moved, maybe in a room, in noise and at another level, [1, samples]."""
        rng = np.random.default_rng(number)
        x = torch.zeros(1, self._batches.samples)
        place(x[0].numpy(), clip, round(rng.uniform(-SHIFT_S, SHIFT_S) * self._rate))
        if rng.random() < ROOM:
            room = int(rng.integers(len(self._rooms)))
            x = augment.rooms(x, self._rooms[room : room + 1])
        noise = torch.zeros_like(x)
        crop(noise[0].numpy(), self._batches.banks[0].clip(rng.choice(self._noises)), rng)
        x = augment.add_at_ratio(x, noise, torch.tensor([rng.uniform(*SNR_DB)]))
        x = augment.gain(x, rng.uniform(*LEVEL_DB) - augment.level_db(x))
        return x.float().clamp(-1.0, 1.0)

    def judge(self, checkpoint: Path, spoken: NDArray[np.bool_]) -> dict[str, float]:
        """The figures of one run, %.

        Args:
            checkpoint: its weights.
            spoken: which labels are no silence.
        """
        weights = load_model(checkpoint)[0].state_dict()
        told = {}
        for name, validation in (("clean", self.clean), ("worse", self.worse)):
            said = validation.judge(weights, torch.device("cpu"))
            truth, right = said.truth.argmax(1), said.scores.argmax(1) == said.truth.argmax(1)
            told[f"{name}_spoken"] = 100.0 * float(right[spoken[truth]].mean())
            told[name] = 100.0 * float(right.mean())
        return told


def recipe_of(fields: dict[str, Any], seed: int, args: argparse.Namespace) -> Recipe:
    """The recipe of one run: validated once, after its last step, so nothing is chosen."""
    given = {
        "data.manifest": args.manifest, "data.root": args.root, "fit.seed": seed,
        "fit.steps": args.steps, "fit.validate": args.steps, "fit.threads": 1,
        "mix.batch": args.rows, "loss.teachers": [args.teacher], **fields,
    }  # fmt: skip
    return read_recipe(RECIPE, tuple(f"{key}={value}" for key, value in given.items()))


def table(found: dict[str, dict[int, dict[str, float]]]) -> str:
    """Accuracy of each variant; and what is lost without a part, seed against same seed.

    Args:
        found: variant to seed to figures.
    """
    head = ["left out", "seeds"]
    for name in FIGURES.values():
        head += [f"accuracy %: {name}", "gain"]
    rows = [head, ["---"] * len(head)]
    for name, runs in found.items():
        row = [name, ", ".join(map(str, runs))]
        for figure in FIGURES:
            row.append(spread([told[figure] for told in runs.values()]))
            whole = found[WHOLE]
            gains = [whole[s][figure] - runs[s][figure] for s in runs if s in whole]
            row.append("" if name == WHOLE else spread(gains, "+"))
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def spread(values: list[float], sign: str = "") -> str:
    """Mean and range."""
    mean, low, high = statistics.fmean(values), min(values), max(values)
    return f"{mean:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", default="kws12.csv")
    parser.add_argument("--root", default="../shared/data")
    parser.add_argument("--teacher", default="runs/kws12/best.safetensors")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in VARIANTS}
    clips: Clips | None = None
    for seed in SEEDS:  # seed by seed, so that a stopped run has something to compare
        for number, (name, fields) in enumerate(VARIANTS.items()):
            out = KEPT / f"{number}-{seed}"
            kept = out / "figures.json"
            if not kept.exists() and not args.again:
                recipe = recipe_of(fields, seed, args)
                clips = clips or Clips(recipe_of({}, seed, args))
                spoken = np.array([label != "silence" for label in recipe.data.labels])
                best = fit(recipe, out, report=lambda step, figure: None)
                told = clips.judge(best, spoken)
                kept.write_bytes(msgspec.json.encode(told))
            if kept.exists():
                found[name][seed] = msgspec.json.decode(kept.read_bytes())
    done = {name: runs for name, runs in found.items() if runs}
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), "gains", table(done)), "utf-8")


if __name__ == "__main__":
    main()
