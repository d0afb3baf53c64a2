"""`rt-train`: the training loop.

Reads top to bottom: recipe, data, network, steps, checkpoints.

A step is a function of (recipe, seed, step number), and the checkpoint `last.safetensors`
holds everything else (weights, averaged weights, optimizer), so an interrupted run goes on as
if nothing had happened.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from models import build, parameters
from models.checkpoint import load_model, save_checkpoint
from realtime.card import FORMAT, Card, Decision, InputSpec
from train.batches import Batches
from train.datasets.cached import CachedBatches
from train.journal import Journal
from train.loop import (
    begin_with,
    follow,
    learning_rate,
    pick_device,
    placed,
    progress_bar,
    resume,
    save_last,
    weight_groups,
)
from train.loss import class_weights, loss_of, set_bias
from train.manifest import read_manifest
from train.pictures import write_pictures
from train.recipe import Recipe, with_labels
from train.validate import Validation, Verdict

log = logging.getLogger("rt.train.fit")


def fit(recipe: Recipe, out: Path, report: Callable[[int, float], None] | None = None) -> Path:
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
    f = recipe.fit
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(f.threads or os.cpu_count() or 1)
    device = pick_device(f.device)
    kind = CachedBatches if recipe.data.cached else Batches
    rows = read_manifest(Path(recipe.data.manifest))
    recipe = with_labels(recipe, rows)
    batches = kind(recipe, rows)
    labels = recipe.data.labels
    torch.manual_seed(f.seed)
    network = placed(build(recipe.model, len(labels)), device)
    shares = batches.truth.frequencies(batches.pool["clip"], batches.clip_weight)
    if recipe.loss.begin != "zero":
        set_bias(
            network,
            shares if recipe.loss.begin == "frequency" else [recipe.loss.prior] * len(labels),
        )
    if f.init:
        begin_with(network, Path(f.init))
    teachers = [load_model(Path(t))[0].to(device) for t in recipe.loss.teachers]
    optimizer = torch.optim.AdamW(weight_groups(network, f.decay), lr=f.rate, foreach=True)
    if hasattr(network, "begin") and not (out / "last.safetensors").exists():
        _begin(network, batches)
    average = {k: v.clone() for k, v in network.state_dict().items()}
    first, best = resume(out, network, optimizer, average)
    log.info(
        "%s: %d parameters, step %d of %d on %s",
        recipe.name,
        parameters(network),
        first,
        f.steps,
        device,
    )
    weights = None
    if recipe.loss.class_weights:
        weights = class_weights(shares, recipe.loss.class_weights).to(device)
    validation = Validation(recipe, batches)
    total, since, seen, shown = torch.zeros(()), time.monotonic(), first, None
    with Journal(out, recipe, first) as journal, progress_bar() as progress:
        bar = progress.add_task(recipe.name, total=f.steps, completed=first, note="")
        for step in range(first, f.steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, f)
            batch = batches.draw(step)
            torch.manual_seed(
                f.seed * 7919 + step
            )  # dropout and mixup, the same after a resume
            x, y = batch.features.to(device), batch.targets.to(device)
            x = x[:, None].contiguous(memory_format=torch.channels_last)
            loss = loss_of(network, teachers, x, y, recipe, weights)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            follow(average, network.state_dict(), min(f.ema, (step + 1) / (step + 10)))
            total += loss.detach().cpu()
            progress.update(bar, completed=step + 1)
            if (step + 1) % f.validate == 0 or step + 1 == f.steps:
                said = validation.judge(average, device)
                mean = float(total) / (step + 1 - seen)
                pace = (step + 1 - seen) * recipe.mix.batch / (time.monotonic() - since)
                figure = f"{said.name} {100 * said.figure:.2f} %"
                note = f"loss {mean:.3f}  val {said.loss:.3f}  {figure}"
                log.info("step %d: %s", step + 1, note)
                progress.update(bar, note=note)
                journal.add(
                    step=step + 1,
                    loss=mean,
                    val_loss=said.loss,
                    **{f"val_{said.name}": said.figure},
                    rows_per_s=pace,
                )
                card = card_of(recipe, step + 1, said)
                if said.figure >= best:
                    best, shown = said.figure, said
                    tensors = {f"model.{k}": v for k, v in average.items()}
                    save_checkpoint(out / "best.safetensors", tensors, dict(recipe.model), card)
                save_last(
                    out, network, optimizer, average, step + 1, best, card, dict(recipe.model)
                )
                if report:
                    report(step + 1, said.figure)
                total, since, seen = torch.zeros(()), time.monotonic(), step + 1
    _draw(out, recipe, None if report else shown)
    return out / "best.safetensors"


def _draw(out: Path, recipe: Recipe, best: Verdict | None) -> None:
    """The run in pictures; a run that had ended before has them."""
    if best:
        write_pictures(out, recipe.data.labels, best.truth, best.scores)


def card_of(recipe: Recipe, steps: int, said: Verdict) -> Card:
    """The card of a model trained so."""
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
        measured=(
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


def _begin(network: Any, batches: Batches | CachedBatches) -> None:
    """Networks that are fitted to whole clips at once are, before the first step."""
    clips = batches.pool["clip"]
    where = next(network.parameters()).device
    features = torch.cat([batches.windows(int(i), 1) for i in clips])
    targets = torch.from_numpy(batches.truth.rows[clips]).nan_to_num().argmax(1)
    network.begin(features[:, None].to(where), targets.to(where))
