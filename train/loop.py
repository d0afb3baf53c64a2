"""`Run`: what every training loop does: begin or go on, step, average, keep, end.

A step is a function of (recipe, seed, step number), and `last.safetensors` holds everything
else (weights, averaged weights, optimizer), so an interrupted run goes on as if nothing had
happened. A loop reads:

    run = Run(recipe.name, recipe.fit, out, network, device, loss)
    for step, batch in run.batches(draw):
        if run.learn(step, batch):  # it is time for a validation
            ...
            run.keep(step, card, description, figure, ...)
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from models import parameters
from models.checkpoint import save_checkpoint
from realtime.card import Card
from realtime.errors import UsageError
from realtime.outputs.replace import make_folder
from train import processes, saved
from train.ahead import ahead
from train.bar import progress_bar
from train.journal import Journal
from train.memory import keep_memory
from train.optimise import learning_rate, optimizer_of, set_frozen
from train.tables import Fit
from train.weights import begin_with, follow, mean_of, named

CLIP = 5.0  # greatest norm of the gradient unless a recipe says otherwise

Loss = Callable[[nn.Module, Any], Tensor]

log = logging.getLogger("rt.train.loop")


def begin(f: Fit, out: Path) -> torch.device:
    """Folder, threads, seed and device of a run.

    Raises:
        UsageError: a device or a precision that is not there.
        OutputError: no folder can be made.
    """
    make_folder(out)
    keep_memory()
    torch.set_num_threads(f.threads or os.cpu_count() or 1)
    device = processes.pick_device(f.device)
    if f.precision == "float16" and device.type == "cpu":
        raise UsageError("fit.precision is float16 on a CPU", "use float32 or bfloat16")
    torch.manual_seed(f.seed)
    return device


def placed(network: Any, device: torch.device) -> nn.Module:
    """On the device, channels last: a fifth faster on CPU (torch's stubs lack the argument)."""
    out: nn.Module = network.to(device, memory_format=torch.channels_last)
    return out


class Run:
    """A network on its way.

    Args:
        name: of the run.
        f: the optimisation.
        out: folder for `last.safetensors`, `best.safetensors` and what the journal writes.
        network: fresh, on its device.
        loss: of the network and a batch.
        clip: greatest norm of the gradient where the recipe says none.
        recipe: for the journal.
        fresh: called before the first step of a run that goes on from nothing.

    Attributes:
        network: as it learns.
        average: its averaged weights, which are judged and kept.
        writes: this process is the one that judges and writes.
        best_path: the result.
    """

    def __init__(
        self, name: str, f: Fit, out: Path, network: nn.Module, device: torch.device,
        loss: Loss, *, clip: float = CLIP, recipe: Any = None,
        fresh: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.fit, self.out, self.network = name, f, out, network
        self.writes, self.best_path = processes.number() == 0, out / "best.safetensors"
        if f.init:
            begin_with(network, Path(f.init))
        if fresh is not None and not (out / saved.LAST).exists():
            fresh()
        self._device, self._clip = device, clip if f.clip is None else f.clip
        self._optimizer = optimizer_of(network, f)
        self.average = {k: v.clone() for k, v in network.state_dict().items()}
        self.progress = saved.resume(out, network, self._optimizer, self.average)
        self._scaler = GradScaler(device.type, enabled=f.precision == "float16")
        if self.progress.scaler:
            self._scaler.load_state_dict(self.progress.scaler)
        self._parts = processes.parts_of(f)
        self._engine = self._wrapped(loss, self.progress.step)
        self._loss, self._note = loss, ""
        self._journal = Journal(out, recipe, self.progress.step) if self.writes else None
        log.info(
            "%s: %d parameters, step %d of %d on %s",
            name, parameters(network), self.progress.step, f.steps, device,
        )  # fmt: skip
        self._count()

    def batches(self, draw: Callable[[int], Any]) -> Iterator[tuple[int, Any]]:
        """This process's batches with the numbers of their steps."""
        f, parts = self.fit, self._parts
        mine = range(processes.number(), parts, processes.count())
        steps = range(self.progress.step, f.steps) if not self._waited() else range(0)
        numbers = [step * parts + part for step in steps for part in mine]
        with progress_bar(self.writes) as bar, self._journal or nullcontext():
            task = bar.add_task(self.name, total=f.steps, completed=self.progress.step, note="")
            made = ahead(draw, numbers, f.workers)
            for number, batch in zip(numbers, made, strict=True):
                step = number // parts
                self._prepare(step)
                torch.manual_seed(f.seed * 7919 + number)  # dropout, mixup: also after a resume
                yield step, batch
                bar.update(task, completed=step + 1, note=self._note)

    def learn(self, step: int, batch: Any) -> bool:
        """Take a batch, and a step when its last one was taken: whether to validate now."""
        share = self._parts // processes.count()
        self._taken += 1
        with self._precision():
            loss = self._engine(batch)
        self._scaler.scale(loss / share).backward()
        self._total += loss.detach()
        if self._taken % share:
            return False
        self._scaler.unscale_(self._optimizer)
        if self._clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        decay = min(self.fit.ema, (step + 1) / (step + 10))
        follow(self.average, self.network.state_dict(), decay)
        return (step + 1) % self.fit.validate == 0 or step + 1 == self.fit.steps

    def keep(
        self,
        step: int,
        card: Card,
        description: dict[str, Any],
        figure: float,
        **numbers: float,
    ) -> bool:
        """Write down a validation, and the weights; whether they are the best so far.

        Args:
            step: after which it was.
            card: of the network as it is.
            description: what `models.build` needs.
            figure: the more the better.
            numbers: further ones for the journal.
        """
        p = self.progress
        mean = float(self._total) / max(1, self._taken)
        self._note = "  ".join(f"{k} {v:.4f}" for k, v in {"loss": mean, **numbers}.items())
        log.info("step %d: %s", step + 1, self._note)
        if self._journal is not None:
            self._journal.add(step + 1, loss=mean, **numbers)
        p.waited = 0 if figure > p.best else p.waited + 1
        p.step, p.scaler = step + 1, self._scaler.state_dict()
        best = self.keep_if_best(self.average, card, description, figure)
        if self.fit.average:
            path = self.out / f"kept-{step + 1:08}.safetensors"
            save_checkpoint(path, named(self.average), description, card)
            for old in self._kept()[: -self.fit.average]:
                old.unlink()
        saved.save_last(
            self.out, self.network, self._optimizer, self.average, p, card, description
        )
        return best

    def pace(self, step: int) -> float:
        """Steps a second since the last validation."""
        return (step + 1 - self.progress.step) / (time.monotonic() - self._since)

    def keep_if_best(
        self, weights: dict[str, Tensor], card: Card, description: dict[str, Any], figure: float
    ) -> bool:
        """Make weights the result, if no others had a better figure: whether it was so."""
        if not figure >= self.progress.best:  # nor is what is no number
            return False
        self.progress.best = figure
        save_checkpoint(self.best_path, named(weights), description, card)
        return True

    def mean(self) -> dict[str, Tensor]:
        """Mean weights of the last validations, where the recipe asks for them; else none."""
        kept = self._kept() if self.fit.average else []
        return mean_of(kept) if kept else {}

    def _kept(self) -> list[Path]:
        return sorted(self.out.glob("kept-*.safetensors"))

    def over(self) -> bool:
        """Whether to stop early; every process is told the same."""
        self.progress.step, self.progress.waited = processes.told(
            (self.progress.step, self.progress.waited)
        )
        self._count()
        return self._waited()

    def _waited(self) -> bool:
        return bool(self.fit.patience) and self.progress.waited >= self.fit.patience

    def _count(self) -> None:
        self._total = torch.zeros((), device=self._device)
        self._taken, self._since = 0, time.monotonic()

    def _prepare(self, step: int) -> None:
        """Rate, and what is frozen, of a step."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(step, self.fit)
        if self.fit.freeze and step == self.fit.freeze_steps:
            self._engine = self._wrapped(self._loss, step)

    def _wrapped(self, loss: Loss, step: int) -> nn.Module:
        f = self.fit
        frozen = not f.freeze_steps or step < f.freeze_steps
        self.network.train()
        set_frozen(self.network, f.freeze, frozen)
        return processes.shared(_Minimised(self.network, loss), self._device)

    def _precision(self) -> AbstractContextManager[Any]:
        kinds = {"bfloat16": torch.bfloat16, "float16": torch.float16}
        if self.fit.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, kinds[self.fit.precision])


class _Minimised(nn.Module):
    """Network and loss as one module, for gradients that processes share."""

    def __init__(self, network: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.network, self._loss = network, loss

    def forward(self, batch: Any) -> Tensor:
        """The loss of a batch."""
        return self._loss(self.network, batch)
