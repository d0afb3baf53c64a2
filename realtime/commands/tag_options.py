"""The options of rt-tag, and the settings that they give."""

from __future__ import annotations

import argparse
from typing import Any

from realtime.commands.archive import add_archive
from realtime.commands.common import Parser, add_shared
from realtime.commands.services import add_services, services_given

EXAMPLES = """
examples:
  rt-tag                                     the microphone, until Ctrl-C
  rt-tag clip.flac                           a table of what is in a file
  rt-tag --json a.wav b.wav                  one JSON object a line, with "file"
  arecord -f S16_LE -r 16000 | rt-tag -      raw PCM from a pipe
  rt-tag clip.wav --plot tags.png --scores scores.csv
  rt-tag RECORDINGS --recursive -o tags.csv  a table of an archive, by all cores
  rt-tag --model my.onnx --threshold dog=0.8,cat=0.6 --refractory 2
"""
DECISION = {  # option: (setting, metavar, help)
    "--smoothing": ("decision.smoothing_s", "S", "time constant of score smoothing, seconds"),
    "--average": ("decision.average", "N", "moving average of scores over N windows"),
    "--hysteresis": ("decision.hysteresis", "X", "a label stops this much under its threshold"),
    "--confirm": ("decision.confirm", "N", "windows in a row that make a start"),
    "--min-duration": ("decision.min_duration_s", "S", "an event lasts at least this long"),
    "--refractory": (
        "decision.refractory_s",
        "S",
        "no second start of a label within S seconds",
    ),
    "--hop": ("hop_s", "S", "seconds between decisions"),
}
PLAIN = ("model", "card", "runtime", "threads", "device", "rate", "channels", "format", "top")


def parser() -> argparse.ArgumentParser:
    """The options of rt-tag."""
    p = Parser(
        prog="rt-tag",
        description="Name sounds live: words, and whatever a model knows. `rt-tag learn` makes "
        "a model of your own sounds.",
        epilog=EXAMPLES,
    )
    text = "sound files, or - for raw PCM; none is the microphone"
    p.add_argument("inputs", nargs="*", metavar="INPUT", help=text)
    group = p.add_argument_group("results")
    group.add_argument("--json", action="store_true", help="JSON lines (default in a pipe)")
    group.add_argument("--table", action="store_true", help="the table, in a pipe too")
    group.add_argument("--scores", metavar="FILE.csv", help="every decision's scores")
    group.add_argument("--plot", metavar="FILE.png", help="spectrogram and tags as a picture")
    group.add_argument("--top", metavar="K", help="labels shown live (5)")
    group = p.add_argument_group("decision")
    text = "score at which a label starts"
    group.add_argument("--threshold", metavar="X|LABEL=X,...", help=text)
    for option, (key, metavar, text) in DECISION.items():
        group.add_argument(option, dest=key, metavar=metavar, help=text)
    add_archive(p)
    add_services(p)
    add_shared(p)
    return p


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings on the command line, by field."""
    keys = [*PLAIN, "threshold", *(key for key, _, _ in DECISION.values())]
    found = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
    return found | services_given(args)
