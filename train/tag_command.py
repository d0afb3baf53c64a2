"""`rt-eval tag`: its options, and what it prints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
from rich.console import Console
from rich.table import Table

from realtime.commands.common import say
from realtime.errors import UsageError
from realtime.outputs.replace import Replacement
from train.clip_scores import ClipScores, Over, score_clips
from train.datasets.ontology import read_ontology
from train.ensemble import Fuse, find_weights, fuse
from train.judge_tag import at_chosen, figures, model_bytes, named, of_families, open_scorer
from train.judge_tag import rows_of as clips_of
from train.manifest import Split
from train.write_card import with_thresholds


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options that say which clips are judged, and how."""
    parser.add_argument("data", help="a folder of label folders, or a manifest .csv")
    parser.add_argument("--split", default="test", help="part of the data (test)")
    parser.add_argument(
        "--root", help="folder of the manifest's files (default: the manifest's own)"
    )


def add_windows(parser: argparse.ArgumentParser) -> None:
    """How clips that are longer than the model's window are scored."""
    parser.add_argument(
        "--windows",
        choices=get_args(Over),
        default="mean",
        help="score of a clip longer than the window (mean over its windows)",
    )


def add_tag(parser: argparse.ArgumentParser) -> None:
    """Options of `rt-eval tag`."""
    parser.add_argument(
        "models", nargs="+", metavar="model", help="a shipped name, or .onnx, .tflite, "
        ".safetensors; several are judged as one"
    )  # fmt: skip
    add_data(parser)
    add_windows(parser)
    parser.add_argument("--fuse", choices=get_args(Fuse), default="mean")
    parser.add_argument(
        "--choose",
        metavar="SPLIT|DATA",
        help="where thresholds, temperature, weights come from",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="write those thresholds into a card"
    )
    parser.add_argument("--ontology", type=Path, metavar="FILE", help="for figures of families")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.set_defaults(run=tag)


def tag(args: argparse.Namespace) -> int:
    """Judge a model, or several as one."""
    picture = _checked(args)
    try:
        return _tag(args, picture)
    except BaseException:
        if picture is not None:
            picture.discard()
        raise


def _tag(args: argparse.Namespace, picture: Any) -> int:
    """What is left to do once the command line is found good."""
    scorers = [open_scorer(m, args.card, args.runtime, args.threads) for m in args.models]
    ontology = read_ontology(args.ontology) if args.ontology else None
    extra: dict[str, Any] = {}
    weights = chosen_on = None
    if args.choose:
        part = args.choose in get_args(Split)
        data, split = (args.data, args.choose) if part else (args.choose, "val")
        rows, root = clips_of(data, split, args.root)
        chosen = {root / row.file for row in rows}
        judged, folder = clips_of(args.data, args.split, args.root)
        if any(folder / row.file in chosen for row in judged):
            raise UsageError(f"--choose {args.choose}: clips of it are judged, too",
                             "choose on other clips")  # fmt: skip
        others = score_clips(scorers, rows, root, args.windows, args.json)
        if args.fuse == "weighted" and len(scorers) > 1:
            weights = find_weights(others)
            extra["weights"] = named([s.card.name for s in scorers], weights)
        chosen_on = _one(others, args.fuse, weights)
    rows, root = clips_of(args.data, args.split, args.root)
    heard = _one(score_clips(scorers, rows, root, args.windows, args.json), args.fuse, weights)
    out = figures(heard) | extra | {"windows": args.windows}
    if chosen_on is not None:
        out |= at_chosen(heard, chosen_on)
    if ontology is not None:
        out |= of_families(heard, ontology)
    out["model_bytes"] = sum(model_bytes(m, args.runtime) for m in args.models)
    for line in out["unreadable"]:
        say(f"left out: {line}")
    if args.out:
        with_thresholds(
            args.models[0], args.runtime, scorers[0].card, out["thresholds"], args.out
        )
    if picture is not None:
        from train.tag_plot import draw

        draw(picture, heard)
    if args.json:
        sys.stdout.write(msgspec.json.encode(out).decode() + "\n")
    else:
        _show(out)
    return 0


