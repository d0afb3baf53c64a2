"""`rt-panel`: the control panel. See `rt-panel --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from realtime.commands.common import Parser, add_version, guarded
from realtime.errors import MissingExtra

PAGES = ("gate", "tag", "teach", "settings")
WORDS = ("show", "bypass", "mute", "quit")
LIBRARIES = "on Debian: apt-get install libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1"


def parser() -> argparse.ArgumentParser:
    """The options of rt-panel."""
    p = Parser(prog="rt-panel", description="See why the gate opened, set it, teach it.")
    p.add_argument(
        "--connect",
        metavar="FILE|HOST:PORT",
        help="drive a gate that runs already (rt-gate --control), also through a tunnel",
    )
    p.add_argument("--page", choices=PAGES, help="show this page first")
    p.add_argument("--minimised", action="store_true", help="start in the tray")
    p.add_argument(
        "--tell",
        choices=WORDS,
        help="have the panel that runs do this, for a key of the desktop",
    )
    p.add_argument("--config", metavar="FILE.json", help="settings file")
    add_version(p)
    return p


def tell(args: argparse.Namespace) -> int:
    """`--tell`, without a window: it belongs to a key, and has to be quick."""
    from gui.instance import tell
    from gui.store import default_path

    path = Path(args.config) if args.config else default_path()
    return tell(args.tell, path, args.connect)


@guarded
def main(argv: Sequence[str]) -> int:
    """Run rt-panel; the exit status."""
    args = parser().parse_args(argv)
    try:
        if args.tell:
            return tell(args)
        from gui import app
    except ModuleNotFoundError as e:
        if (e.name or "").split(".")[0] != "PyQt6":
            raise
        raise MissingExtra("rt-panel needs PyQt6", 'pip install "rt-tag[gui]"') from e
    except ImportError as e:  # a library of the system's that Qt is linked with
        if ".so" not in str(e):
            raise
        raise MissingExtra(f"PyQt6 does not load: {e}", LIBRARIES) from e
    return app.run(args)
