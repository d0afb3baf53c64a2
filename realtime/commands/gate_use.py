"""What `rt-gate IN OUT` refuses: files that are one another, and options of live sound.

Called by `realtime.commands.gate` before anything is opened.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from realtime.commands.clash import refuse_clash
from realtime.errors import UsageError
from realtime.sources import is_raw

LIVE = (
    "device", "output_device", "output_channels", "block", "virtual_mic", "key_channels",
    "control_token_file",
)  # fmt: skip


OF_LEVEL = ("threshold_db", "close_db", "unlink")  # live they serve while a network is late


def check_use(args: argparse.Namespace, origins: Mapping[str, str], level: bool) -> None:
    """Refuse files that are one another, and options that mean nothing for files.

    Args:
        args: the command line.
        origins: where each setting was said.
        level: the level gate is asked for.

    Raises:
        UsageError: so.
    """
    if len(args.inputs) != 2:
        raise UsageError(
            "an output is missing"
            if len(args.inputs) == 1
            else "more than one input and output",
            "rt-gate IN OUT, rt-gate - - in a pipe, or no file for live sound",
        )
    source, target = args.inputs
    if target == "-" and args.json:
        raise UsageError(
            "both the sound and --json go to stdout", "name an output file, or use --trace"
        )
    for name in LIVE:
        option = "--" + name.replace("_", "-")
        if origins.get(name) == option:
            raise UsageError(f"{option} is for live sound", "leave it out, or IN and OUT")
    for name in () if level else OF_LEVEL:
        option = "--" + name.replace("_", "-")
        if origins.get(name) == option:
            raise UsageError(f"{option} belongs to the level gate", "add --level")
    raw = [p for p in (source, target) if is_raw(p)]
    if origins.get("format") == "--format" and not raw:
        raise UsageError(
            "--format is for raw PCM, and neither IN nor OUT is raw",
            "the output has the input's sample type",
        )
    for name in ("rate", "channels"):
        if origins.get(name) == f"--{name}" and not is_raw(source):
            raise UsageError(
                f"--{name} is for raw PCM, and {source} knows its own", "leave it out"
            )
    check_distinct(args, origins)


def check_distinct(args: argparse.Namespace, origins: Mapping[str, str]) -> None:
    """Refuse to write over what is read, or two results into one file.

    Raises:
        UsageError: so.
    """
    source, target = args.inputs
    reads = {"the input": source, "the key": args.key if "key" in origins else ""}
    writes = {"the output": target, "--trace": args.trace or "", "--plot": args.plot or ""}
    refuse_clash(writes, reads)
