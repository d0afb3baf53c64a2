"""What the NumPy twins of the sound path share. Used by `path.py` and `joint_path.py`."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.duplex.layout import Audio


def bound(module: ModuleType, **twins: Callable[..., Any] | SimpleNamespace) -> Any:
    """A module's functions, bound anew so that they call twins where there are some."""
    own: dict[str, Any] = dict(vars(module))
    for name, function in vars(module).items():
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            own[name] = FunctionType(function.__code__, own, name)
    own.update(twins)
    return SimpleNamespace(**own)


def fade(value: float, step: float, n: int) -> NDArray[np.float64]:
    """The next `n` values on the way to 0 or 1."""
    return np.clip(value + step * np.arange(1, n + 1), 0.0, 1.0)


def put(ring: Audio, position: int, audio: Audio) -> None:
    """Write into a ring whose length is a power of two."""
    begin = position & (len(ring) - 1)
    head = min(len(audio), len(ring) - begin)
    ring[begin : begin + head] = audio[:head]
    ring[: len(audio) - head] = audio[head:]


def get(ring: Audio, position: int, n: int) -> Audio:
    """Read from it: a look into it, or a copy where it wraps."""
    begin = position & (len(ring) - 1)
    if begin + n <= len(ring):
        return ring[begin : begin + n]
    return np.concatenate([ring[begin:], ring[: begin + n - len(ring)]])
