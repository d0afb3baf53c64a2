"""Rows of an archive as a file: Parquet, CSV or JSON lines, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from realtime.errors import MissingExtra, UsageError
from realtime.outputs.replace import Replacement, fault

HEADER = ("file", "label", "start", "stop", "peak")
GROUP = 100_000  # rows of a Parquet row group

Row = tuple[str, str, float, float, float]


def open_table(path: Path) -> Callable[[Iterable[Row]], int]:
    """What writes rows to a file, and says how many.

    Raises:
        UsageError: a kind of table that is not written.
        MissingExtra: a library is not installed.
    """
    writers = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            f"-o {path}: no table of kind {path.suffix}", f"use {' '.join(writers)}"
        )
    if write is _parquet:
        _pyarrow()

    def save(rows: Iterable[Row]) -> int:
        replacement = Replacement(path)
        try:
            count = write(rows, replacement.temporary)
        except OSError as e:
            replacement.discard()
            raise fault(path, e) from e
        except BaseException:
            replacement.discard()
            raise
        replacement.commit()
        return count

    return save


def _csv(rows: Iterable[Row], path: Path) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _json_lines(rows: Iterable[Row], path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(dict(zip(HEADER, row, strict=True))) + b"\n")
            count += 1
    return count


def _parquet(rows: Iterable[Row], path: Path) -> int:
    arrow, parquet = _pyarrow()
    text, number = arrow.string(), arrow.float64()
    kinds = (text, text, number, number, number)
    schema = arrow.schema(list(zip(HEADER, kinds, strict=True)))
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in _groups(rows):
            columns = [list(column) for column in zip(*part, strict=True)]
            writer.write_table(arrow.table(columns, schema=schema))
            count += len(part)
    return count


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while part := list(islice(left, GROUP)):
        yield part


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as e:
        raise MissingExtra(
            f"a .parquet table needs the extra archive ({e})",
            "pipx inject rt-tag pyarrow, or name a .csv file",
        ) from e
    return pyarrow, parquet
