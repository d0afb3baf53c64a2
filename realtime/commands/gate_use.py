"""What `rt-gate IN OUT` refuses: files that are one another, and options of live sound.

Called by `realtime.commands.gate` before anything is opened.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from realtime.errors import UsageError
from realtime.sources import RAW_SUFFIXES

LIVE = ("device", "output_device", "output_channels", "block", "virtual_mic", "key_channels")


def check_use(args: argparse.Namespace, origins: Mapping[str, str]) -> None:
    """Refuse files that are one another, and options that mean nothing for files.

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
    raw = [p for p in (source, target) if _is_raw(p)]
    if origins.get("format") == "--format" and not raw:
        raise UsageError(
            "--format is for raw PCM, and neither IN nor OUT is raw",
            "the output has the input's sample type",
        )
    for name in ("rate", "channels"):
        if origins.get(name) == f"--{name}" and not _is_raw(source):
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
    reads = {"the input": source, "the key": args.key if "key" in origins else None}
    writes = {"the output": target, "--trace": args.trace, "--plot": args.plot}
    for name, path in writes.items():
        if not path or path == "-":
            continue
        for other, place in reads.items():
            if place and same_file(path, place):
                raise UsageError(
                    f"{name} {path} is {other} itself",
                    "name another file: nothing is lost then",
                )
    names = [(n, p) for n, p in writes.items() if p and p != "-"]
    for i, (name, path) in enumerate(names):
        for other, place in names[:i]:
            if same_file(path, place):
                raise UsageError(f"{name} and {other} are both {path}", "name another file")


def same_file(a: str, b: str) -> bool:
    """Whether two paths are one regular file, now or once it is made."""
    one, two = Path(a), Path(b)
    try:
        if one.exists() and two.exists():
            return one.is_file() and os.path.samefile(one, two)  # noqa: PTH121  is older
        return one.resolve() == two.resolve()
    except OSError:
        return False


def _is_raw(path: str) -> bool:
    where = Path(path)
    special = where.exists() and not where.is_file() and not where.is_dir()
    return path == "-" or special or where.suffix.lower() in RAW_SUFFIXES
