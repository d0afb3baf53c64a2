"""`rt-export`: a checkpoint becomes an ONNX or TFLite file that agrees with it, or no file.

rt-export best.safetensors -o kws12.onnx             float
rt-export best.safetensors -o kws12_q.onnx           int8, by the _q at the end of the name
rt-export best.safetensors -o kws12.tflite --type float16
rt-export best.safetensors -o kws12_q.tflite --data kws12.csv --root DATA --sensitivity
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from export.kinds import KINDS, STATIC, kind_of
from realtime.commands.common import Interrupts, Parser, add_version, guarded, start_logging
from realtime.errors import OutputError, UsageError

NEEDS = {
    ".onnx": ("torch", "safetensors", "onnx", "onnxscript", "onnxruntime"),
    ".tflite": ("torch", "safetensors", "litert_torch", "ai_edge_quantizer", "ai_edge_litert"),
}
CLIPS = 400
FEWEST = 10  # clips that still show something


@guarded
def main(argv: Sequence[str]) -> int:
    """The command `rt-export`."""
    args = _parser().parse_args(argv)
    start_logging(args.verbose)
    out = Path(args.out)
    kind = kind_of(out, args.type)
    if args.clips < FEWEST:
        raise UsageError(f"--clips {args.clips}", f"use {FEWEST} or more")
    if args.tolerance is not None and not 0 < args.tolerance <= 1:  # nan too: all would pass
        raise UsageError(f"--tolerance {args.tolerance:g}", "use a number over 0, up to 1")
    if kind not in STATIC and (args.sensitivity or args.keep_float != "auto"):
        option = "--sensitivity" if args.sensitivity else "--keep-float"
        raise UsageError(f"{option} with --type {kind}", f"use --type {' or '.join(STATIC)}")
    from export.quiet import need

    need(*NEEDS[out.suffix])
    # only now: these import torch
    from export.job import export
    from export.order import Order

    order = Order(
        checkpoint=Path(args.checkpoint),
        out=out,
        kind=kind,
        data=Path(args.data) if args.data else None,
        root=Path(args.root) if args.root else None,
        clips=args.clips,
        tolerance=args.tolerance,
        rule=Path(args.rule) if args.rule else None,
        embedding=args.embedding,
        stream=args.stream,
        keep=args.keep_float,
        sensitivity=args.sensitivity,
        command=_command(args, kind),
    )
    # SIGTERM raises too, like Ctrl-C, so that the temporary file goes
    with Interrupts(), _unfinished(out) as part:
        report = export(order, part)
    if args.json:
        print(report.to_json())
    else:
        from rich.console import Console

        report.show(Console())
    return 0


@contextlib.contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """A temporary file beside `out` that takes its name if all goes well, and goes if not.

    Raises:
        OutputError: it cannot be written. Found out before the work, and again at its end.
    """
    if out.is_dir():
        raise OutputError(f"{out} is a folder", "name a file in it")
    try:
        handle, name = tempfile.mkstemp(out.suffix, f".{out.stem}.", out.parent)
        os.close(handle)
    except OSError as e:
        raise OutputError(
            f"{out} cannot be written: {e.strerror}", "choose another folder with -o"
        ) from e
    part = Path(name)
    try:
        yield part
        part.chmod(0o666 & ~_umask())  # mkstemp's files are for the owner alone
        part.replace(out)
    except OSError as e:
        raise OutputError(
            f"{out} cannot be written: {e.strerror or e}", "free some space"
        ) from e
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _command(args: Any, kind: str) -> str:
    """The command line with names in place of paths: cards travel."""
    words = ["rt-export", Path(args.checkpoint).name, "-o", Path(args.out).name, "--type", kind]
    for option in ("data", "root", "rule"):
        given = getattr(args, option)
        words += [f"--{option}", Path(given).absolute().name] if given else []
    words += ["--clips", str(args.clips)] if args.clips != CLIPS else []
    words += ["--tolerance", f"{args.tolerance:g}"] if args.tolerance is not None else []
    words += ["--keep-float", args.keep_float] if args.keep_float != "auto" else []
    words += ["--embedding"] if args.embedding else []
    words += ["--stream", str(args.stream)] if args.stream is not None else []
    return " ".join(words)


def _parser() -> Parser:
    parser = Parser(
        prog="rt-export",
        description="Make an ONNX or TFLite model of a checkpoint, and prove that it agrees.",
    )
    add: Callable[..., Any] = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help=".safetensors of rt-train")
    add("-o", "--out", required=True, metavar="FILE", help="model.onnx or model.tflite")
    add("--type", choices=KINDS, help="int8 if FILE ends in _q, else float")
    add("--data", metavar="MANIFEST|FOLDER", help="sound to calibrate and compare with")
    add("--root", metavar="FOLDER", help="of the manifest's files (the manifest's folder)")
    add("--clips", type=int, default=CLIPS, metavar="N", help=f"windows of each part ({CLIPS})")
    add("--tolerance", type=float, metavar="X", help="mean score difference allowed")
    add("--rule", metavar="TOML", help="decision rule found after training (a recipe's tables)")
    text = "layers that int8 leaves alone: auto (what it costs too much), none, or names"
    add("--keep-float", default="auto", metavar="auto|none|NAME,...", help=text)
    add("--sensitivity", action="store_true", help="show what int8 costs in each layer")
    text = "give what the last linear layer takes as a second output (rt-tag learn needs it)"
    add("--embedding", action="store_true", help=text)
    text = "the streaming twin of a tagger, of N new frames a step (as suits its hop)"
    add("--stream", nargs="?", type=int, const=0, metavar="N", help=text)
    add("--json", action="store_true", help="the report as one JSON object")
    add("-v", "--verbose", action="count", default=0, help="say more; -vv all")
    add_version(parser)
    return parser
