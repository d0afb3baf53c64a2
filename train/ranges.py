"""What the numbers of a recipe may be, said before anything is read or trained.

`RANGES` has the fields of all kinds of recipe by their dotted names; a field of `SHARES` is a
chance or a share. What a recipe does not have is passed over. No number may be NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from realtime.errors import UsageError

HINT = "see docs/recipes.md"
ANY = math.inf
SHARES = (
    "mix.talk", "mix.silence", "mix.fragment", "mix.events", "mix.empty", "mix.alone",
    "mix.second", "mix.room", "mix.shape", "mix.whisper", "mix.drive", "mix.band", "mix.mute",
    "augment.room", "augment.neighbour", "augment.noise", "augment.mixup", "augment.cutmix",
    "loss.smoothing", "loss.imitate", "loss.alpha", "loss.prior",
    "fit.warmup", "fit.drop_every", "fit.ema",
)  # fmt: skip
MIXED = ("mix.talk", "mix.silence", "mix.fragment", "mix.events")  # of one batch
RANGES = {
    "window_s": (0.01, 3600.0), "hop_s": (0.001, 3600.0), "threshold": (0.0, 1.0),
    "mix.batch": (1, ANY), "mix.most": (1, ANY), "mix.rows": (1, ANY),
    "mix.seconds": (0.1, ANY),
    "augment.shift_s": (0.0, ANY), "augment.stretch": (0.0, 0.9), "augment.tilt_db": (0.0, ANY),
    "augment.time_masks": (0, ANY), "augment.time_mask": (0, ANY),
    "augment.mel_masks": (0, ANY), "augment.mel_mask": (0, ANY),
    "loss.temperature": (1e-3, ANY),
    "fit.steps": (1, ANY), "fit.rate": (0.0, ANY), "fit.decay": (0.0, ANY),
    "fit.clip": (0.0, ANY), "fit.average": (0, ANY), "fit.freeze_steps": (0, ANY),
    "fit.validate": (1, ANY), "fit.patience": (0, ANY), "fit.seed": (0, 2**32 - 1),
    "fit.parts": (1, ANY), "fit.threads": (0, 1024), "fit.workers": (0, 1024),
    **dict.fromkeys(SHARES, (0.0, 1.0)),
}  # fmt: skip


def check_ranges(recipe: msgspec.Struct, where: str) -> None:
    """Refuse numbers that make no sense, and a name that is no folder's.

    Args:
        recipe: of any kind.
        where: its file, for messages.

    Raises:
        UsageError: so.
    """
    found = list(_numbers(recipe))
    for key, value in found:
        low, high = RANGES.get(key, (-ANY, ANY))
        if key.startswith("thresholds."):
            low, high = 0.0, 1.0
        if not low <= value <= high:
            top = " or more" if high == ANY else f" to {high:g}"
            use = "a number" if low == -ANY else f"{low:g}{top}"
            raise UsageError(f"{where}: {key} is {value:g}: use {use}", HINT)
    shares = sum(value for key, value in found if key in MIXED)
    if shares > 1.0:
        raise UsageError(f"{where}: {', '.join(MIXED)} make {shares:g} together: use 1", HINT)
    name = getattr(recipe, "name", None)
    if isinstance(name, str) and (not name.strip(". ") or set(name) & set("/\\\0")):
        raise UsageError(f"{where}: name is {name!r}: a folder has to bear it", HINT)


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a recipe with its dotted name; those of a list have the list's."""
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from _numbers(inner, f"{key}[]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield key, value
