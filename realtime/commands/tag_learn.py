"""`rt-tag learn`: a model of your own sounds. See `rt-tag learn --help` and docs/wake.md.

Called by `realtime.commands.tag`, whose guard turns errors into exit statuses. The model is
written to a temporary file, run once as rt-tag will run it, and only then given its name.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.commands.clash import refuse_inputs
from realtime.commands.common import Interrupts, say, start_logging
from realtime.commands.lessons import (
    bar,
    drawn,
    lines,
    print_table,
    read_aloud,
    tell,
    write,
    written,
)
from realtime.commands.tag_learn_options import DEFAULT, agree, false_alarms, parser
from realtime.errors import CardError

if TYPE_CHECKING:
    from realtime.learn.examples import Side
    from realtime.learn.hearing import Progress
    from realtime.outputs.picture import Picture
    from realtime.outputs.replace import Replacement
    from realtime.wake.hours import Hours
    from realtime.wake.memory import Memory
    from realtime.wake.model_file import WakeFile

ENDINGS = (".onnx",)


def main(argv: Sequence[str]) -> int:
    """Run rt-tag learn; the exit status."""
    args = parser().parse_args(argv)
    start_logging(args.verbose)
    seed = agree(args)
    began = time.monotonic()
    from realtime.library import find_model
    from realtime.wake.hours import hours_of
    from realtime.wake.model_file import read_model

    path = Path(args.base) if args.base else find_model(args.model or DEFAULT, "onnx")
    base = read_model(path)
    if args.base and base.memory is None:
        raise CardError(
            f"{path} remembers no examples: rt-tag learn did not make it",
            "use --model to begin with it, and give --label and --open",
        )
    hours = hours_of(base.ears.digest)
    _refuse_files(args, base.path)
    file = written(args.output, ENDINGS)
    with Interrupts(), file as output, drawn(args.plot) as picture:
        sides = read_sides(args, base)
        with lines() if args.progress else bar() as progress:
            result = _learn(args, sides, base, hours, seed, output, progress, picture)
        output.commit()
    result["seconds"] = round(time.monotonic() - began, 1)
    tell(args, result, _print)
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
    output: Replacement, progress: Progress, picture: Picture | None,
) -> dict[str, Any]:  # fmt: skip
    from realtime.wake import report
    from realtime.wake.lesson import hear, learn
    from realtime.wake.memory import Memory
    from realtime.wake.model_file import check_model, write_model

    clips = [(label, clip) for label, side in sides.items() for clip in side.clips]
    old = base.memory
    new = hear(clips, base.ears, hours, seed, progress)
    lessons = old.lessons if old else 0
    per_day = false_alarms(args, base.card.recipe)
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
    if picture:
        from realtime.wake.plot import draw_lesson

        draw_lesson(picture, learned, name)
    result = {"model": args.output, "name": name, "from": base.card.name}
    result |= report.summary(learned, hours, per_day)
    if old:
        result["old_examples"] = changed
        for text in report.worse(changed):
            say(f"warning: {text}")
    result["table"] = report.table(learned)
    return result


def _refuse_files(args: argparse.Namespace, model: Path) -> None:
    """Refuse an output that is an input."""
    from realtime.learn.examples import list_files
    from realtime.wake.sides import WANTED

    inputs = [model, *list_files("closed", args.closed, WANTED)]
    for _, paths in args.sounds:
        inputs += list_files("open", paths, WANTED)
    refuse_inputs(inputs, {"-o": args.output, "--plot": args.plot})


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
