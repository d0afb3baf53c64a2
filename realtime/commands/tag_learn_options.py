"""The options of `rt-tag learn`, and which of them agree with each other."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from realtime.commands.common import Parser
from realtime.commands.lessons import add_ways, whole_number
from realtime.errors import UsageError

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
    text = "examples and false alarms about the threshold, as a picture"
    p.add_argument("--plot", metavar="FILE.png", help=text)
    add_ways(p)
    return p


def agree(args: argparse.Namespace) -> int:
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
    false_alarms(args, {})
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
        taken = label in (OTHER, "any", "default")
        if taken or set(label) & set(",=;") or not label.isprintable():
            raise UsageError(
                f"--label {label!r} cannot be used",
                f"choose another word: {OTHER}, any and default have a meaning, and labels are "
                "parted by , = and ;",
            )


def false_alarms(args: argparse.Namespace, recipe: Mapping[str, Any]) -> float:
    """False alarms a day: as asked, as in the recipe of what was learned before, or 12."""
    given = args.false_alarms_per_day
    if given is None:
        return float(recipe.get("false_alarms_per_day", PER_DAY))
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0.01 <= number <= 10_000.0:
        raise UsageError(
            f"--false-alarms-per-day is {given}", "give a number from 0.01 to 10000"
        )
    return number
