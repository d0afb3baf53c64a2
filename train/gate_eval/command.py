"""`rt-eval gate` and `rt-eval mixtures`: their options, and what they do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from realtime.commands.common import say
from realtime.errors import UsageError
from realtime.fields import option_name
from train.bank import cache_dir
from train.gate_eval import report
from train.gate_eval.contest import Result
from train.gate_eval.judge import ModelGate
from train.gate_eval.lineup import results
from train.gate_eval.mixtures import TABLE, write_mixtures
from train.manifest import read_manifest

LOOKAHEADS_MS = (0.0, 20.0)
COUNT, ALONE = 120, 6


def add_mixtures(parser: argparse.ArgumentParser) -> None:
    """Options of `rt-eval mixtures`."""
    parser.add_argument("root", type=Path, help="folder of the manifest's files")
    parser.add_argument("manifest", type=Path, help="made by rt-train manifest voice")
    parser.add_argument("-o", "--out", type=Path, help="folder to write to")
    parser.add_argument("--part", choices=["val", "test"], default="test")
    parser.add_argument("--count", type=int, default=COUNT, help="mixtures with speech (120)")
    parser.add_argument(
        "--alone",
        type=int,
        default=ALONE,
        help="keyboards, fans and music without any (6 each)",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=16_000, help="Hz (16000)")
    parser.set_defaults(run=mixtures)


def add_gate(parser: argparse.ArgumentParser) -> None:
    """Options of `rt-eval gate` besides those of every model."""
    parser.add_argument("--mixtures", type=Path, help="a set from rt-eval mixtures")
    parser.add_argument("--lookahead-ms", type=float, default=0.0)
    parser.add_argument("--threshold", type=float, help="in place of the card's")
    parser.add_argument("--rivals", action="store_true", help="other detectors beside it")
    parser.add_argument(
        "--choose",
        type=Path,
        metavar="DIR",
        help="the set on which rivals' thresholds are chosen",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.set_defaults(run=gate)


def mixtures(args: argparse.Namespace) -> int:
    """Make a set."""
    out = args.out or default_set(args.part)
    for name in ("count", "rate"):
        if getattr(args, name) < 1:
            raise UsageError(f"--{name} {getattr(args, name)}", "give 1 or more")
    rows = write_mixtures(
        args.root, read_manifest(args.manifest), out, args.part, args.count, args.alone,
        args.seed, args.rate,
    )  # fmt: skip
    minutes = sum(row.seconds for row in rows) / 60
    say(f"{out / TABLE}: {len(rows)} mixtures of the {args.part} part, {minutes:.1f} minutes")
    return 0


def gate(args: argparse.Namespace) -> int:
    """Judge a gate."""
    if args.rivals and args.lookahead_ms not in LOOKAHEADS_MS:
        raise UsageError(f"--lookahead-ms {args.lookahead_ms:g} with --rivals", "use 0 or 20")
    for name, (low, high) in {"lookahead_ms": (0, 20), "threshold": (0, 1)}.items():
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise UsageError(f"{option_name(name)} {value:g}", f"use {low} to {high}")
    ours = ModelGate(
        args.model, args.lookahead_ms, args.threshold, args.card, args.runtime, args.threads
    )
    choosing = (args.choose or default_set("val")) if args.rivals else None
    found, missing = results(
        [ours], args.mixtures or default_set("test"), choosing, quiet=args.json
    )
    for line in missing:
        say(f"left out: {line}")
    if args.plot:
        from train.gate_eval.plot import draw

        draw(found, args.plot, f"{ours.name}, look-ahead {args.lookahead_ms:g} ms")
    told = [report.summary(result) for result in found]
    if args.json:
        out = {**told[0], "rivals": told[1:]} if args.rivals else told[0]
        sys.stdout.write(msgspec.json.encode(out).decode() + "\n")
        return 0
    _print(told, found)
    return 0


def default_set(part: str) -> Path:
    """Where a part's mixtures are unless told."""
    return cache_dir() / f"mixtures-{part}"


def _print(told: list[dict[str, Any]], found: list[Result]) -> None:
    console = Console()
    ours = told[0]
    row = found[0].mixtures[0]
    console.print(
        f"{ours['model']} on {ours['mixtures']} mixtures of the {row.part} part "
        f"(seed {row.seed}), {ours['minutes']:.1f} minutes, {ours['phrases']} phrases; "
        f"look-ahead {ours['lookahead_ms']:g} ms, threshold {ours['threshold']:g}"
    )
    tables = [
        report.main_table(told), report.heard_table(told),
        report.group_table(told, "by_snr"), report.group_table(told, "by_kind"),
    ]  # fmt: skip
    for rows in tables:  # a column for each contestant: there are more figures
        console.print(_shown([list(row) for row in zip(*rows, strict=True)]))
    if len(told) == 1:
        console.print(_shown(report.interval_table(ours)))


def _shown(rows: report.Table) -> Table:
    table = Table(*rows[0])
    for cells in rows[1:]:
        table.add_row(*cells)
    return table
