"""The training loop of a gate. Reads top to bottom: recipe, mixtures, network, steps.

How a step is taken, and how an interrupted run goes on, is in `train.loop`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import build
from models.gate import GateNetwork
from realtime.card import FORMAT, Card, InputSpec
from realtime.errors import UsageError
from train.gate.mixtures import MixBatch, Mixtures
from train.gate.recipe import GateRecipe
from train.loop import Run, begin
from train.manifest import read_manifest
from train.metrics import roc_auc
from train.pictures import write_pictures
from train.processes import parts_of

CLIP = 1.0  # greatest norm of the gradient unless a recipe says otherwise
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
    device = begin(recipe.fit, out)
    if parts_of(recipe.fit) > 1:
        raise UsageError("a gate's batches are not parted", "leave out fit.parts and torchrun")
    card_of(recipe, 0, 0.0)  # what its card cannot say is refused before hours of training
    rows = read_manifest(Path(recipe.data.manifest))
    mixtures = Mixtures(recipe, rows)
    others = Mixtures(recipe, rows, "val")
    validation = [others.draw(VALIDATION_STEP + i) for i in range(VALIDATION_BATCHES)]
    torch.manual_seed(recipe.fit.seed)
    kinds = len(mixtures.kinds)
    description = dict(recipe.model) | {"mels": recipe.features.width, "kinds": kinds}
    network = _network(recipe, description).to(device)

    def loss(network: Any, batch: MixBatch) -> Tensor:
        return gate_loss(network, batch, recipe, device)

    run = Run(recipe.name, recipe.fit, out, network, device, loss, clip=CLIP, recipe=recipe)
    hours = recipe.mix.rows * recipe.mix.seconds / 3600  # in a step
    for step, batch in run.batches(mixtures.draw):
        if not run.learn(step, batch):
            continue
        auc, val_loss = _validate(recipe, description, run.average, validation, device)
        card = card_of(recipe, step + 1, auc)
        numbers = {"val_loss": val_loss, "val_auc": auc}
        pace = 60.0 * run.pace(step) * hours
        run.keep(step, card, description, auc, **numbers, hours_per_min=pace)
        if run.over():
            break
    write_pictures(out)
    return run.best_path


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
