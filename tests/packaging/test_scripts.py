"""The console scripts answer, wherever they are called from."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
BIN = Path(sys.executable).parent


def call(name: str, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    return subprocess.run(
        [BIN / name, *args], cwd=cwd, env=environ, capture_output=True, text=True, timeout=100
    )


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder of the user's, with packages that carry the names of our rooms."""
    for room in ("realtime", "models", "train", "export", "gui"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise RuntimeError('a stranger')\n")
    return tmp_path


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name: str, tmp_path: Path) -> None:
    done = call(name, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.lower().startswith("usage")
    assert name in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_among_strangers(name: str, hostile: Path) -> None:
    done = call(name, "--help", cwd=hostile)
    assert done.returncode == 0, done.stderr


def test_tag_among_strangers(hostile: Path) -> None:
    demo = PROJECT / "realtime/sounds/demo.flac"
    done = call("rt-tag", str(demo), "--json", cwd=hostile)
    assert done.returncode == 0, done.stderr
    assert '"event":' in done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_unknown_option_is_a_usage_error(name: str, tmp_path: Path) -> None:
    done = call(name, "--no-such-option", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", SCRIPTS)
def test_version_has_one_place(name: str, tmp_path: Path) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    done = call(name, "--version", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{name} {project['version']}\n"
