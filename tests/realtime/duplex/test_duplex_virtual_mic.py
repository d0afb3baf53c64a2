"""A virtual microphone where there is nothing to make one with: what to do is said."""

import os
import shutil
import subprocess
import sys

import pytest

from realtime.duplex.virtual_mic import VirtualMic
from realtime.errors import MissingExtra, UsageError


@pytest.fixture
def no_server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PULSE_RUNTIME_PATH", str(tmp_path / "pulse"))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")


def test_no_tool_of_either(no_server, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="PulseAudio's or PipeWire's") as e:
        VirtualMic("mic")
    assert "apt install pulseaudio-utils" in e.value.hint
    assert "pipewire-bin" in e.value.hint


def test_no_server_of_either(no_server):
    if not shutil.which("pactl") or shutil.which("pw-loopback"):
        pytest.skip("needs pactl, and no pw-loopback")
    program = (
        "from realtime.commands.gate import main; import sys; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--level", "--virtual-mic"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "systemctl --user start pipewire-pulse" in done.stderr


@pytest.mark.parametrize("name", ["", " mic", "a/b", 'a"b', "x" * 64])
def test_names_that_no_server_takes(name):
    with pytest.raises(UsageError, match="no name for a microphone"):
        VirtualMic(name)