def _checked(args: argparse.Namespace) -> Any:
    """Refuse what cannot be, before any work; the picture to draw, if one is wanted."""
    if args.card and len(args.models) > 1:
        raise UsageError("--card describes one model", "leave it out, or judge one model")
    if args.out and not args.choose:
        raise UsageError("-o writes thresholds, and none are chosen", "say --choose val")
    if args.out and len(args.models) > 1:
        raise UsageError("-o writes the card of one model", "leave out -o, or judge one model")
    if args.fuse == "weighted" and len(args.models) > 1 and not args.choose:
        raise UsageError("weights are found on other clips", "say --choose val")
    if args.choose == args.split and args.choose in get_args(Split):
        raise UsageError(
            f"--choose {args.choose} is what is judged on", "choose on another part"
        )
    if args.out:  # where nothing can be written is said before the work
        Replacement(args.out).discard()
    if args.plot is None:
        return None
    from realtime.outputs.picture import Picture

    return Picture(args.plot)


def _one(parts: list[ClipScores], how: Fuse, weights: Any) -> ClipScores:
    return parts[0] if len(parts) == 1 else fuse(parts, how, weights)


def _show(out: dict[str, Any]) -> None:
    console = Console()
    line = f"{out['model']}: "
    if "accuracy" in out:
        low, high = out["accuracy_without_silence_95"]
        line += (
            f"{100 * out['accuracy']:.2f} % of {out['n']} clips; without silence "
            f"{100 * out['accuracy_without_silence']:.2f} % ({100 * low:.1f} to "
            f"{100 * high:.1f}); "
        )
    else:
        line += f"{out['n']} clips; "
    console.print(
        f"{line}mAP {out['mAP']:.3f}, lwlrap {out['lwlrap']:.3f}, d' {out['d_prime']:.2f}, "
        f"F1 {out['f1_micro']:.3f} micro, {out['f1_macro']:.3f} macro, ECE {out['ece']:.3f}; "
        f"{out['ms_per_window']:.2f} ms a window, {out['model_bytes'] / 1000:.0f} KB"
    )
    if "weights" in out:
        console.print(", ".join(f"{name} {w:.2f}" for name, w in out["weights"].items()))
    if "temperature" in out:
        console.print(
            f"at the thresholds chosen on other clips: F1 {out['f1_micro_chosen']:.3f} micro, "
            f"{out['f1_macro_chosen']:.3f} macro; temperature {out['temperature']:.2f}: "
            f"ECE {out['ece_scaled']:.3f}"
        )
    if "family_mAP" in out:
        console.print(f"families: mAP {out['family_mAP']:.3f}")
    console.print(_table(out))


def _table(out: dict[str, Any]) -> Table:
    labels, single = out["labels"], "confusion" in out
    table = Table("label", "n", "recall %", "precision %", "AP")
    if "thresholds" in out:
        table.add_column("threshold")
    if single:
        table.add_column("most often taken for")
    for i, name in enumerate(labels):
        row, ap = out["per_label"][name], out["per_label_ap"][name]
        cells = [
            name, str(row["n"]), f"{100 * row['recall']:.1f}", f"{100 * row['precision']:.1f}",
            "" if ap is None else f"{ap:.3f}",
        ]  # fmt: skip
        if "thresholds" in out:
            cells.append(f"{out['thresholds'][name]:.2f}")
        if single:
            wrong = sorted(
                ((c, labels[j]) for j, c in enumerate(out["confusion"][i]) if j != i and c),
                reverse=True,
            )
            cells.append(", ".join(f"{label} {count}" for count, label in wrong[:3]))
        table.add_row(*cells)
    return table
