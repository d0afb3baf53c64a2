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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from models import build, parameters
from models.checkpoint import load_model, load_tensors, save_checkpoint
from realtime.card import FORMAT, Card, Decision, InputSpec
from realtime.errors import UsageError
from train.batches import EITHER, Batches
from train.datasets.cached import CachedBatches
from train.loop import (
    follow,
    learning_rate,
    pick_device,
    progress_bar,
    record,
    resume,
    save_last,
    weight_groups,
)
from train.manifest import read_manifest
from train.recipe import Recipe

log = logging.getLogger("rt.train.fit")


def fit(recipe: Recipe, out: Path, report: Callable[[int, float], None] | None = None) -> Path:
    """Run a recipe.

    Args:
        recipe: what to do.
        out: folder for `last.safetensors` (resumes), `best.safetensors` (the result) and
            `metrics.csv`.
        report: told the step and the figure of each validation, the more the better; what it
            raises ends the run.

    Returns:
        The result's path.
    """
    f = recipe.fit
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(f.threads or os.cpu_count() or 1)
    device = pick_device(f.device)
    kind = CachedBatches if recipe.data.cached else Batches
    batches = kind(recipe, read_manifest(Path(recipe.data.manifest)))
    labels = recipe.data.labels
    torch.manual_seed(f.seed)
    network = _placed(build(recipe.model, len(labels)), device)
    if f.init:
        network.load_state_dict(load_tensors(Path(f.init), "model.")[0])
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
    validation = _validation(batches)
    total, since, seen = torch.zeros(()), time.monotonic(), first
    with progress_bar() as progress:
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
            loss = _loss(network, teachers, x, y, recipe)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            follow(average, network.state_dict(), min(f.ema, (step + 1) / (step + 10)))
            total += loss.detach().cpu()
            progress.update(bar, completed=step + 1)
            if (step + 1) % f.validate == 0 or step + 1 == f.steps:
                accuracy, val_loss = _validate(recipe, average, validation, device)
                mean = float(total) / (step + 1 - seen)
                pace = (step + 1 - seen) * recipe.mix.batch / (time.monotonic() - since)
                note = f"loss {mean:.3f}  val {val_loss:.3f}  {100 * accuracy:.2f} %"
                log.info("step %d: %s", step + 1, note)
                progress.update(bar, note=note)
                record(
                    out,
                    step=step + 1,
                    loss=mean,
                    val_loss=val_loss,
                    val_accuracy=accuracy,
                    rows_per_s=pace,
                )
                card = card_of(recipe, step + 1, accuracy)
                if accuracy >= best:
                    best = accuracy
                    tensors = {f"model.{k}": v for k, v in average.items()}
                    save_checkpoint(out / "best.safetensors", tensors, dict(recipe.model), card)
                save_last(
                    out, network, optimizer, average, step + 1, best, card, dict(recipe.model)
                )
                if report:
                    report(step + 1, accuracy)
                total, since, seen = torch.zeros(()), time.monotonic(), step + 1
    return out / "best.safetensors"


def card_of(recipe: Recipe, steps: int, accuracy: float) -> Card:
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
        scores="logit_softmax",
        decision=_decision(recipe),
        licence=recipe.data.licence,
        trained_on=recipe.data.trained_on,
        measured=(
            {"figure": f"accuracy {accuracy:.4f}", "data": "validation part", "steps": steps},
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


def _loss(
    network: nn.Module, teachers: Sequence[nn.Module], x: Tensor, y: Tensor, recipe: Recipe
) -> Tensor:
    """Cross-entropy (EITHER: of unknown and silence together), mixup, imitation of teachers."""
    labels = recipe.data.labels
    wanted = nn.functional.one_hot(y.clamp_min(0), len(labels)).float()
    either = y == EITHER
    allowed = torch.tensor(
        [float(k in recipe.data.background) for k in labels], device=x.device
    )
    wanted[either] = allowed / allowed.sum().clamp_min(1.0)
    if recipe.augment.mixup:
        weight = 1.0 - 0.5 * torch.rand(len(x), 1, device=x.device)
        weight[torch.rand(len(x), device=x.device) >= recipe.augment.mixup] = 1.0
        other = torch.randperm(len(x), device=x.device)
        x = weight[..., None, None] * x + (1.0 - weight[..., None, None]) * x[other]
        wanted = weight * wanted + (1.0 - weight) * wanted[other]
        either = either & (weight[:, 0] == 1.0)
    logits = network(x)
    logp = logits.log_softmax(1)
    s = recipe.loss.smoothing
    loss = -(((1.0 - s) * wanted + s / len(labels)) * logp).sum(1)
    if bool(either.any()):
        loss = torch.where(either, -(logp + (allowed + 1e-9).log()).logsumexp(1), loss)
    if teachers:
        t = recipe.loss.temperature
        with torch.no_grad():
            ideal = torch.stack([(m(x) / t).softmax(1) for m in teachers]).mean(0)
        imitation = -(ideal * (logits / t).log_softmax(1)).sum(1) * t * t
        loss = (1.0 - recipe.loss.imitate) * loss + recipe.loss.imitate * imitation
    mean: Tensor = loss.mean()
    return mean


def _begin(network: Any, batches: Batches | CachedBatches) -> None:
    """Networks that are fitted to whole clips at once are, before the first step."""
    rows = batches.pool["clip"].tolist()
    where = next(network.parameters()).device
    features, targets = batches.whole(rows), torch.from_numpy(batches.target[rows])
    network.begin(features[:, None].to(where), targets.to(where))


def _validation(batches: Batches | CachedBatches) -> tuple[Tensor, Tensor]:
    rows = [i for i, r in enumerate(batches.rows) if r.split == "val" and r.role == "clip"]
    rows = [i for i in rows if batches.banks[0].length[i] and batches.target[i] != EITHER]
    if not rows:
        raise UsageError("the manifest has no labelled clips in split val", "add some")
    return batches.whole(rows), torch.from_numpy(batches.target[rows])


def _validate(
    recipe: Recipe,
    weights: dict[str, Tensor],
    validation: tuple[Tensor, Tensor],
    device: torch.device,
) -> tuple[float, float]:
    network = _placed(build(recipe.model, len(recipe.data.labels), load=False), device)
    network.load_state_dict(weights)
    network.eval()
    with torch.no_grad():
        logits = torch.cat(
            [network(x[:, None].to(device)).cpu() for x in validation[0].split(256)]
        )
    accuracy = float((logits.argmax(1) == validation[1]).float().mean())
    return accuracy, float(nn.functional.cross_entropy(logits, validation[1]))


def _placed(network: Any, device: torch.device) -> nn.Module:
    """On the device, channels last: a fifth faster on CPU (torch's stubs lack the argument)."""
    placed: nn.Module = network.to(device, memory_format=torch.channels_last)
    return placed
