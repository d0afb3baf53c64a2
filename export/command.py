"""`rt-export`: a checkpoint becomes an ONNX or TFLite file that agrees with it, or no file.

rt-export best.safetensors -o kws12.onnx             float
rt-export best.safetensors -o kws12_q.onnx           int8, by the _q at the end of the name
rt-export best.safetensors -o kws12_q.tflite --data kws12.csv --root DATA
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from realtime.card import Card
from realtime.commands.common import Interrupts, Parser, guarded, start_logging, version
from realtime.errors import OutputError, UsageError

if TYPE_CHECKING:
    from export.calibrate import Clips
    from export.report import Report
    from realtime.runners import Runner

SUFFIXES = {".onnx": "ONNX", ".tflite": "TFLite"}
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
    if out.suffix not in SUFFIXES:
        raise UsageError(
            f"{out}: of what kind is {out.suffix or 'that'}?", "use .onnx or .tflite"
        )
    if args.clips < FEWEST:
        raise UsageError(f"--clips {args.clips}", f"use {FEWEST} or more")
    kind = args.type or ("int8" if out.stem.endswith("_q") else "float")
    from export.quiet import need

    need(*NEEDS[out.suffix])
    # SIGTERM raises too, like Ctrl-C, so that the temporary file goes
    with Interrupts(lambda: None), _unfinished(out) as part:
        report = export(
            Path(args.checkpoint),
            part,
            out,
            kind,
            data=Path(args.data) if args.data else None,
            root=Path(args.root) if args.root else None,
            clips=args.clips,
            tolerance=args.tolerance,
            rule=Path(args.rule) if args.rule else None,
            embedding=args.embedding,
        )
    if args.json:
        print(report.to_json())
    else:
        from rich.console import Console

        report.show(Console())
    return 0


def export(
    checkpoint: Path,
    part: Path,
    out: Path,
    kind: str,
    *,
    data: Path | None = None,
    root: Path | None = None,
    clips: int = CLIPS,
    tolerance: float | None = None,
    rule: Path | None = None,
    embedding: bool = False,
) -> Report:
    """Export, compare, and write the model to `part`, its card inside.

    Args:
        checkpoint: `.safetensors` of rt-train.
        part: the file to write.
        out: its later name; the suffix says the format.
        kind: "float" or "int8".
        data: a manifest or a folder, see `export.calibrate.list_sounds`.
        root: of the manifest's files.
        clips: windows to calibrate with, and to compare on.
        tolerance: mean score difference allowed, in place of `export.verify.LIMITS`.
        rule: TOML whose decision rule replaces the checkpoint's.
        embedding: give what the last linear layer takes as a second output (ONNX taggers).

    Raises:
        ModelError: no checkpoint, or a network that cannot be exported.
        ParityError: the result does not agree with the checkpoint.
    """
    import torch

    from export import verify
    from export.calibrate import list_sounds, take_clips
    from export.measure import measure
    from export.report import Report
    from export.stamp import stamp
    from models.checkpoint import load_model
    from models.runner import TorchRunner
    from realtime.runners import open_runner

    # one window keeps one thread busy; two only wait for each other on a machine at work
    torch.set_num_threads(1)
    network, card = load_model(checkpoint)
    if rule is not None:
        from export.rule import with_rule

        card = with_rule(card, rule)
    if embedding and (card.task == "gate" or out.suffix != ".onnx"):
        raise UsageError(
            "--embedding is for taggers in ONNX", "leave it out, or use -o FILE.onnx"
        )
    if card.task == "gate":
        return _export_gate(network, card, part, out, kind, checkpoint, data, root, clips)
    source = TorchRunner(network, card)
    limits = verify.LIMITS[kind]
    if tolerance is not None:
        limits = msgspec.structs.replace(limits, mean=tolerance)
    sounds, name = list_sounds(data, root)
    model, card = _convert(network, card, out.suffix, embedding)
    method = ""
    if kind == "int8":
        train = take_clips(card, sounds, "train", clips, name)
        model, method = _quantize(model, card, source, train, out.suffix, part)
    judged = take_clips(card, sounds, "val", clips, name)
    part.write_bytes(stamp(model, card))
    agreement = verify.compare(source, open_runner(part, threads=1), judged, limits.margin)
    verify.require(agreement, limits, out.name)
    report = Report(
        file=out.name,
        kind=f"{SUFFIXES[out.suffix]} {kind}",
        method=method,
        model_bytes=part.stat().st_size,
        data=judged.what,
        agreement=agreement,
        speed=measure(part),
        command=_command(checkpoint, out, kind, data, clips, embedding),
        tools=_versions(out.suffix),
    )
    return _write(part, model, card, report)


def _export_gate(
    network: Any, card: Card, part: Path, out: Path, kind: str, checkpoint: Path,
    data: Path | None, root: Path | None, clips: int,
) -> Report:  # fmt: skip
    """As `export`, for a gate: compared frame by frame over running sound."""
    from export import gate, verify, verify_gate
    from export.calibrate import list_sounds
    from export.measure import measure
    from export.report import Report
    from export.stamp import stamp
    from realtime.runners import open_runner

    onnx = out.suffix == ".onnx"
    model, card = (gate.gate_to_onnx if onnx else gate.gate_to_tflite)(network, card)
    if kind == "int8":
        model = (gate.quantize_weights if onnx else gate.quantize_tflite)(model)
    sounds, name = list_sounds(data, root)
    frames = verify_gate.running_frames(card, sounds, clips)
    part.write_bytes(stamp(model, card))
    limits = verify_gate.LIMITS[kind]
    runner = open_runner(part, threads=1)
    agreement = verify_gate.compare_gate(network, card, runner, frames, limits.margin)
    verify.require(agreement, limits, out.name)
    report = Report(
        file=out.name,
        kind=f"{SUFFIXES[out.suffix]} {kind}",
        method="weights int8, the head float" if kind == "int8" else "",
        model_bytes=part.stat().st_size,
        data=f"{len(frames)} frames of {name}, part val",
        agreement=agreement,
        speed=measure(part),
        command=_command(checkpoint, out, kind, data, clips),
        tools=_versions(out.suffix),
    )
    return _write(part, model, card, report)


def _convert(
    network: Any, card: Card, suffix: str, embedding: bool = False
) -> tuple[bytes, Card]:
    if suffix == ".onnx":
        from export.to_onnx import to_onnx

        return to_onnx(network, card, embedding)
    from export.to_tflite import to_tflite

    return to_tflite(network, card)


def _quantize(
    model: bytes, card: Card, source: Runner, clips: Clips, suffix: str, scratch: Path
) -> tuple[bytes, str]:
    """The int8 model, and how it was made: half of the clips calibrate, the others choose."""
    from export import quantize
    from export.verify import scores_of
    from realtime.runners import open_runner
    from realtime.runners.plan import Plan

    calibrating, choosing = clips.halves()
    plan = Plan(card, card.name)
    inputs = [plan.arrange(w) for w in calibrating.windows]
    want = scores_of(source, choosing.windows)

    def error(candidate: bytes) -> float:
        scratch.write_bytes(candidate)
        have = scores_of(open_runner(scratch, card=card, threads=1), choosing.windows)
        return float(np.abs(have - want).mean())

    spans_of, make, keeps = (
        (quantize.onnx_spans, quantize.onnx_int8, quantize.KEEP_ONNX)
        if suffix == ".onnx"
        else (quantize.tflite_spans, quantize.tflite_int8, quantize.KEEP_TFLITE)
    )
    spans = spans_of(model, inputs)
    best, choice = quantize.choose(lambda c: make(model, spans, c), error, keeps)
    return best, f"{choice}; {clips.what}"


def _write(part: Path, model: bytes, card: Card, report: Report) -> Report:
    """Stamp the final card, which holds the report, which holds the size with the card."""
    from export.stamp import stamp

    for _ in range(3):
        final = msgspec.structs.replace(card, measured=(*card.measured, report.entry()))
        stamped = stamp(model, final)
        same = len(stamped) == report.model_bytes
        report = msgspec.structs.replace(report, model_bytes=len(stamped))
        if same:
            break
    part.write_bytes(stamped)
    return report


@contextlib.contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """A temporary file beside `out` that takes its name if all goes well, and goes if not.

    Raises:
        OutputError: it cannot be written. Found out before the work, and again at its end.
    """
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
        raise OutputError(f"{out} cannot be written: {e.strerror}", "free some space") from e
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _command(
    checkpoint: Path,
    out: Path,
    kind: str,
    data: Path | None,
    clips: int,
    embedding: bool = False,
) -> str:
    """The command line with names in place of paths: cards travel."""
    words = ["rt-export", checkpoint.name, "-o", out.name, "--type", kind]
    words += ["--data", data.name] if data else []
    words += ["--clips", str(clips)] if clips != CLIPS else []
    words += ["--embedding"] if embedding else []
    return " ".join(words)


def _versions(suffix: str) -> str:
    names = {".onnx": ("torch", "onnx", "onnxruntime")}.get(
        suffix, ("torch", "litert-torch", "ai-edge-quantizer")
    )
    return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def _parser() -> Parser:
    parser = Parser(
        prog="rt-export",
        description="Make an ONNX or TFLite model of a checkpoint, and prove that it agrees.",
    )
    add: Callable[..., Any] = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help=".safetensors of rt-train")
    add("-o", "--out", required=True, metavar="FILE", help="model.onnx or model.tflite")
    add("--type", choices=("float", "int8"), help="int8 if FILE ends in _q, else float")
    add("--data", metavar="MANIFEST|FOLDER", help="sound to calibrate and compare with")
    add("--root", metavar="FOLDER", help="of the manifest's files (the manifest's folder)")
    add("--clips", type=int, default=CLIPS, metavar="N", help=f"windows of each part ({CLIPS})")
    add("--tolerance", type=float, metavar="X", help="mean score difference allowed")
    add("--rule", metavar="TOML", help="decision rule found after training (a recipe's tables)")
    text = "give what the last linear layer takes as a second output (rt-tag learn needs it)"
    add("--embedding", action="store_true", help=text)
    add("--json", action="store_true", help="the report as one JSON object")
    add("-v", "--verbose", action="count", default=0, help="say more; -vv all")
    add("--version", action="version", version=f"rt-export {version()}")
    return parser
