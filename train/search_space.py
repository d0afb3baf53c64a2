"""What `rt-train search` may choose: the fields of a recipe and what each may be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from realtime.errors import UsageError
from realtime.toml import read_toml
from train.recipe import convert_recipe, read_tables

if TYPE_CHECKING:
    from optuna.trial import Trial

HINT = "see docs/recipes.md#search"


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a field may be: numbers of a range, or one of some values.

    Args:
        low: least; whole numbers in both ends mean whole numbers between them.
        high: greatest.
        log: chosen evenly on a logarithmic scale.
        step: distance of the numbers, 0 for any.
        choices: in place of a range, any values that the field takes.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float = 0
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is neither or both."""
        ends = self.low is not None and self.high is not None
        if ends == bool(self.choices):
            raise ValueError("give low and high, or choices")
        if self.low is not None and self.high is not None:
            if self.low >= self.high or (self.log and self.low <= 0):
                raise ValueError(f"low {self.low}, high {self.high}: no such range")
            if self.log and self.step:
                raise ValueError("log and step do not go together")

    def ask(self, trial: Trial, name: str) -> Any:
        """The value of a trial."""
        if self.choices:
            shown = {_shown(c): c for c in self.choices}
            return shown[trial.suggest_categorical(name, list(shown))]
        low, high, step = self.low, self.high, self.step
        if isinstance(low, int) and isinstance(high, int):
            return trial.suggest_int(name, low, high, step=int(step) or 1, log=self.log)
        return trial.suggest_float(name, float(low or 0), float(high or 0), step=step or None,
                                   log=self.log)  # fmt: skip


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a search does.

    Args:
        space: for each field, by its dotted name, what it may be.
        trials: how many are made in all, those of other processes among them.
        startup: trials of random values, of which none is ended early.
        warmup: steps of a trial before it can be ended early.
    """

    space: dict[str, Range]
    trials: int = 40
    startup: int = 8
    warmup: int = 0


def read_search(recipe: Path, changes: tuple[str, ...], space: Path | None) -> Search:
    """The table `[search]` of a recipe, or a file in its place.

    Raises:
        UsageError: none, or what it says cannot be.
    """
    where = space or recipe
    tables = read_toml(space, HINT) if space else read_tables(recipe, changes).get("search")
    if not tables:
        raise UsageError(f"{where}: no table [search]", f"add one, or give --space; {HINT}")
    return convert_recipe(tables, Search, where)


def _shown(value: Any) -> Any:
    """A choice as Optuna keeps it: a number, a text, or the JSON of anything else."""
    plain = isinstance(value, str | int | float | bool)
    return value if plain else msgspec.json.encode(value).decode()
