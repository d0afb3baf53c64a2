"""`rt-gate learn`: make a gate from examples. See `rt-gate learn --help` and docs/learning.md.

Called by `realtime.commands.gate`, whose guard turns errors into exit statuses. The gate is
written to a temporary file, run once as rt-gate will run it, and only then given its name.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.commands.clash import refuse_inputs
from realtime.commands.common import Interrupts, Parser, say, start_logging
from realtime.commands.lessons import (
    add_ways,
    bar,
    lines,
    print_table,
    read_aloud,
    tell,
    whole_number,
    write,
    written,
)
from realtime.errors import UsageError

if TYPE_CHECKING:
    from realtime.card import Card
    from realtime.learn.examples import Side
    from realtime.learn.gate_file import GateFile
    from realtime.learn.head import Head
    from realtime.learn.hearing import Heard, Progress
    from realtime.learn.lesson import Learned
    from realtime.learn.memory import Memory
    from realtime.outputs.replace import Replacement

DEFAULT = "voice-base"
ENDINGS = (".gate", ".onnx")
EXAMPLES = """
examples:
  rt-gate learn --open snare/ --closed hats.wav kick.wav -o snare.gate
  rt-gate --model snare.gate                        live, or: rt-gate --model snare.gate IN OUT
  rt-gate learn --from snare.gate --closed tom.wav -o better.gate        it opened for a tom
