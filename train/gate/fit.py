"""The training loop of a gate. Reads top to bottom: recipe, mixtures, network, steps.

As in `train.fit`, a step is a function of (recipe, seed, step number), and a run that was
interrupted goes on from `last.safetensors` as if nothing had happened.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from models import build, parameters
from models.checkpoint import save_checkpoint
from models.gate import GateNetwork
from realtime.card import FORMAT, Card, InputSpec
from realtime.errors import UsageError
from train.gate.mixtures import MixBatch, Mixtures
from train.gate.recipe import GateRecipe
from train.journal import Journal
from train.loop import (
    begin_with,
    follow,
    learning_rate,
    pick_device,
    progress_bar,
    resume,
    save_last,
    weight_groups,
)
from train.manifest import read_manifest
from train.metrics import roc_auc
from train.pictures import write_pictures

VALIDATION_BATCHES = 4
VALIDATION_STEP = 10_000_000  # their numbers begin where no run gets to

log = logging.getLogger("rt.train.gate.fit")


def fit_gate(recipe: GateRecipe, out: Path) -> Path:
    """Run a recipe.

    Args:
        recipe: what to do.
        out: folder for `last.safetensors` (resumes), `best.safetensors` (the result),
            numbers and learning curves.

    Returns:
        The result's path.
    """
    f = recipe.fit
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(f.threads or os.cpu_count() or 1)
    device = pick_device(f.device)
    rows = read_manifest(Path(recipe.data.manifest))
    mixtures = Mixtures(recipe, rows)
    others = Mixtures(recipe, rows, "val")
    validation = [others.draw(VALIDATION_STEP + i) for i in range(VALIDATION_BATCHES)]
    torch.manual_seed(f.seed)
    description = dict(recipe.model) | {
        "mels": recipe.features.width,
        "kinds": len(mixtures.kinds),
    }
    network = _network(recipe, description).to(device)
    if f.init:
        begin_with(network, Path(f.init))
    optimizer = torch.optim.AdamW(weight_groups(network, f.decay), lr=f.rate, foreach=True)
    average = {k: v.clone() for k, v in network.state_dict().items()}
    first, best = resume(out, network, optimizer, average)
    count = parameters(network)
    log.info(
        "%s: %d parameters, step %d of %d on %s", recipe.name, count, first, f.steps, device
    )
    total, since, seen = 0.0, time.monotonic(), first
    with Journal(out, recipe, first) as journal, progress_bar() as progress:
        bar = progress.add_task(recipe.name, total=f.steps, completed=first, note="")
        for step, batch in enumerate(_ahead(mixtures, range(first, f.steps), f.workers), first):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, f)
            loss = gate_loss(network, batch, recipe, device)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            follow(average, network.state_dict(), min(f.ema, (step + 1) / (step + 10)))
            total += float(loss.detach())
            progress.update(bar, completed=step + 1)
            if (step + 1) % f.validate == 0 or step + 1 == f.steps:
                auc, val_loss = _validate(recipe, description, average, validation, device)
                mean, done = total / (step + 1 - seen), (step + 1 - seen) * recipe.mix.rows
                hours = done * recipe.mix.seconds / 3600
                pace = hours / (time.monotonic() - since) * 60
                note = f"loss {mean:.4f}  val {val_loss:.4f}  AUC {auc:.4f}"
                log.info("step %d: %s", step + 1, note)
                progress.update(bar, note=note)
                journal.add(
                    step=step + 1,
                    loss=mean,
                    val_loss=val_loss,
                    val_auc=auc,
                    hours_per_min=pace,
                )
                card = card_of(recipe, step + 1, auc)
                if auc >= best:
                    best = auc
                    tensors = {f"model.{k}": v for k, v in average.items()}
                    save_checkpoint(out / "best.safetensors", tensors, description, card)
                save_last(out, network, optimizer, average, step + 1, best, card, description)
                total, since, seen = 0.0, time.monotonic(), step + 1
    write_pictures(out)
    return out / "best.safetensors"


def _ahead(mixtures: Mixtures, steps: range, workers: int) -> Iterable[MixBatch]:
    """The batches of these steps, made ahead by other processes where there are any."""
    return DataLoader(
        _Steps(mixtures, steps),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_one_thread,
    )


class _Steps(Dataset[MixBatch]):
    """The batches as a data set, in order."""

    def __init__(self, mixtures: Mixtures, steps: range) -> None:
        self.mixtures, self.steps = mixtures, steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> MixBatch:
        if index >= len(self.steps):
            raise IndexError(index)
        return self.mixtures.draw(self.steps[index])


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)


def gate_loss(
    network: GateNetwork, batch: MixBatch, recipe: GateRecipe, device: torch.device
) -> Tensor:
    """Cross-entropy weighted toward onsets, difference of the gated signals, kinds.

    The gated signal is the mixture times p(open), hop by hop; its difference from the ideally
    gated one is the mixture's amplitude times the difference of the gains.
    """
    w = recipe.loss
    embedding, _ = network.embed(batch.features.to(device))
    logits = network.scores(embedding)
    ideal = aligned(batch.gate, recipe).to(device)
    loss = logits.new_zeros(())
    if w.label:
        weight = 1.0 + w.onset * aligned(_onsets(batch.gate, recipe), recipe).to(device)
        cross = nn.functional.binary_cross_entropy_with_logits(logits, ideal, weight)
        loss = loss + w.label * cross
    if w.signal:
        level = aligned(batch.level, recipe).to(device)
        miss = (level * (logits.sigmoid() - ideal).square()).sum(1) / level.sum(1)
        loss = loss + w.signal * miss.mean()
    if w.kinds and network.kind is not None:
        told = nn.functional.binary_cross_entropy_with_logits(
            network.kind(embedding), batch.kinds.to(device)
        )
        loss = loss + w.kinds * told
    return loss


def aligned(hops: Tensor, recipe: GateRecipe) -> Tensor:
    """What each score is about: hops [rows, frames + 1] to [rows, frames, scores].

    Frame k has heard up to hop k + 1; its score i is about `lookahead_ms[i]` before that.
    """
    frames = hops.shape[1] - 1
    step_ms = 1000.0 * recipe.features.hop / recipe.features.rate
    columns = []
    for ms in recipe.lookahead_ms:
        at = torch.arange(1, frames + 1) - round(ms / step_ms)
        columns.append(hops[:, at.clamp_min(0)])
    return torch.stack(columns, 2)


def card_of(recipe: GateRecipe, steps: int, auc: float) -> Card:
    """The card of a gate trained so."""
    spec = recipe.features
    labels = tuple("open" if not ms else f"open_{ms:g}ms" for ms in recipe.lookahead_ms)
    return Card(
        format=FORMAT,
        name=recipe.name,
        task="gate",
        input=InputSpec(kind="features", features=spec, layout="btf"),
        rate=spec.rate,
        window_s=spec.hop / spec.rate,
        hop_s=spec.hop / spec.rate,
        labels=labels,
        lookahead_ms=recipe.lookahead_ms,
        thresholds={"default": recipe.threshold},
        scores="logit",
        decision=recipe.decision,
        licence=recipe.data.licence,
        trained_on=recipe.data.trained_on,
        measured=(
            {"figure": f"AUC {auc:.4f}", "data": "mixtures of the val part", "steps": steps},
        ),
        recipe=recipe.to_dict(),
        digest=spec.digest(),
    )


def _network(recipe: GateRecipe, description: dict[str, Any]) -> GateNetwork:
    network = build(description, len(recipe.lookahead_ms))
    if not isinstance(network, GateNetwork):
        raise UsageError(f"network {description['network']} is no gate", 'use network = "gate"')
    return network


def _onsets(gate: Tensor, recipe: GateRecipe) -> Tensor:
    """1 in the first hops of each opening."""
    hops = round(recipe.loss.onset_s * recipe.features.rate / recipe.features.hop)
    before = nn.functional.pad(gate, (1, 0))[:, :-1]
    began = nn.functional.pad((gate > before).float(), (hops - 1, 0))
    recent = nn.functional.max_pool1d(began[:, None], hops, 1)[:, 0]
    return recent * gate


@torch.no_grad()
def _validate(
    recipe: GateRecipe, description: dict[str, Any], weights: dict[str, Tensor],
    validation: list[MixBatch], device: torch.device,
) -> tuple[float, float]:  # fmt: skip
    network = _network(recipe, description).to(device)
    network.load_state_dict(weights)
    network.eval()
    scores, truth, loss = [], [], 0.0
    for batch in validation:
        loss += float(gate_loss(network, batch, recipe, device)) / len(validation)
        scores.append(network(batch.features.to(device))[0][..., 0].cpu().flatten())
        truth.append(aligned(batch.gate, recipe)[..., 0].flatten())
    return roc_auc(torch.cat(scores).numpy(), torch.cat(truth).numpy() > 0.5), loss
