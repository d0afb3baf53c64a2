"""`rt-tag learn`: a model of your own sounds. See `rt-tag learn --help` and docs/wake.md.

Called by `realtime.commands.tag`, whose guard turns errors into exit statuses. The model is
written to a temporary file, run once as rt-tag will run it, and only then given its name.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.commands.common import Interrupts, Parser, say, start_logging
from realtime.commands.lessons import (
    bar,
    lines,
    no_stop,
    print_table,
    read_aloud,
    refuse_inputs,
    whole_number,
    write,
    written,
)
from realtime.errors import UsageError

if TYPE_CHECKING:
    from realtime.learn.examples import Side
    from realtime.learn.hearing import Progress
    from realtime.outputs.replace import Replacement
    from realtime.wake.hours import Hours
    from realtime.wake.memory import Memory
    from realtime.wake.model_file import WakeFile

DEFAULT = "ears"
PER_DAY = 12.0
EXAMPLES = """
examples:
  rt-tag learn --label doorbell --open rings/ --closed kitchen.wav -o mine.onnx
  rt-tag --model mine.onnx                                     live
  rt-tag learn --from mine.onnx --closed clips/ -o better.onnx         it took a pan for it
  rt-tag learn --from mine.onnx --label kettle --open whistle*.wav -o both.onnx
"""


class _Labelled(argparse.Action):
    """`--label NAME --open FILES`, any number of times: pairs in `sounds`."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
        option_string: str | None = None,
    ) -> None:  # fmt: skip
        """Begin a label, or give the last one its files."""
        sounds: list[tuple[str, list[str]]] = namespace.sounds or []
        namespace.sounds = sounds
        if option_string == "--label":
            sounds.append((values, []))
        elif sounds and not sounds[-1][1]:
            sounds[-1][1].extend(values)
        elif sounds:
            raise UsageError(
                f"--open is given twice for {sounds[-1][0]}",
                "give all its files at once, or another --label before",
            )
        else:
            sounds.append(("", list(values)))


def parser() -> argparse.ArgumentParser:
    """The options of rt-tag learn."""
    p = Parser(
        prog="rt-tag learn",
        description="Make a model that finds your sound, of three to twenty recordings of it.",
        epilog=EXAMPLES,
    )
    files = "DIR_OR_FILE"
    pairs: dict[str, Any] = {"dest": "sounds", "action": _Labelled}
    text = "what to call the sound; again for another one"
    p.add_argument("--label", **pairs, metavar="NAME", help=text)
    text = "recordings of the label before it"
    p.add_argument("--open", **pairs, nargs="+", metavar=files, help=text)
    text = "minutes of the room without these sounds; clips of false alarms"
    p.add_argument("--closed", nargs="+", metavar=files, default=[], help=text)
    p.add_argument("-o", "--output", metavar="FILE.onnx", help="the model that is made")
    text = "a learned model that is shown more, or another label"
    p.add_argument("--from", dest="base", metavar="FILE.onnx", help=text)
    text = f"put up with so many in a day of the shipped sounds ({PER_DAY:g})"
    p.add_argument("--false-alarms-per-day", metavar="N", help=text)
    text = f"tagger whose network is used, a shipped name or a file ({DEFAULT})"
    p.add_argument("--model", metavar="NAME|FILE", help=text)
    p.add_argument("--name", help="of the model (that of its file)")
    p.add_argument("--seed", metavar="N", default="1", help="of all chance (1)")
    p.add_argument("--json", action="store_true", help="the result as one JSON object")
    text = "how far it is as JSON lines on stdout, the result as the last one"
    p.add_argument("--progress", action="store_true", help=text)
    p.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv all")
    return p


def main(argv: Sequence[str]) -> int:
    """Run rt-tag learn; the exit status."""
    args = parser().parse_args(argv)
    start_logging(args.verbose)
    seed = _agree(args)
    began = time.monotonic()
    from realtime.library import find_model
    from realtime.wake.hours import hours_of
    from realtime.wake.model_file import read_model

    path = Path(args.base) if args.base else find_model(args.model or DEFAULT, "onnx")
    base = read_model(path)
    hours = hours_of(base.ears.digest)
    _refuse_files(args, base.path)
    with Interrupts(no_stop), written(args.output) as output:
        sides = read_sides(args, base)
        with lines() if args.progress else bar() as progress:
            result = _learn(args, sides, base, hours, seed, output, progress)
        output.commit()
    result["seconds"] = round(time.monotonic() - began, 1)
    if args.json or args.progress:
        result.pop("table")
        print(json.dumps(result, ensure_ascii=False))
    else:
        _print(result)
    return 0


def read_sides(args: argparse.Namespace, base: WakeFile) -> dict[str, Side]:
    """Read and check the examples, by label; those of no label are what it shall not find.

    Raises:
        AudioError: nothing can be read, or a recording is given for two things.
    """
    from realtime.learn.demands import demand_different
    from realtime.wake.sides import WANTED, demand_consistent

    rate, sides = base.card.rate, {}
    for label, paths in args.sounds:
        sides[label] = read_aloud("open", paths, rate, WANTED)
        sides[label].name = f"open of {label}"
    if args.closed:
        sides[""] = read_aloud("closed", args.closed, rate, WANTED)
    names = list(sides)
    for i, label in enumerate(names):
        for other in names[i + 1 :]:
            demand_different(sides[label], sides[other])
    if base.memory is not None:
        demand_consistent(sides, base.memory)
    return sides


