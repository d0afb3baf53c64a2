"""Start with the desktop: a file in XDG's autostart folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import sysconfig
from pathlib import Path

NAME = "rt-panel.desktop"


def path() -> Path:
    """The file."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "autostart" / NAME


def is_on() -> bool:
    """Whether the panel starts with the desktop."""
    try:
        return "Hidden=true" not in path().read_text("utf-8")
    except OSError:
        return False


def switch(on: bool) -> None:
    """Start with the desktop from now on, or no more.

    Raises:
        OSError: the file cannot be written.
    """
    if not on:
        with contextlib.suppress(FileNotFoundError):
            path().unlink()
        return
    path().parent.mkdir(parents=True, exist_ok=True)
    path().write_text(entry(), "utf-8")


def entry() -> str:
    """What the file says."""
    return (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Name=rt-panel\n"
        "Comment=Gate of the microphone\n"
        "Comment[de]=Gate für das Mikrofon\n"
        f"Exec={_quoted(_program())} --minimised\n"
        "Icon=audio-input-microphone\n"
        "Terminal=false\n"
        "X-GNOME-Autostart-enabled=true\n"
    )


def _program() -> str:
    beside = shutil.which("rt-panel", path=sysconfig.get_path("scripts"))
    return beside or shutil.which("rt-panel") or f"{Path(sys.executable).parent}/rt-panel"


def _quoted(text: str) -> str:
    """An argument as the Exec key wants it."""
    for sign in ("\\", '"', "`", "$"):
        text = text.replace(sign, "\\" + sign)
    return '"' + text.replace("%", "%%").replace("\\", "\\\\") + '"'
