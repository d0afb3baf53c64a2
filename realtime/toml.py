"""TOML files that people write, with errors for people."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from realtime.errors import UsageError


def read_toml(path: Path, hint: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: the file.
        hint: what to do about a file that cannot be read or is no TOML.

    Raises:
        UsageError: so.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}", hint) from e
    except UnicodeDecodeError as e:
        raise UsageError(f"{path}: no TOML: it is no UTF-8 text", hint) from e
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{path}: no TOML: {e}", hint) from e
