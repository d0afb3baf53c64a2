"""`rt-eval latency`: its options, and how its figures are shown."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from train.latency.judge import Latency


def add_latency(parser: argparse.ArgumentParser) -> None:
    """Add what is beside the options of every model."""
    parser.add_argument("--plot", metavar="FILE.png", help="a picture of the kinds of layer")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit status.

    Raises:
        RtError: as `train.latency.judge.judge_latency`.
    """
    from train.latency.judge import judge_latency  # not to need torch for help
    from train.latency.picture import draw, picture_of

    picture = picture_of(args.plot)
    try:
        found = judge_latency(args.model, args.card, args.runtime, args.threads)
        if picture is not None:
            draw(picture, [(found.model, found)])
    except BaseException:
        if picture is not None:
            picture.discard()
        raise
    if args.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        show(found, Console())
    return 0


def show(found: Latency, console: Console) -> None:
    """Print the figures."""
    threads = {0: "as many threads as it likes", 1: "one thread"}.get(
        found.threads, f"{found.threads} threads"
    )
    weights = ", random weights" if found.random_weights else ""
    cpu = "" if found.cpu_ms is None else f", {found.cpu_ms:.3g} of the processor's"
    console.print(
        f"{found.model} in {found.runtime}, {threads}{weights}: {found.ms:.3g} ms a window "
        f"(99 %: {found.ms_p99:.3g}{cpu}), {amount(found.macs)} MACs, "
        f"{found.model_bytes / 1000:.0f} KB",
        highlight=False,
    )
    if found.profiled_ms is None:
        console.print("This runtime tells no times of layers.")
        table = Table("kind of layer", "in the file", "MACs")
    else:
        table = Table("kind of layer", "% of time", "ms", "run", "in the file", "MACs")
    for share in found.kinds:
        cells = [str(share.in_file), amount(share.macs) if share.macs else ""]
        if share.percent is not None and share.ms is not None:
            cells = [f"{share.percent:.1f}", f"{share.ms:.3f}", str(share.layers), *cells]
        table.add_row(share.kind, *cells)
    for column in table.columns[1:]:
        column.justify = "right"
    console.print(table)
    if found.profiled_ms is not None:
        console.print(
            f"{found.profiled_ms:.3g} ms in layers with the profiler on. A layer fused into "
            "another is run as part of it.",
            highlight=False,
        )


def amount(n: float) -> str:
    """A number with three digits and K, M or G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return str(round(n))
