"""PGD: the least favourable small change of a clip's sound, for any checkpoint.

The gradient goes through the network and the torch front end to the samples. A change is
bounded by its largest sample (L-infinity) or by the root of its energy (L2). Beside it stands
a random change of the same size, which shows what is due to the aim.
Source: Madry et al., "Towards deep learning models resistant to adversarial attacks" (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import soundfile
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from realtime.card import Card
from realtime.errors import AudioError, UsageError
from train.bank import read_mono
from train.clip_scores import Array, ClipScores, loudest, truth_of
from train.manifest import Row
from train.robust.noise import headline
from train.torch_frontend import TorchFrontEnd

Norm = Literal["inf", "2"]
Loss = Callable[[Tensor], Tensor]  # sound [batch, samples] to a loss of each, [batch]

STEPS = 20
REACH = 2.5  # steps together could go this far, in units of the bound
BATCH = 32


class Target(nn.Module):
    """A network and its front end: float32 [batch, samples] to logits [batch, labels].

    Args:
        network: of a checkpoint.
        card: its card.

    Raises:
        UsageError: its output is no logits.
    """

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        if card.input.features is None or not card.scores.startswith("logit"):
            raise UsageError(
                f"{card.name} gives {card.scores}", "an attack needs a checkpoint of rt-train"
            )
        self.network = network.eval().requires_grad_(False)
        self.frontend = TorchFrontEnd(card.input.features)
        self.softmax = card.scores == "logit_softmax"

    def forward(self, sound: Tensor) -> Tensor:
        """Logits."""
        features = self.frontend.finish(self.frontend(sound))
        logits: Tensor = self.network(features[:, None])
        return logits

    def loss(self, sound: Tensor, truth: Tensor) -> Tensor:
        """How wrong the network is about each clip, [batch]."""
        logits = self(sound)
        if self.softmax:
            wrong = -logits.log_softmax(1) * truth
        else:
            wrong = nn.functional.binary_cross_entropy_with_logits(
                logits, truth, reduction="none"
            )
        total: Tensor = wrong.sum(1)
        return total

    def scores(self, sound: Tensor) -> Array:
        """Probabilities, float32 [batch, labels]."""
        with torch.no_grad():
            logits = self(sound)
            p = logits.softmax(1) if self.softmax else logits.sigmoid()
        found: Array = p.cpu().numpy()
        return found


def random_change(x: Tensor, eps: float, norm: Norm, g: torch.Generator) -> Tensor:
    """A change of the greatest size that is allowed, aimed at nothing."""
    noise = torch.randn(x.shape, generator=g).to(x.device)
    return eps * (noise.sign() if norm == "inf" else noise / _length(noise))


def pgd(
    loss: Loss, x: Tensor, eps: float, norm: Norm, steps: int = STEPS,
    g: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """The change, of those met on the way, that makes the loss of each row greatest.

    Args:
        loss: of each row.
        x: float32 [batch, samples], -1 to 1; so is the changed sound.
        eps: bound of the change, in the norm.
        norm: "inf" or "2".
        steps: of the ascent, from a random start.
        g: of the start.

    Returns:
        The change, float32 [batch, samples].

    Raises:
        UsageError: the network passes no gradient on.
    """
    g = g or torch.Generator().manual_seed(1)
    start = torch.rand(len(x), 1, generator=g).to(x.device)
    delta = _bounded(start * random_change(x, eps, norm, g), x, eps, norm)
    best, worst = delta, torch.full((len(x),), -torch.inf, device=x.device)
    for step in range(steps + 1):
        delta = delta.detach().requires_grad_(True)
        now = loss(x + delta)
        better = now.detach() > worst
        worst = torch.where(better, now.detach(), worst)
        best = torch.where(better[:, None], delta.detach(), best)
        if step == steps:
            break
        slope = _slope(now, delta)
        move = slope.sign() if norm == "inf" else slope / _length(slope)
        delta = _bounded(delta.detach() + REACH * eps / steps * move, x, eps, norm)
    return best


def judge_attacked(
    network: nn.Module, card: Card, rows: Sequence[Row], root: Path, norm: Norm,
    bounds: Sequence[float], steps: int = STEPS, seed: int = 1, quiet: bool = False,
    device: torch.device | str = "cpu",
) -> dict[str, Any]:  # fmt: skip
    """A checkpoint's figure on clips as they are, changed at random, and changed on purpose.

    Each clip is one window: in the middle of silence, or its loudest part.

    Args:
        network: the checkpoint's.
        card: its card.
        rows: labelled clips.
        root: folder of their files.
        norm: of the change.
        bounds: of the change; for "inf" in units of full scale.
        steps: of the ascent.
        seed: of random changes and starts.
        quiet: no progress bar.
        device: to compute on.

    Returns:
        Plain data: see docs/metrics.md.
    """
    target = Target(network, card).to(device)
    clips, truth, files, bad = _clips(card, rows, root)
    empty = ClipScores(
        model=card.name, labels=list(card.labels), scores=np.zeros(truth.shape, np.float32),
        truth=truth, files=files, thresholds=np.array([card.threshold(k) for k in card.labels]),
        softmax=target.softmax, ms_per_window=0.0, unreadable=bad,
    )  # fmt: skip

    def figure(scores: list[Array]) -> tuple[str, float]:
        return headline(msgspec.structs.replace(empty, scores=np.concatenate(scores)))

    g = torch.Generator().manual_seed(seed)
    batches = [
        (
            torch.from_numpy(clips[i : i + BATCH]).to(device),
            torch.from_numpy(truth[i : i + BATCH]).float().to(device),
        )
        for i in range(0, len(clips), BATCH)
    ]
    name, clean = figure([target.scores(x) for x, _ in batches])
    found, console = [], Console(stderr=True)
    for eps in bounds:
        attacked, random, ratios = [], [], []
        for x, y in track(
            batches, f"eps {eps:g}", transient=True, disable=quiet, console=console
        ):
            noise = random_change(x, eps, norm, g)
            random.append(target.scores(_bounded(noise, x, eps, norm) + x))
            delta = pgd(lambda z, y=y: target.loss(z, y), x, eps, norm, steps, g)  # type: ignore[misc]
            attacked.append(target.scores(x + delta))
            ratios.append(10.0 * (x.square().sum(1) / delta.square().sum(1)).log10())
        found.append(
            {
                "eps": eps,
                "attacked": figure(attacked)[1],
                "random": figure(random)[1],
                "snr_db": float(torch.cat(ratios).median()),
            }
        )
    return {
        "model": card.name,
        "n": len(clips),
        "figure": name,
        "norm": norm,
        "steps": steps,
        "clean": clean,
        "attacks": found,
        "unreadable": bad,
    }


def _clips(
    card: Card, rows: Sequence[Row], root: Path
) -> tuple[Array, np.ndarray[Any, np.dtype[np.bool_]], list[str], list[str]]:
    clips, truth, files, bad = [], [], [], []
    for row in rows:
        wanted = truth_of(row, list(card.labels), card.name)
        try:
            clips.append(loudest(card, read_mono(root / row.file, card.rate)))
        except (OSError, soundfile.SoundFileError) as e:
            bad.append(f"{row.file}: {e}")
            continue
        truth.append(wanted)
        files.append(row.file)
    if not clips:
        raise AudioError(
            f"{root}: no clip could be read ({len(bad)} tried)", "check the folder"
        )
    return np.stack(clips), np.stack(truth), files, bad


def _slope(loss: Tensor, delta: Tensor) -> Tensor:
    if not loss.requires_grad:
        raise UsageError("the network passes no gradient on", "attack a network, no mixtures")
    (slope,) = torch.autograd.grad(loss.sum(), delta)
    # the logarithm of nothing, or its root
    return torch.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)


def _bounded(delta: Tensor, x: Tensor, eps: float, norm: Norm) -> Tensor:
    if norm == "inf":
        delta = delta.clamp(-eps, eps)
    else:
        delta = delta * (eps / _length(delta)).clamp_max(1.0)
    # what leaves full scale is cut off, which only makes the change smaller
    return (x + delta).clamp(-1.0, 1.0) - x


def _length(x: Tensor) -> Tensor:
    return x.square().sum(1, keepdim=True).sqrt().clamp_min(1e-12)
