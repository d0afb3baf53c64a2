"""The systemd unit of docs/pi.md."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from kit_pages import PROJECT, run

pytestmark = pytest.mark.slow


def test_the_service_runs_what_rt_tag_knows(place: Path) -> None:
    unit = (PROJECT / "docs/rt-tag.service").read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    command = line.replace("%h/.local/bin/", "")
    assert "threshold" in run(f"{command} --print-config --config rt-tag.toml", place)
    assert "Type=notify" in unit
    assert "Environment=PYTHONSAFEPATH=1" in unit
    assert "User=root" not in unit


def test_systemd_takes_the_service(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze: apt-get install systemd")
    unit = tmp_path / "rt-tag.service"
    text = (PROJECT / "docs/rt-tag.service").read_text("utf-8")
    unit.write_text(text.replace("%h/.local/bin/rt-tag", "/bin/true"))
    environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert "rt-tag.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
