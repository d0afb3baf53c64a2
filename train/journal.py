"""`Journal`: what a run writes beside its weights, for people and for other programs.

`recipe.toml` and `recipe.json` (all fields, as they were), `metrics.csv` and `metrics.json`
(a row for each validation), and events for TensorBoard where that is installed.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from realtime.fields import toml_of
from realtime.outputs.replace import write_whole

log = logging.getLogger("rt.train.journal")


class Journal:
    """A run's numbers; `with` closes it.

    Args:
        out: folder of the run.
        recipe: what is run; written down if it is given.
        step: to go on from; rows of later steps are dropped, as their weights are lost.
    """

    def __init__(
        self, out: Path, recipe: msgspec.Struct | None = None, step: int | None = None
    ) -> None:
        self._csv, self._json = out / "metrics.csv", out / "metrics.json"
        self._rows = _rows(self._csv, step)
        self._board = _board(out / "tensorboard", step or 0)
        if recipe is not None:
            tables = msgspec.to_builtins(recipe)
            write_whole(out / "recipe.toml", to_toml(tables).encode())
            packed = msgspec.json.format(msgspec.json.encode(tables))
            write_whole(out / "recipe.json", packed)
        if self._rows and step is not None:
            self._write()

    def add(self, step: int, **numbers: float) -> None:
        """Keep the numbers of a step."""
        self._rows.append({"step": step, **numbers})
        self._write()
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)
            self._board.flush()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write nothing more."""
        if self._board is not None:
            self._board.close()

    def _write(self) -> None:
        names = list(dict.fromkeys(k for row in self._rows for k in row))
        rows = [
            {k: v if isinstance(v, int) else f"{v:.5f}" for k, v in row.items()}
            for row in self._rows
        ]
        write_whole(self._csv, csv_of(names, rows))
        write_whole(self._json, msgspec.json.format(msgspec.json.encode(self._rows)))


def csv_of(names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """Rows as a CSV file; what a row has not is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def to_toml(tables: dict[str, Any], path: str = "") -> str:
    """Plain tables as TOML; what is None is left out."""
    lines = [
        f"{_key(k)} = {toml_of(v)}"
        for k, v in tables.items()
        if v is not None and not isinstance(v, dict)
    ]
    if path and (lines or not tables):
        lines.insert(0, f"\n[{path}]")
    text = "".join(f"{line}\n" for line in lines)
    for k, v in tables.items():
        if isinstance(v, dict):
            text += to_toml(v, f"{path}.{_key(k)}" if path else _key(k))
    return text


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isascii() and plain.isalnum() else toml_of(name)


def _rows(path: Path, step: int | None) -> list[dict[str, float]]:
    """Rows of an earlier part of the run."""
    if not path.exists():
        return []
    with path.open(newline="") as f:
        rows = [
            {k: int(v) if k == "step" else float(v) for k, v in row.items() if v}
            for row in csv.DictReader(f)
        ]
    return [r for r in rows if step is None or r["step"] <= step]


def _board(folder: Path, step: int) -> Any:
    """TensorBoard's writer; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("no events for TensorBoard: pipx inject rt-tag tensorboard")
        return None
    return SummaryWriter(str(folder), purge_step=step or None)
