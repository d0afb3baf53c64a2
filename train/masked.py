"""Learning without labels: the training loop of Audio-MAE. Reads top to bottom.

A recipe with `task = "masked"`. Every recording of the manifest's training part is used, with
whatever role and label. The result's encoder starts a tagger: `[model]` with `network =
"audiomae"` and `weights` of this run. How a step is taken, and how an interrupted run goes on,
is in `train.loop`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from models.masked_tagger import MaskedAutoencoder, MaskedTaggerConfig
from realtime.card import FORMAT, Card, InputSpec
from realtime.errors import UsageError
from realtime.features import FeatureSpec
from train import processes
from train.bank import Recordings
from train.clips import crop
from train.datasets.shard_bank import open_recordings
from train.loop import Run, begin
from train.manifest import Row, read_manifest
from train.pictures import write_pictures
from train.processes import rows_of
from train.tables import Fit, Listed

VALIDATION = 64  # windows, always the same
ROOM: Literal["room"] = "room"  # impulse responses are no sound to learn from

log = logging.getLogger("rt.train.masked")


class MaskedData(Listed, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is learned from without labels.

    Args:
        batch: windows in a step.
    """

    batch: int = 32


class MaskedRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run without labels.

    Args:
        task: "masked".
        name: of the model, and of the run's folder.
        window_s: seconds of sound in a window.
        data: what is learned from.
        features: the front end; a tagger that starts from the run has the same.
        model: fields of the family audiomae.
        fit: the optimisation.
    """

    task: Literal["masked"]
    name: str
    window_s: float
    data: MaskedData
    features: FeatureSpec
    model: dict[str, Any]
    fit: Fit


def fit_masked(recipe: MaskedRecipe, out: Path) -> Path:
    """Run a recipe.

    Args:
        recipe: what to do.
        out: folder for `last.safetensors` (resumes), `best.safetensors` (the result),
            numbers and learning curves.

    Returns:
        The result's path.

    Raises:
        UsageError: windows that are no whole number of patches, or no recordings.
    """
    device = begin(recipe.fit, out)
    rows = read_manifest(Path(recipe.data.manifest))
    windows = processes.in_turn(lambda: Windows(recipe, rows))
    torch.manual_seed(recipe.fit.seed)
    network = MaskedAutoencoder(windows.config, windows.frames, recipe.features.width)
    network = network.to(device)
    count = rows_of(recipe.data.batch, recipe.fit)

    def draw(number: int) -> tuple[Tensor, Tensor]:
        return windows.draw("train", recipe.fit.seed * 1_000_003 + number, count)

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        error: Tensor = network(*(x.to(device) for x in batch))[0]
        return error

    run = Run(recipe.name, recipe.fit, out, network, device, loss, recipe=recipe)
    validation = windows.draw("val", 0, VALIDATION)
    description = {"network": "audiomae", **recipe.model}
    for step, batch in run.batches(draw):
        if not run.learn(step, batch):
            continue
        if run.writes:
            error = _validate(windows, run.average, validation, device)
            card = _card(recipe, step + 1, error)
            pace = run.pace(step) * recipe.data.batch
            run.keep(step, card, description, -error, val_loss=error, rows_per_s=pace)
        if run.over():
            break
    if run.writes:
        write_pictures(out)
    processes.leave()
    return run.best_path


class Windows:
    """Draws windows of features, and the order in which their patches are hidden.

    Attributes:
        config: of the network.
        frames: in a window, a whole number of the decoder's windows of patches.
    """

    def __init__(self, recipe: MaskedRecipe, rows: Sequence[Row]) -> None:
        from train.torch_frontend import TorchFrontEnd

        spec = recipe.features
        try:
            self.config = msgspec.convert(recipe.model, MaskedTaggerConfig)
        except msgspec.ValidationError as e:
            raise UsageError(f"[model]: {e}", "see docs/models.md") from e
        size = self.config.patch * self.config.window
        self.samples = round(recipe.window_s * spec.rate)
        self.frames = spec.frames_in(self.samples) // size * size
        if not self.frames or spec.width % size:
            raise UsageError(
                f"windows of {spec.frames_in(self.samples)} frames of {spec.width} values",
                f"use multiples of {size} (model.patch x model.window)",
            )
        self.frontend = TorchFrontEnd(spec)
        self.patches = self.frames * spec.width // self.config.patch**2
        self.banks: dict[str, Recordings] = {}
        self.pools: dict[str, Any] = {}
        for split in ("train", "val"):
            mine = [r for r in rows if r.split == split and r.role != ROOM]
            if not mine:
                raise UsageError(f"the manifest has nothing in split {split}", "add some")
            (self.banks[split],), _ = open_recordings(recipe.data, mine, spec.rate)
            # a long recording gives more windows than a short one
            length = np.minimum(self.banks[split].length, 60 * spec.rate)
            self.pools[split] = np.sqrt(length) / np.sqrt(length).sum()

    def draw(self, split: str, seed: int, count: int) -> tuple[Tensor, Tensor]:
        """Windows [count, 1, frames, width] and random orders [count, patches]."""
        rng = np.random.default_rng(seed)
        x = np.zeros((count, self.samples), np.float32)
        for out in x:
            chosen = rng.choice(len(self.pools[split]), p=self.pools[split])
            crop(out, self.banks[split].clip(chosen), rng)
        with torch.no_grad():
            frames = self.frontend.finish(self.frontend(torch.from_numpy(x)))
        order = torch.from_numpy(rng.random((count, self.patches))).argsort(1)
        return frames[:, None, : self.frames], order


def _validate(
    windows: Windows,
    weights: dict[str, Tensor],
    validation: tuple[Tensor, Tensor],
    device: torch.device,
) -> float:
    x, order = validation
    network = MaskedAutoencoder(windows.config, x.shape[2], x.shape[3]).to(device)
    network.load_state_dict(weights)
    network.eval()
    with torch.no_grad():
        errors = [
            network(a.to(device), b.to(device))[0].cpu()
            for a, b in zip(x.split(16), order.split(16), strict=True)
        ]
    return float(torch.stack(errors).mean())


def _card(recipe: MaskedRecipe, steps: int, error: float) -> Card:
    """What the run was; there is nothing to be heard by it."""
    features = recipe.features
    return Card(
        format=FORMAT, name=recipe.name, task="tag",
        input=InputSpec(kind="features", features=features), rate=features.rate,
        window_s=recipe.window_s, hop_s=features.hop / features.rate, labels=("hidden",),
        scores="logit", licence=recipe.data.licence, trained_on=recipe.data.trained_on,
        measured=(
            {"figure": f"squared error {error:.4f}", "data": "validation part", "steps": steps},
        ),
        digest=features.digest(),
    )  # fmt: skip
