"""`rt-eval`: measure a model.

`tag` on clips, `robust` and `attack` on clips that are disturbed; `stream` on a long recording,
`scene` makes such a recording, `tune` chooses the decision rule; `gate` on mixtures, `mixtures`
makes them; `latency` in milliseconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from realtime.commands.clash import refuse_clash
from realtime.commands.common import Parser, add_version, guarded, start_logging
from realtime.errors import UsageError
from realtime.outputs.replace import Replacement
from train.gate_eval.command import add_gate, add_mixtures
from train.judge_stream import judge_stream, read_truth
from train.judge_tag import open_scorer
from train.latency.command import add_latency
from train.manifest import read_manifest
from train.robust.command import add_attack, add_robust
from train.scenes import make_scene, write_scene
from train.tag_command import add_tag
from train.tune import tune

LONGEST_MIN = 24 * 60  # of a scene, which is made in memory
LOUDEST_DB = 100.0


@guarded
def main(argv: Sequence[str] | None = None) -> int:
    """The command `rt-eval`."""
    args = _parser().parse_args(argv)
    start_logging(args.verbose)
    run: Any = args.run
    status: int = run(args)
    return status


def _parser() -> Parser:
    parser = Parser(prog="rt-eval", description="Measure a model.")
    commands = parser.add_subparsers(
        required=True, metavar="tag|latency|robust|attack|stream|scene|tune|gate|mixtures"
    )
    shared = Parser(add_help=False)
    shared.add_argument("-v", "--verbose", action="count", default=0)
    for one in (parser, shared):
        add_version(one)
    how = Parser(add_help=False)
    how.add_argument("--card", help="JSON card of a model that carries none")
    how.add_argument("--runtime", choices=["onnx", "litert"])
    how.add_argument("--threads", type=int, default=1)
    how.add_argument("--json", action="store_true", help="one JSON object on stdout")
    model = Parser(add_help=False, parents=[how])
    model.add_argument("model", help="a shipped name, or .onnx, .tflite, .safetensors")

    add_tag(commands.add_parser("tag", parents=[shared, how], help="on labelled clips"))
    text = "milliseconds, and the kinds of layer they go to"
    latency = commands.add_parser("latency", parents=[shared, how], help=text)
    text = "a shipped name, or .onnx, .tflite, or a network's name in docs/models.md"
    latency.add_argument("model", help=text)
    add_latency(latency)
    add_robust(commands.add_parser("robust", parents=[shared, how], help="clips in noise"))
    add_attack(
        commands.add_parser("attack", parents=[shared], help="clips changed to be misheard")
    )

    stream = commands.add_parser("stream", parents=[shared, model], help="on a long recording")
    stream.add_argument("audio", type=Path)
    stream.add_argument("truth", type=Path, help="CSV start_s,end_s,label of the target words")
    stream.add_argument(
        "--threshold", type=float, help="for all labels, in place of the card's"
    )
    stream.set_defaults(run=_stream)

    rules = commands.add_parser(
        "tune", parents=[shared, model], help="choose the decision rule"
    )
    rules.add_argument(
        "recordings",
        nargs="+",
        type=Path,
        help="audio files, each with its truth beside it as .csv",
    )
    rules.add_argument("--false-alarms", type=float, default=1.0, metavar="PER_HOUR")
    rules.set_defaults(run=_tune)

    scene = commands.add_parser(
        "scene", parents=[shared], help="mix a long recording and its truth"
    )
    scene.add_argument("manifest", type=Path)
    scene.add_argument(
        "out", type=Path, help="audio file to write; the truth goes beside it as .csv"
    )
    scene.add_argument("--root", type=Path)
    scene.add_argument("--split", default="test")
    scene.add_argument("--minutes", type=float, default=60.0)
    scene.add_argument("--seed", type=int, default=1)
    scene.add_argument(
        "--snr-db", type=float, nargs=2, default=(8.0, 20.0), metavar=("LOW", "HIGH")
    )
    scene.add_argument("--labels", default="yes,no,up,down,left,right,on,off,stop,go")
    scene.set_defaults(run=_scene)

    gate = commands.add_parser("gate", parents=[shared, how], help="a gate, on mixtures")
    gate.add_argument("model", help="a shipped name, or .onnx, .tflite, .gate")
    add_gate(gate)
    add_mixtures(commands.add_parser("mixtures", parents=[shared], help="make mixtures"))
    return parser


def _stream(args: argparse.Namespace) -> int:
    if args.threshold is not None and not 0.0 <= args.threshold <= 1.0:
        raise UsageError(f"--threshold {args.threshold:g}", "use 0 to 1")
    scorer = open_scorer(args.model, args.card, args.runtime, args.threads)
    card = scorer.card
    truth = read_truth(args.truth, card.labels, card.decision.background)
    thresholds = None if args.threshold is None else {"default": args.threshold}
    out = judge_stream(scorer, args.audio, truth, thresholds)
    if args.json:
        print(msgspec.json.encode(out).decode())
        return 0
    console = Console()
    low, high = (100 * x for x in out["recall_95"])
    alarms, bound = out["false_alarms_per_hour"], out["false_alarms_per_hour_bound_95"]
    console.print(
        f"{out['model']} on {out['hours']:.2f} h with {out['words']} words: "
        f"recall {100 * out['recall']:.1f} % ({low:.1f} to {high:.1f}), "
        f"{out['wrong_words']} wrong words, {out['false_alarms']} false alarms: "
        f"{alarms:.2f} an hour (under {bound:.2f} at 95 %); "
        f"delay {out['delay_s']['median']:.2f} s, 95 % under {out['delay_s']['p95']:.2f} s"
    )
    near = out["missed"]
    console.print(
        f"{sum(near.values())} words missed: {near['under_half']} under half of the threshold, "
        f"{near['under']} under it, {near['brief']} over it, but not for long enough"
    )
    table = Table("label", "words", "recall %", "false alarms")
    for name, row in out["per_label"].items():
        table.add_row(
            name, str(row["n"]), f"{100 * row['recall']:.1f}", str(row["false_alarms"])
        )
    console.print(table)
    return 0


def _tune(args: argparse.Namespace) -> int:
    if not args.false_alarms >= 0.0:
        raise UsageError(f"--false-alarms {args.false_alarms:g}", "use 0 or more")
    scorer = open_scorer(args.model, args.card, args.runtime, args.threads)
    card = scorer.card
    recordings = [
        (path, read_truth(path.with_suffix(".csv"), card.labels, card.decision.background))
        for path in args.recordings
    ]
    results = tune(scorer, recordings, args.false_alarms)
    if args.json:
        print(msgspec.json.encode(results).decode())
        return 0
    if not results:
        raise UsageError(
            f"no rule has under {args.false_alarms} false alarms an hour", "allow more"
        )
    table = Table(*results[0])
    for row in results[:12]:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)
    return 0


def _scene(args: argparse.Namespace) -> int:
    low, high = args.snr_db
    if not -LOUDEST_DB <= low <= high <= LOUDEST_DB:
        raise UsageError(f"--snr-db {low:g} {high:g}", "the lower one first, in dB")
    if not 0.0 < args.minutes <= LONGEST_MIN:
        raise UsageError(f"--minutes {args.minutes:g}", f"use more than 0, to {LONGEST_MIN}")
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed}", "use 0 or more")
    writes = {"OUT": str(args.out), "the truth": str(args.out.with_suffix(".csv"))}
    refuse_clash(writes, {"the manifest": str(args.manifest)})
    for path in writes.values():  # where nothing can be written is said before the work
        Replacement(path).discard()
    rows = [r for r in read_manifest(args.manifest) if r.split == args.split]
    if not rows:
        raise UsageError(
            f"{args.manifest}: nothing in split {args.split}", "choose train, val or test"
        )
    audio, truth = make_scene(
        rows,
        args.root or args.manifest.parent,
        args.labels.split(","),
        60 * args.minutes,
        args.seed,
        tuple(args.snr_db),
    )
    table = write_scene(audio, truth, args.out)
    print(f"{args.out}: {len(audio) / 16_000 / 60:.1f} minutes; {table}: {len(truth)} words")
    return 0
