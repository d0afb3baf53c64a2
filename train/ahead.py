"""Batches made ahead of the loop, in other processes where a recipe asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset


def ahead(draw: Callable[[int], Any], numbers: Sequence[int], workers: int) -> Iterable[Any]:
    """The batches of these numbers, in order.

    Args:
        draw: makes a batch from its number.
        numbers: of the batches.
        workers: processes that make them; 0 makes each when it is asked for.
    """
    if not workers:
        return map(draw, numbers)
    return DataLoader(
        _Numbered(draw, numbers),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_one_thread,
    )


class _Numbered(Dataset[Any]):
    """The batches as a data set."""

    def __init__(self, draw: Callable[[int], Any], numbers: Sequence[int]) -> None:
        self.draw, self.numbers = draw, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Any:
        return self.draw(self.numbers[index])


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
