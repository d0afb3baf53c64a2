"""A real window of the panel on a virtual screen, a real gate, a real stream through JACK.

The panel runs in this process and is driven through its widgets. Qt takes the screen that it
finds first, so these tests do not share a process with those in tests/gui.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

pytest.importorskip("PyQt6.QtWidgets", reason="the extra gui is not installed")

from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

LIVE = Path(__file__).parents[1]
DEMO = LIVE.parents[1] / "realtime" / "sounds" / "demo.flac"
RATE = 48_000


def _live():
    """The conftest of the folder above, which no import finds."""
    place = importlib.util.spec_from_file_location("live_conftest", LIVE / "conftest.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def screen():
    """A virtual screen of 1280 x 800."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed: apt-get install xvfb")
    if QApplication.instance() is not None:
        pytest.skip("Qt runs on another screen already: run this folder by itself")
    read, write = os.pipe()
    command = f"Xvfb -displayfd {write} -screen 0 1280x800x24 -nolisten tcp"
    server = subprocess.Popen(command.split(), pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as number, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", f":{number.readline().strip()}")
        patch.setenv("QT_QPA_PLATFORM", "xcb")
        yield
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def app(screen):
    return QApplication(["rt-panel"])


def wait(ready, what, limit_s=60.0):
    until = time.monotonic() + limit_s
    while not (found := ready()):
        assert time.monotonic() < until, f"{what}: not within {limit_s:.0f} s"
        QTest.qWait(30)
    return found


class Desk:
    """A panel, the sound server its gate is connected to, and what plays into it."""

    def __init__(self, panel, card, room, stack):
        self.panel, self.card, self.room, self._stack = panel, card, room, stack
        self.window = panel.window
        self.gate = panel.window.pages["gate"]

    wait = staticmethod(wait)

    def wait_for_sound(self):
        self.wait(lambda: self.panel.status.lamp in ("open", "closed"), "sound", 120)

    def play(self, sound):
        """Play to the gate, in a process of its own."""
        path = self.room / "play.wav"
        soundfile.write(path, sound, RATE, subtype="FLOAT")
        before = set(self.card.ports())
        player = subprocess.Popen(
            [sys.executable, str(LIVE / "player.py"), str(path), self.card.device],
            stdin=subprocess.PIPE,
        )
        self._stack.callback(player.wait)
        self._stack.callback(player.stdin.close)
        self._stack.callback(player.kill)

        def port():
            return [p for p in self.card.ports() if p not in before and p.endswith(":out_0")]

        (out,) = self.wait(port, "the player")
        for heard in (p for p in before if p.endswith(":in_0")):
            subprocess.run(["jack_connect", out, heard], check=True, capture_output=True)
        player.stdin.write(b"go\n")
        player.stdin.flush()
        return player

    def state(self):
        """Of the gate, asked for through the panel."""
        found = {}
        self.panel.driver.request("state", found.update)
        self.wait(lambda: found, "the state")
        return found


@pytest.fixture(scope="session")
def words():
    """The bundled recording, twice: float32 [samples] at 48 kHz."""
    sound, rate = soundfile.read(DEMO, dtype="float32")
    return np.tile(soxr.resample(sound, rate, RATE), 2)


@pytest.fixture
def desk(app, no_card, tmp_path, monkeypatch):
    from gui.app import Panel

    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed: apt-get install jackd2")
    for name in ("CONFIG", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    with contextlib.ExitStack() as stack:
        card = stack.enter_context(contextlib.closing(_live().JackCard(no_card, 256)))
        settings = tmp_path / "panel.json"
        settings.write_text('{"format": 1, "devices": {"device": "system"}}')
        panel = Panel(settings)
        stack.callback(panel.quit)
        yield Desk(panel, card, no_card, stack)
