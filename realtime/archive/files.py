"""Which sounds an archive has: files by name, folders by what their files are called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from realtime.errors import AudioError, UsageError

SOUNDS = frozenset(
    f".{x}"
    for x in ("aif", "aifc", "aiff", "au", "caf", "flac", "mp3", "oga", "ogg", "opus", "rf64",
              "snd", "w64", "wav", "wave")
)  # fmt: skip
RAW = frozenset({".pcm", ".raw"})  # with --rate
CONTROL = re.compile("[\x00-\x1f\x7f]")


class Entry(msgspec.Struct, frozen=True):
    """One file of an archive.

    Args:
        name: as it was given and as the table has it, see `name_of`.
        path: its absolute path, as the system has it.
        size: bytes.
        changed: when it was changed, nanoseconds.
    """

    name: str
    path: bytes
    size: int
    changed: int


def list_files(inputs: Sequence[str], recursive: bool, raw: bool = False) -> list[Entry]:
    """The files of an archive: those named, and the sounds below the folders named.

    Folders are walked in the order of names; names that begin with a dot, pipes and devices are
    left out, and links to folders are not followed. A file that comes twice counts once.

    Args:
        inputs: files and folders.
        recursive: whether folders are allowed.
        raw: whether raw PCM in folders is sound.

    Raises:
        UsageError: a folder, and not `recursive`.
        AudioError: an input is not there, or there is no sound at all.
    """
    endings = SOUNDS | RAW if raw else SOUNDS
    found: dict[str, Entry] = {}
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            if not recursive:
                raise UsageError(f"{given} is a folder", "add --recursive")
            for one in _walk(path, endings):
                if _may_end(one):
                    entry = _entry(one)
                    found.setdefault(entry.name, entry)
        else:
            entry = _entry(path)
            found.setdefault(entry.name, entry)
    if not found:
        raise AudioError(
            f"{', '.join(inputs)}: no sound there",
            f"files that end in {' '.join(sorted(endings))}",
        )
    return list(found.values())


def _walk(folder: Path, endings: frozenset[str]) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(x for x in folders if not x.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in endings:  # noqa: PTH122  no object for each of a million names
                yield Path(top, name)


def _may_end(path: Path) -> bool:
    """Not for pipes and devices, which are heard when they are named, and may never end."""
    return path.is_file() or not path.exists()


def _entry(path: Path) -> Entry:
    try:
        info = path.stat()
        size, changed = info.st_size, info.st_mtime_ns
    except FileNotFoundError as e:
        if not path.is_symlink():
            raise AudioError(f"{path}: no such file or folder", "check the path") from e
        size = changed = 0  # a link that leads nowhere; whoever reads it says so
    except OSError as e:
        raise AudioError(f"{path}: {e.strerror}", "check the path") from e
    return Entry(name_of(path), os.fsencode(path.absolute()), size, changed)


def name_of(path: Path) -> str:
    r"""A path as one line of text, of which `printf %b` makes the path again.

    A backslash is doubled; control characters, and bytes that are no UTF-8, become `\xHH`.
    """
    text = os.fsencode(path).replace(b"\\", rb"\\").decode("utf-8", "backslashreplace")
    return CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
