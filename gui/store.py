"""What outlives the panel: one JSON file, written whole or not at all.

A file that cannot be understood is kept aside under another name, said, and defaults serve.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer

from realtime.errors import RtError
from realtime.outputs.replace import write_whole

FORMAT = 1
SOON_MS = 400  # changes are gathered so long before they are written

log = logging.getLogger("rt.gui")


def default_path() -> Path:
    """Where settings are kept unless told."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "rt-tag" / "panel.json"


class Store(QObject):
    """Values by key, as JSON knows them.

    Args:
        path: the file; made when something is first put.

    Attributes:
        complaint: what was wrong with the file at the start, for a person; empty if nothing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.complaint = ""
        self._values = self._read()
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(SOON_MS)
        self._late.timeout.connect(self.flush)

    def get(self, key: str, default: Any = None) -> Any:
        """A value; `default` also where the file holds something of another kind."""
        found = self._values.get(key, default)
        if default is not None and not _alike(found, default):
            return default
        return found

    def put(self, key: str, value: Any) -> None:
        """Keep a value; it is written soon."""
        if self._values.get(key) != value:
            self._values[key] = value
            self._late.start()

    def flush(self) -> None:
        """Write now what was not yet written; a fault is logged, as nobody can mend it here."""
        self._late.stop()
        text = json.dumps({"format": FORMAT, **self._values}, ensure_ascii=False, indent=1)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, (text + "\n").encode())
        except (RtError, OSError) as e:
            log.warning("settings were not kept: %s", e)

    def _read(self) -> dict[str, Any]:
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as e:
            return self._set_aside(str(e))
        try:
            found = json.loads(text)
        except ValueError as e:
            return self._set_aside(str(e))
        if not isinstance(found, dict):
            return self._set_aside("it holds no object")
        if found.get("format", FORMAT) != FORMAT:
            return self._set_aside(f"its format is {found['format']!r}, not {FORMAT}")
        found.pop("format", None)
        return found

    def _set_aside(self, why: str) -> dict[str, Any]:
        """Keep a bad file for whoever wants to mend it."""
        aside = self.path.with_name(f"{self.path.name}.bad-{time.strftime('%Y%m%d-%H%M%S')}")
        with contextlib.suppress(OSError):
            self.path.replace(aside)
        self.complaint = str(aside)
        log.warning("%s: %s; kept as %s, defaults serve", self.path, why, aside)
        return {}


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return type(value) is type(default)
    if isinstance(default, (int, float)):
        return isinstance(value, (int, float))
    return isinstance(value, type(default))
