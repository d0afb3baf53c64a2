"""What is at a path, said without raising: pathlib raises for a folder that is closed to us.

Whoever then opens the path gets the system's own reason, and turns it into one of ours.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

Kind = Literal["", "file", "folder", "special"]


def kind_at(path: str | Path) -> Kind:
    """What is there: a "file", a "folder", or what can only be streamed ("special").

    Links are followed. Empty: there is nothing, or nothing that we may see.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  takes any path
    except (OSError, ValueError):
        return ""
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "special"


def shown(path: str | Path) -> str:
    """A path as text that any output can hold: those of its bytes that are no UTF-8 escaped."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def native(path: str | Path) -> str | bytes:
    """A path as libsndfile takes it, whatever bytes its name has."""
    return str(path) if sys.platform == "win32" else os.fsencode(path)


def same_file(a: str | Path, b: str | Path) -> bool:
    """Whether two paths are one regular file, now or once it is made."""
    kinds = kind_at(a), kind_at(b)
    if all(kinds):
        return kinds[0] == "file" and os.path.samefile(a, b)  # noqa: PTH121  is older
    return os.path.realpath(a) == os.path.realpath(b)  # resolve() raises for a ring of links


def first_clash(
    writes: Iterable[tuple[str, str | Path]], reads: Iterable[tuple[str, str | Path]] = ()
) -> tuple[str, str] | None:
    """The first file to be written that is read too, or written twice: both their names.

    Args:
        writes: name for people and path; one that is empty or "-" is no file.
        reads: likewise.
    """
    read = [(name, path) for name, path in reads if path and path != "-"]
    made: list[tuple[str, str | Path]] = []
    for name, path in writes:
        if not path or path == "-":
            continue
        for other, place in (*read, *made):
            if same_file(path, place):
                return name, other
        made.append((name, path))
    return None
