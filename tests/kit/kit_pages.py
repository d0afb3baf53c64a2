"""The commands in the README and in docs/, and a way to run them.

`tests/docs/test_readme.py` says how they are marked.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *(f"docs/{p.name}" for p in sorted((PROJECT / "docs").glob("*.md")))]
FENCE = re.compile(r"^```console *(.*?)\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Command(NamedTuple):
    """One command of a page."""

    page: str
    line: int
    kind: str
    text: str


def commands() -> list[Command]:
    found = []
    for page in PAGES:
        text = (PROJECT / page).read_text("utf-8")
        for fence in FENCE.finditer(text):
            line = text[: fence.start(2)].count("\n")
            for number, content in enumerate(fence[2].splitlines(), line + 1):
                if content.startswith("$ "):
                    found.append(Command(page, number, fence[1], content[2:]))
                elif content.startswith("> "):
                    found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{content[2:]}")
    return found


COMMANDS = commands()


def of_kind(kind: str) -> pytest.MarkDecorator:
    """The commands of a kind, those that stand on several pages once."""
    chosen = list({c.text: c for c in reversed(COMMANDS) if c.kind == kind}.values())[::-1]
    names = [f"{c.page}:{c.line} {c.text.splitlines()[0][:40]}" for c in chosen]
    return pytest.mark.parametrize("command", chosen, ids=names)


def run(text: str, folder: Path, *, live: bool = False) -> str:
    """Run a command as a shell does; what it printed, or the files it made."""
    front = [folder / "bin/live"] if live else []
    path = os.pathsep.join(
        map(str, [*front, folder / "bin", Path(sys.executable).parent, os.environ["PATH"]])
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RT_")}
    before = set(folder.iterdir())
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", text],
        cwd=folder,
        env={**environ, "PATH": path, "XDG_CONFIG_HOME": str(folder / "config")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
    )
    made = {p.name for p in set(folder.iterdir()) - before}
    allowed = (0, 141) if "| head" in text else (0,)
    assert done.returncode in allowed, f"{text}\n{done.stderr}"
    assert "error:" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() or made, f"{text}: nothing came out"
    return done.stdout
