"""`rt-train`: the training loop of a tagger.

Reads top to bottom: recipe, data, network, steps, checkpoints. How a step is taken, and how
an interrupted run goes on, is in `train.loop`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from models import build
from models.checkpoint import load_model
from realtime.card import FORMAT, Card, Decision, InputSpec
from train import processes
from train.batches import Batch, Batches
from train.datasets.cached import CachedBatches
from train.loop import Run, begin, placed
from train.loss import begin_scores, class_weights, loss_of
from train.manifest import read_manifest
from train.pictures import write_pictures
from train.recipe import Recipe, with_labels
from train.validate import Validation, Verdict

log = logging.getLogger("rt.train.fit")


def fit(
    recipe: Recipe,
    out: Path,
    report: Callable[[int, float], None] | None = None,
) -> Path:
    """Run a recipe.

    Args:
        recipe: what to do.
        out: folder for `last.safetensors` (resumes), `best.safetensors` (the result), numbers
            and pictures (`train.journal`, `train.pictures`).
        report: told the step and the figure of each validation, the more the better; what it
            raises ends the run. Such a run is not drawn.

    Returns:
        The result's path.
    """
    device = begin(recipe.fit, out)
    rows = read_manifest(Path(recipe.data.manifest))
    recipe = with_labels(recipe, rows)
    card_of(recipe, 0)  # what its card cannot say is refused before hours of training
    kind = CachedBatches if recipe.data.cached else Batches
    batches = processes.in_turn(lambda: kind(recipe, rows))
    network = placed(build(recipe.model, len(recipe.data.labels)), device)
    teachers = [load_model(Path(t))[0].to(device) for t in recipe.loss.teachers]
    shares = batches.truth.frequencies(batches.pool["clip"], batches.clip_weight)
    weights = class_weights(shares, recipe.loss.class_weights).to(device)
    begin_scores(network, recipe.loss, shares)

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        x, y = batch.features.to(device), batch.targets.to(device)
        x = x[:, None].contiguous(memory_format=torch.channels_last)
        return loss_of(network, teachers, x, y, recipe, weights)

    run = Run(recipe.name, recipe.fit, out, network, device, loss, recipe=recipe,
              fresh=lambda: _fitted(network, batches))  # fmt: skip
    validation = Validation(recipe, batches) if run.writes else None
    description, shown = dict(recipe.model), None
    for step, batch in run.batches(batches.draw):
        if not run.learn(step, batch):
            continue
        if validation is not None:
            said = validation.judge(run.average, device)
            numbers = {"val_loss": said.loss, f"val_{said.name}": said.figure}
            numbers["rows_per_s"] = run.pace(step) * recipe.mix.batch
            card = card_of(recipe, step + 1, said)
            if run.keep(step, card, description, said.figure, **numbers):
                shown = said
            if report:
                report(step + 1, said.figure)
        if run.over():
            break
    if validation is not None and shown is not None:
        shown = _averaged(run, validation, recipe, device) or shown
    if shown is not None and report is None:
        write_pictures(out, recipe.data.labels, shown.truth, shown.scores)
    processes.leave()
    return run.best_path


def _averaged(
    run: Run, validation: Validation, recipe: Recipe, device: torch.device
) -> Verdict | None:
    """The verdict on the mean of the last weights, where it is asked for and the best."""
    mean = run.mean()
    if not mean:
        return None
    said = validation.judge(mean, device)
    log.info("mean of the last weights: %s %.4f", said.name, said.figure)
    card = card_of(recipe, run.progress.step, said)
    return said if run.keep_if_best(mean, card, dict(recipe.model), said.figure) else None


def card_of(recipe: Recipe, steps: int, said: Verdict | None = None) -> Card:
    """The card of a model trained so.

    Raises:
        CardError: the recipe has labels, a rule or thresholds that contradict each other.
    """
    return Card(
        format=FORMAT,
        name=recipe.name,
        task="tag",
        input=InputSpec(
            kind="features",
            features=recipe.features,
            layout="bct" if recipe.features.kind == "waveform" else "bctf",
        ),
        rate=recipe.features.rate,
        window_s=recipe.window_s,
        hop_s=recipe.hop_s,
        labels=recipe.data.labels,
        thresholds=recipe.thresholds,
        scores="logit_softmax" if recipe.loss.kind == "cross_entropy" else "logit",
        decision=_decision(recipe),
        licence=recipe.data.licence,
        trained_on=recipe.data.trained_on,
        measured=()
        if said is None
        else (
            {
                "figure": f"{said.name} {said.figure:.4f}",
                "data": "validation part",
                "steps": steps,
            },
        ),
        recipe=recipe.to_dict(),
        digest=recipe.features.digest(),
    )


def _decision(recipe: Recipe) -> Decision:
    """The recipe's rule; labels that are no word make no events unless it says otherwise."""
    rule = recipe.decision
    if rule.background:
        return rule
    return msgspec.structs.replace(rule, background=recipe.data.background)


def _fitted(network: Any, batches: Batches | CachedBatches) -> None:
    """Networks that are fitted to whole clips at once are, before the first step."""
    if not hasattr(network, "begin"):
        return
    clips = batches.pool["clip"]
    where = next(network.parameters()).device
    features = torch.cat([batches.windows(int(i), 1) for i in clips])
    targets = torch.from_numpy(batches.truth.rows[clips]).nan_to_num().argmax(1)
    network.begin(features[:, None].to(where), targets.to(where))
