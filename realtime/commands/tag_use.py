"""What `rt-tag INPUT...` refuses: results over what is read, and options that say nothing.

Called by `realtime.commands.tag` before anything is opened.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping

from realtime.card import Card
from realtime.commands.clash import refuse_clash
from realtime.errors import UsageError
from realtime.settings import Settings
from realtime.sources import is_raw
from realtime.window import true_hop_s

log = logging.getLogger("rt.realtime.tag")

RAW = ("rate", "channels", "format")


def check_use(args: argparse.Namespace, origins: Mapping[str, str]) -> None:
    """Refuse options that contradict each other, or the inputs.

    Args:
        args: the command line.
        origins: dotted setting to who said it.

    Raises:
        UsageError: so.
    """
    if args.json and args.table:
        raise UsageError("--json and --table are both given", "leave one of them out")
    if args.plot and len(args.inputs) > 1:
        raise UsageError("--plot draws one input", "give one file, or run once for each")
    for name in RAW:
        asked = args.inputs and origins.get(name) == f"--{name}"
        if asked and not any(map(is_raw, args.inputs)):
            raise UsageError(
                f"--{name} is for raw PCM, and {args.inputs[0]} knows its own", "leave it out"
            )
    read = {f"the input {i}": path for i, path in enumerate(args.inputs, 1)}
    if len(args.inputs) == 1:
        read = {"the input": args.inputs[0]}
    for name in ("card", "config", "model"):
        read[f"what --{name} reads"] = getattr(args, name) or ""
    refuse_clash({"--scores": args.scores or "", "--plot": args.plot or ""}, read)


def say_hop(settings: Settings, card: Card) -> None:
    """Warn where another hop is used than was asked for.

    Raises:
        UsageError: it does not fit the model.
    """
    asked = settings.values.hop_s
    used = true_hop_s(card, asked) if asked else 0.0
    if abs(used - asked) * card.rate > 0.5:  # samples
        log.warning(
            "%s: %g s is no multiple of the front end's hop in model %s, %g s is used",
            settings.origins["hop_s"], asked, card.name, used,
        )  # fmt: skip
