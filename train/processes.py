"""Several processes that train one network: `torchrun -m train.command RECIPE`.

Each takes its share of a step's batch, their gradients are averaged (DistributedDataParallel),
and the first one writes. Without torchrun there is one process, and nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from realtime.errors import UsageError
from train.tables import Fit

PATIENCE = timedelta(hours=6)  # of processes that wait for the first: decoding takes its time

Made = TypeVar("Made")


def count() -> int:
    """Processes of this run."""
    return dist.get_world_size() if dist.is_initialized() else 1


def number() -> int:
    """This process's number; 0 writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def parts_of(f: Fit) -> int:
    """Parts of a step's batch: at least one for each process.

    Raises:
        UsageError: the processes cannot share them evenly.
    """
    parts = max(f.parts, count())
    if parts % count():
        raise UsageError(f"fit.parts is {parts} with {count()} processes", "use a multiple")
    return parts


def rows_of(batch: int, f: Fit) -> int:
    """Rows of one part of a batch.

    Raises:
        UsageError: the batch cannot be parted evenly.
    """
    if batch % parts_of(f):
        raise UsageError(f"a batch of {batch} rows in {parts_of(f)} parts", "use a multiple")
    return batch // parts_of(f)


def pick_device(name: str) -> torch.device:
    """The device that a recipe asks for; under torchrun the process's own, and the others met.

    Raises:
        UsageError: cuda is asked for and there is none, or what torch does not know.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("fit.device is cuda and there is none", "use auto or cpu")
    try:
        device = torch.device(name)
    except RuntimeError as e:
        raise UsageError(f"fit.device is {name}", "use auto, cpu or cuda") from e
    if "TORCHELASTIC_RUN_ID" in os.environ:
        if name == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if name == "cuda" else "gloo", timeout=PATIENCE)
    return device


def shared(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with its gradients averaged over the processes, where there are several."""
    if count() == 1:
        return module
    if device.type == "cuda":
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return DistributedDataParallel(module, device_ids=[device.index])
    return DistributedDataParallel(module)


def in_turn(make: Callable[[], Made]) -> Made:
    """What `make` gives; the first process makes its own first, and the others find a cache."""
    if count() == 1:
        return make()
    if number() == 0:
        made = make()
        dist.barrier()
    else:
        dist.barrier()
        made = make()
    return made


def told(value: Any) -> Any:
    """What the first process says, in all of them."""
    if count() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def leave() -> None:
    """End of the run."""
    if dist.is_initialized():
        dist.destroy_process_group()
