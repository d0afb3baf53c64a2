"""`rt-eval robust` and `rt-eval attack`: their options, and what they print."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from realtime.commands.common import say
from realtime.errors import MissingExtra, UsageError
from train.judge_tag import open_scorer, rows_of
from train.manifest import hash_of
from train.robust.noise import Noises, judge_in_noise
from train.tag_command import add_data, add_windows

SNR_DB = "20,10,5,0"
EPS = {"inf": "0.0001,0.0003,0.001", "2": "0.01,0.03,0.1"}


def add_robust(parser: argparse.ArgumentParser) -> None:
    """Options of `rt-eval robust`."""
    parser.add_argument("model", help="a shipped name, or .onnx, .tflite, .safetensors")
    add_data(parser)
    add_windows(parser)
    parser.add_argument(
        "--noise",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder for each kind of noise",
    )
    parser.add_argument("--snr", default=SNR_DB, metavar="DB,...", help=f"ratios ({SNR_DB})")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=robust)


def add_attack(parser: argparse.ArgumentParser) -> None:
    """Options of `rt-eval attack`."""
    parser.add_argument("model", help="a checkpoint, .safetensors")
    add_data(parser)
    parser.add_argument("--norm", choices=list(EPS), default="inf")
    parser.add_argument("--eps", metavar="X,...", help="bounds of the change")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--clips", type=int, metavar="N", help="so many (all)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=attack)


def robust(args: argparse.Namespace) -> int:
    """Judge a model on clips in noise."""
    ratios = _numbers(args.snr, "--snr")
    noises = Noises(args.noise)
    scorer = open_scorer(args.model, args.card, args.runtime, args.threads)
    rows, root = rows_of(args.data, args.split, args.root)
    out = judge_in_noise(scorer, rows, root, noises, ratios, args.windows, args.seed, args.json)
    _say_left_out(out)
    if args.json:
        sys.stdout.write(msgspec.json.encode(out).decode() + "\n")
        return 0
    console = Console()
    console.print(
        f"{out['model']}, {out['n']} clips: {out['figure']} {out['clean']:.3f} without noise"
    )
    table = Table("noise", *(f"{r:g} dB" for r in ratios))
    for kind, row in out["by_kind"].items():
        table.add_row(kind, *(f"{v:.3f}" for v in row.values()))
    table.add_row("all", *(f"{v:.3f}" for v in out["by_snr"].values()))
    console.print(table)
    return 0


def attack(args: argparse.Namespace) -> int:
    """Judge a checkpoint on clips that were changed to be misheard."""
    bounds = _numbers(args.eps or EPS[args.norm], "--eps")
    if min(bounds) <= 0 or args.steps < 1:
        raise UsageError("--eps and --steps are over 0", "give other numbers")
    if args.clips is not None and args.clips < 1:
        raise UsageError(f"--clips {args.clips}", "use 1 or more")
    if not args.model.endswith(".safetensors"):
        raise UsageError(
            f"{args.model} is no checkpoint", "an attack needs gradients: give a .safetensors"
        )
    try:
        import torch

        from models.checkpoint import load_model
        from train.robust.attack import judge_attacked
    except ModuleNotFoundError as e:
        raise MissingExtra(
            f"an attack needs {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
        ) from e
    torch.set_num_threads(max(1, args.threads))
    network, card = load_model(Path(args.model))
    rows, root = rows_of(args.data, args.split, args.root)
    if args.clips is not None:  # any of them, and always the same
        rows = sorted(rows, key=lambda r: hash_of(r.file))[: args.clips]
    out = judge_attacked(
        network, card, rows, root, args.norm, bounds, args.steps, args.seed, args.json,
        "cuda" if torch.cuda.is_available() else "cpu",
    )  # fmt: skip
    _say_left_out(out)
    if args.json:
        sys.stdout.write(msgspec.json.encode(out).decode() + "\n")
        return 0
    console = Console()
    console.print(
        f"{out['model']}, {out['n']} clips: {out['figure']} {out['clean']:.3f} as they are"
    )
    norm = "largest sample" if args.norm == "inf" else "root of its energy"
    table = Table(f"{norm} of the change", "clip over change, dB", "at random", "on purpose")
    for row in out["attacks"]:
        table.add_row(
            f"{row['eps']:g}", f"{row['snr_db']:.1f}", f"{row['random']:.3f}",
            f"{row['attacked']:.3f}",
        )  # fmt: skip
    console.print(table)
    return 0


def _numbers(text: str, option: str) -> list[float]:
    try:
        found = [float(x) for x in text.split(",")]
    except ValueError as e:
        raise UsageError(f"{option} {text}: {e}", "give numbers with commas") from e
    if not all(map(math.isfinite, found)):
        raise UsageError(f"{option} {text}: no such number", "give numbers with commas")
    return found


def _say_left_out(out: dict[str, Any]) -> None:
    for line in out["unreadable"]:
        say(f"left out: {line}")
