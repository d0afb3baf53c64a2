"""What is refused of files that are named to a command: results over what is read, or twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from realtime.errors import UsageError
from realtime.places import first_clash


def refuse_clash(writes: Mapping[str, str], reads: Mapping[str, str]) -> None:
    """Refuse to write over what is read, or two results into one file.

    Args:
        writes: name for people to path; an empty one or "-" is no file.
        reads: likewise.

    Raises:
        UsageError: so.
    """
    clash = first_clash(writes.items(), reads.items())
    if clash is None:
        return
    name, other = clash
    if other in reads:
        raise UsageError(
            f"{name} {writes[name]} is {other} itself",
            "name another file: nothing is lost then",
        )
    raise UsageError(f"{name} and {other} are both {writes[name]}", "name another file")


def refuse_inputs(inputs: Iterable[Path], outputs: Mapping[str, str | None]) -> None:
    """Refuse an output that is one of many inputs, or another output.

    Args:
        inputs: files that are read.
        outputs: what is given to an option that names a file to make.

    Raises:
        UsageError: so.
    """
    made = [(option, path) for option, path in outputs.items() if path]
    clash = first_clash(made, [("", path) for path in inputs])
    if clash is None:
        return
    option, other = clash
    if not other:
        raise UsageError(f"{option} {outputs[option]} is an input, too", "choose another name")
    *first, last = outputs
    raise UsageError(
        f"two of {', '.join(first)} and {last} name the same file", "choose other names"
    )
