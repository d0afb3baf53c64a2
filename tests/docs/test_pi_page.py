"""docs/pi.md as it is typed: every command in its order, in a home folder of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kit_pages import COMMANDS, PROJECT

pytestmark = pytest.mark.slow

PAGE = PROJECT / "docs/pi.md"
TOOLS = {
    "sudo": 'exec "$@"',
    "apt": "true",
    "pipx": "if [ $1 = install ]; then grep -q '\"rt-tag\"' pyproject.toml; fi",
    "loginctl": "[ $1 = enable-linger ] && [ -n $2 ]",
    "nano": 'case $1 in *.toml) cp ~/settings "$1" ;; *) test -f "$1" ;; esac',
    "systemctl": "grep -q ExecStart ~/.config/systemd/user/rt-tag.service",
    "arecord": """case "$*" in
  -l) ;;
  *plughw:CARD=*) for out in "$@"; do :; done; touch "$out" ;;
  *) exit 1 ;;
esac""",
    "rt-tag": """case $1 in
  --list-devices|--doctor) ;;
  learn) while shift; do case $1 in
    --open|--closed|--from) [ -e "$2" ] || exit 4 ;;
    -o) touch "$2" ;;
  esac; done ;;
  "") mkdir ~/clips ;;  # it listened
  *) exec REAL "$@" --print-config ;;
esac""",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """As it is after the card was written: the checkout, and the programs of others."""
    (tmp_path / "rt-tag").symlink_to(PROJECT)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in TOOLS.items():
        real = str(Path(sys.executable).parent / name)
        (tools / name).write_text(f"#!/bin/bash\nset -e\n{script.replace('REAL', real)}\n")
        (tools / name).chmod(0o755)
    found = re.search(r"<!-- settings -->\n```toml\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert found
    (tmp_path / "settings").write_text(found[1].replace("/home/pi", str(tmp_path)))
    return tmp_path


def typed() -> str:
    """The page's commands; one that fails is the last. After `ensurepath` one logs in again."""
    lines = [c.text for c in COMMANDS if c.page == "docs/pi.md"]
    at = lines.index("pipx ensurepath") + 1
    return "\n".join(["set -ev", *lines[:at], "cd", *lines[at:]])


def test_each_command_works_where_the_one_before_left_off(home: Path) -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("RT_", "XDG_"))}
    environ |= {"HOME": str(home), "USER": "pi", "PATH": f"{home}/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", typed()],
        cwd=home,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('url = "mqtt://homeassistant.local"') == 1
    assert (home / ".config/rt-tag/mqtt-password").stat().st_mode & 0o777 == 0o600
    assert {p.name for p in home.glob("*.onnx")} == {"doorbell.onnx", "better.onnx"}
