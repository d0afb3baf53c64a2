"""What `rt-tag INPUT...` refuses: results over what is read, and options that say nothing.

Called by `realtime.commands.tag` before anything is opened.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from realtime.commands.clash import refuse_clash
from realtime.errors import UsageError
from realtime.sources import is_raw

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
