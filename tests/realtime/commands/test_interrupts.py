"""Ctrl-C and SIGTERM before anything runs: status 130, no traceback, nothing left behind."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from realtime.commands.common import guarded
from realtime.errors import MissingExtra
from realtime.outputs.replace import Replacement

ROOT = Path(__file__).parents[3]
PROGRAMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
LOADING = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "argparse":  # every program imports it
            print("loading", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals")


@pytest.fixture
def ctrl_c():
    """Ctrl-C as in a terminal: a shell's background job inherits it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts(tmp_path, capsys, number):
    before = signal.getsignal(number)

    def main(_argv):
        output = Replacement(tmp_path / "x.csv")
        try:
            os.kill(os.getpid(), number)
        except BaseException:
            output.discard()
            raise
        return 0

    assert guarded(main)([]) == 130
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""
    assert signal.getsignal(number) is before


def test_a_library_that_makes_an_error_of_it(capsys):
    def class_body(_argv):
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()

    def extension(_argv):
        try:
            raise ImportError("initialization failed") from KeyboardInterrupt()
        except ImportError as e:
            raise MissingExtra("needs ONNX Runtime") from e

    assert guarded(class_body)([]) == 130
    assert guarded(extension)([]) == 130
    assert capsys.readouterr().err == ""


def test_an_error_stays_one(capsys):
    def main(_argv):
        raise MissingExtra("needs more", "install it") from ImportError("no module")

    assert guarded(main)([]) == 5
    assert "needs more: install it" in capsys.readouterr().err


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c_while_a_program_is_imported(program):
    module, _, function = PROGRAMS[program].partition(":")
    code = f"{LOADING}\nfrom {module} import {function}\nsys.exit({function}())"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as child:
        assert child.stdout.readline() == b"loading\n"
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30) == (b"", b"")
    assert child.returncode == 130