def _learn(
    args: argparse.Namespace, sides: dict[str, Side], base: WakeFile, hours: Hours, seed: int,
    output: Replacement, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    from realtime.wake import report
    from realtime.wake.lesson import hear, learn
    from realtime.wake.memory import Memory
    from realtime.wake.model_file import check_model, write_model

    clips = [(label, clip) for label, side in sides.items() for clip in side.clips]
    old = base.memory
    new = hear(clips, base.ears, hours, seed, progress)
    lessons = old.lessons if old else 0
    per_day = _per_day(args, base)
    memory = Memory(base.ears.digest, [*(old.examples if old else []), *new], lessons + 1)
    learned = learn(memory, hours, per_day, seed, progress)
    changed = report.compare(learn(old, hours, per_day, seed, progress), learned) if old else {}
    recipe = _recipe(base, memory, per_day, seed)
    command = "rt-tag learn --from" if old else "rt-tag learn"
    measured = report.measured_of(learned, command)
    name = args.name or Path(args.output).stem or "mine"
    card = report.card_of(base.card, name, learned, hours, recipe, measured)
    write(output, write_model(base, learned.layer, hours.space, card, memory))
    check_model(output.temporary, learned.layer, hours.space, base.ears, clips[0][1].audio)
    result = {"model": args.output, "name": name, "from": base.card.name}
    result |= report.summary(learned, hours, per_day)
    if old:
        result["old_examples"] = changed
        for text in report.worse(changed):
            say(f"warning: {text}")
    result["table"] = report.table(learned)
    return result


def _agree(args: argparse.Namespace) -> int:
    """Refuse options that are missing or contradict each other; the seed."""
    args.sounds = args.sounds or []
    if not args.output:
        raise UsageError("-o is missing", "name the model to make: -o mine.onnx")
    if args.base and args.model:
        raise UsageError("--from and --model are both given", "--from brings its own network")
    if args.base and not (args.sounds or args.closed):
        raise UsageError("--from learns more, and no examples are given", "give --closed FILES")
    if not args.base and not args.sounds:
        raise UsageError(
            "--label and --open are missing", "say what to find: --label doorbell --open FILES"
        )
    _agree_labels(args.sounds)
    _per_day(args, None)
    return whole_number("--seed", args.seed)


def _agree_labels(sounds: list[tuple[str, list[str]]]) -> None:
    from realtime.wake.model_file import OTHER

    names = [label for label, _ in sounds]
    for label, files in sounds:
        if not label.strip():
            raise UsageError(
                "--open has no label", "say what it is before it: --label doorbell --open FILES"
            )
        if not files:
            raise UsageError(f"--label {label} has no --open", "give its recordings after it")
        if names.count(label) > 1:
            raise UsageError(
                f"--label {label} is given twice", "give all its files after one --open"
            )
        if label == OTHER or "," in label or "=" in label or not label.isprintable():
            raise UsageError(
                f"--label {label!r} cannot be used",
                f"choose another word: {OTHER} is what is none of the labels, and options part "
                "labels by , and =",
            )


def _per_day(args: argparse.Namespace, base: WakeFile | None) -> float:
    """False alarms a day: as asked, as before, or as usual."""
    given = args.false_alarms_per_day
    if given is None:
        known = base.card.recipe.get("false_alarms_per_day") if base else None
        return float(known) if known is not None else PER_DAY
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0.01 <= number <= 10_000.0:
        raise UsageError(
            f"--false-alarms-per-day is {given}", "give a number from 0.01 to 10000"
        )
    return number


def _refuse_files(args: argparse.Namespace, model: Path) -> None:
    """Refuse an output that is an input."""
    from realtime.learn.examples import list_files
    from realtime.wake.sides import WANTED

    inputs = [model, *list_files("closed", args.closed, WANTED)]
    for _, paths in args.sounds:
        inputs += list_files("open", paths, WANTED)
    refuse_inputs(inputs, {"-o": args.output})


def _recipe(base: WakeFile, memory: Memory, per_day: float, seed: int) -> dict[str, Any]:
    """For the card; no names of files, which may be nobody's business."""
    counts = dict.fromkeys((*memory.labels, ""), 0)
    for example in memory.examples:
        counts[example.label] += 1
    closed = counts.pop("")
    recipe = {"from": base.card.name, "seed": seed, "false_alarms_per_day": per_day}
    return recipe | {"examples": counts, "closed": closed, "lessons": memory.lessons}


def _print(result: dict[str, Any]) -> None:
    """The result for people."""
    print_table(result["table"])
    asked = result["false_alarms_per_day_asked"]
    print(
        f"\nFalse alarms are counted in {result['shipped_h']:.1f} h of words, talk, music and "
        f"noises without a pause, busier than any room; {asked:g} a day of it were asked for."
    )
    for label, f in result.get("old_examples", {}).items():
        print(
            f"{label}, old examples: {f['missed_after']} of {f['examples']} missed, "
            f"{f['missed_before']} before"
        )
    for text in result["advice"]:
        print(f"- {text}")
    say(f"{result['model']} made in {result['seconds']:.0f} s")