"""


def parser() -> argparse.ArgumentParser:
    """The options of rt-gate learn."""
    p = Parser(
        prog="rt-gate learn",
        description="Make a gate that opens for your sound, from about a minute of examples.",
        epilog=EXAMPLES,
    )
    files = "DIR_OR_FILE"
    text = "the sound that shall open the gate, alone or nearly"
    p.add_argument("--open", nargs="+", metavar=files, default=[], help=text)
    text = "everything that shall not, without it"
    p.add_argument("--closed", nargs="+", metavar=files, default=[], help=text)
    p.add_argument("-o", "--output", metavar="FILE.gate", help="the gate that is made")
    text = "a learned gate that is shown more of one side, or of both"
    p.add_argument("--from", dest="base", metavar="FILE.gate", help=text)
    text = f"gate whose network is used, a shipped name or a file ({DEFAULT})"
    p.add_argument("--model", metavar="NAME|FILE", help=text)
    p.add_argument("--name", help="of the gate (that of its file)")
    text = "mistakes at every threshold, and a held-back mixture, as a picture"
    p.add_argument("--plot", metavar="FILE.png", help=text)
    text = "a held-back part of the examples to listen to, as a sound file"
    p.add_argument("--audition", metavar="FILE.wav", help=text)
    add_ways(p)
    return p


def main(argv: Sequence[str]) -> int:
    """Run rt-gate learn; the exit status."""
    args = parser().parse_args(argv)
    start_logging(args.verbose)
    seed = _agree(args)
    began = time.monotonic()
    from realtime.learn.gate_file import read_gate
    from realtime.library import find_model

    path = Path(args.base) if args.base else find_model(args.model or DEFAULT, "onnx")
    gate = read_gate(path)
    _refuse_inputs(args, gate.path)
    _try_outputs(args, gate.card.rate)
    with Interrupts(), written(args.output, ENDINGS) as output:
        sides = read_sides(args, gate.card.rate)
        with lines() if args.progress else bar() as progress:
            if args.base:
                result = _learn_more(args, sides, gate, seed, output, progress)
            else:
                result = _learn(args, sides, gate, seed, output, progress)
        output.commit()
    result["seconds"] = round(time.monotonic() - began, 1)
    tell(args, result, _print)
    return 0


def read_sides(args: argparse.Namespace, rate: int) -> dict[str, Side]:
    """Read and check the examples; say what is passed over.

    Raises:
        AudioError: they are not enough to learn from.
    """
    from realtime.learn import demands

    least_s = demands.LEAST_MORE_S if args.base else demands.LEAST_S
    sides = {}
    for name in ("open", "closed"):
        if getattr(args, name):
            side = sides[name] = read_aloud(name, getattr(args, name), rate)
            demands.demand_enough(side, least_s)
    if len(sides) == 2:
        demands.demand_different(sides["open"], sides["closed"])
    return sides


def _learn(
    args: argparse.Namespace, sides: dict[str, Side], gate: GateFile, seed: int,
    output: Replacement, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    from realtime.learn import report
    from realtime.learn.lesson import learn

    learned = learn(sides["open"], sides["closed"], gate, seed, progress)
    data = report.sides_of(sides, learned.held)
    recipe = _recipe(gate.card.name, data, seed)
    measured = report.measured_of(learned.comparisons)
    card = report.card_of(gate.card, _name(args), learned.rule, recipe, measured)
    _write(output, gate, learned.head, card, learned.memory, learned.heard)
    if args.plot:
        _plot(args.plot, learned, card)
    result = {"gate": args.output, "name": card.name, "from": gate.card.name, **data}
    result |= report.summary(learned, args.output) | _audition(args, learned.heard, card)
    result["table"] = report.table(learned)
    return result


def _learn_more(
    args: argparse.Namespace, sides: dict[str, Side], gate: GateFile, seed: int,
    output: Replacement, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    from realtime.learn import report
    from realtime.learn.more import learn_more, rule_of

    more = learn_more(sides, gate, seed, progress)
    data = report.sides_of(sides, more.held)
    recipe = _recipe(gate.card.name, data, seed) | {"before": gate.card.recipe}
    measured = report.measured_more(more)
    rule = rule_of(gate.card)
    card = report.card_of(gate.card, _name(args), rule, recipe, measured)
    _write(output, gate, more.head, card, more.memory, more.heard)
    if more.worse:
        say(f"warning: {report.advise_more(more)}")
    result = {"gate": args.output, "name": card.name, "from": gate.card.name, **data}
    result |= report.summary_more(more) | _audition(args, more.heard, card)
    result["table"] = report.table_more(more)
    return result


def _audition(args: argparse.Namespace, heard: Heard, card: Card) -> dict[str, Any]:
    if not args.audition:
        return {}
    from realtime.learn.audition import write_audition

    return {"audition": write_audition(args.audition, heard, card.rate)}


def _write(
    output: Replacement, gate: GateFile, head: Head, card: Card, memory: Memory, heard: Heard
) -> None:
    """Write the gate where it has no name yet, and run it once."""
    from realtime.learn.gate_file import check_gate, write_gate

    write(output, write_gate(gate, head, card, memory))
    check_gate(output.temporary, head, gate.backbone, heard.mixtures[-1].audio)


def _agree(args: argparse.Namespace) -> int:
    """Refuse options that are missing or contradict each other; the seed."""
    if not args.output:
        raise UsageError("-o is missing", "name the gate to make: -o my.gate")
    if args.base and args.model:
        raise UsageError("--from and --model are both given", "--from brings its own network")
    if args.base and args.plot:
        raise UsageError("--plot draws a gate that is learned anew", "leave out --from")
    if args.base and not (args.open or args.closed):
        raise UsageError("--from learns more, and no examples are given", "give --closed FILES")
    for name in () if args.base else ("open", "closed"):
        if not getattr(args, name):
            raise UsageError(
                f"--{name} is missing", "a gate learns from both sides: --open and --closed"
            )
    return whole_number("--seed", args.seed)


def _refuse_inputs(args: argparse.Namespace, model: Path) -> None:
    """Refuse an output that is an input.

    Raises:
        UsageError: so.
    """
    from realtime.learn.examples import list_files

    inputs = [model]
    for name in ("open", "closed"):
        inputs += list_files(name, getattr(args, name))
    refuse_inputs(inputs, {"-o": args.output, "--plot": args.plot, "--audition": args.audition})


def _try_outputs(args: argparse.Namespace, rate: int) -> None:
    """Say what is wrong with a place or a kind of file before the lesson, not after it.

    Raises:
        UsageError, MissingExtra, OutputError: so.
    """
    from realtime.learn.audition import open_audition
    from realtime.outputs.picture import Picture

    if args.plot:
        Picture(args.plot).discard()
    if args.audition:
        open_audition(args.audition, rate).close(complete=False)


def _plot(path: str, learned: Learned, card: Card) -> None:
    from realtime.learn.plot import draw_lesson

    draw_lesson(path, learned, card)


def _recipe(base: str, sides: dict[str, Any], seed: int) -> dict[str, Any]:
    """For the card; no names of files, which may be nobody's business."""
    counts = {
        side: {k: v for k, v in facts.items() if k in ("files", "seconds", "sound_s")}
        for side, facts in sides.items()
    }
    return {"from": base, "seed": seed, **counts}


def _name(args: argparse.Namespace) -> str:
    return args.name or Path(args.output).stem or "gate"


def _print(result: dict[str, Any]) -> None:
    """The result for people."""
    for side in ("open", "closed"):
        if side in result:
            f = result[side]
            plural = "" if f["files"] == 1 else "s"
            how = "whole files" if f["held_back_by"] == "files" else "the end of each file"
            print(
                f"{side + ':':<8}{f['files']} file{plural}, {f['seconds']:.0f} s, "
                f"{f['sound_s']:.0f} s of it sound; held back: {how}"
            )
    print()
    print_table(result["table"])
    print(f"\n{result['advice']}")
    say(f"{result['gate']} made in {result['seconds']:.0f} s")
