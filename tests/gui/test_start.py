"""Starting: one panel only, with the desktop, without a display, without PyQt6."""

import configparser
import os
import subprocess
import sys
import time

import pytest
from kit_command import alive

from gui import autostart
from gui.instance import Instance
from gui.minder import address_of
from realtime.errors import UsageError

RUN = "from gui.command import main; import sys; sys.exit(main(sys.argv[1:]))"


def rt_panel(*options, code=RUN, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-c", code, *options],
        env=env | environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_second_start_speaks_with_the_first(qtbot, tmp_path):
    first, other = Instance(str(tmp_path)), Instance(str(tmp_path / "another"))
    first.listen()
    code = (
        "import sys; from PyQt6.QtCore import QCoreApplication; a = QCoreApplication([]);"
        "from gui.instance import Instance; sys.exit(not Instance(sys.argv[1]).tell('bypass'))"
    )
    with qtbot.waitSignal(first.told, timeout=20_000) as told:
        second = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    assert told.args == ["bypass"]
    assert second.wait(60) == 0
    assert not other.tell("show")
    first.close()
    assert not Instance(str(tmp_path)).tell("show")


def test_a_panel_that_was_killed_is_in_nobodys_way(qtbot, tmp_path):
    code = (
        "import sys, os; from PyQt6.QtCore import QCoreApplication; a = QCoreApplication([]);"
        "from gui.instance import Instance; i = Instance(sys.argv[1]); i.listen();"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    again = Instance(str(tmp_path))
    assert not again.tell("show")
    again.listen()
    assert again._server.isListening()
    again.close()


def test_no_display_is_one_line():
    done = rt_panel(QT_QPA_PLATFORM="")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "no display" in done.stderr


def test_a_display_where_nobody_answers_is_one_line():
    done = rt_panel(QT_QPA_PLATFORM="", DISPLAY=":4242")
    assert done.returncode == 4
    assert "nobody answers at :4242" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_pyqt6_it_says_what_to_install():
    code = "import sys; sys.modules['PyQt6'] = None; " + RUN
    done = rt_panel(code=code)
    assert done.returncode == 5
    assert 'pip install "rt-tag[gui]"' in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--connect", "pi.local:7777"], "ssh -N -L 7777:127.0.0.1:7777 pi.local"),
        (["--connect", "127.0.0.1:7777"], "RT_CONTROL_TOKEN"),
        (["--connect", "nowhere.json"], "nowhere.json"),
        (["--page", "kitchen"], "kitchen"),
        (["--tell", "bypass"], "no panel runs"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, options, said):
    done = rt_panel(*options, "--config", str(tmp_path / "p.json"), QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_token_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RT_CONTROL_TOKEN", "secret")
    assert address_of("localhost:7777").token == "secret"
    with pytest.raises(UsageError):
        address_of("10.0.0.2:7777")


def test_it_starts_with_the_desktop(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "a b"))
    assert not autostart.is_on()
    autostart.switch(True)
    assert autostart.is_on()
    found = configparser.RawConfigParser()
    found.optionxform = str
    found.read(tmp_path / "a b" / "autostart" / "rt-panel.desktop")
    entry = found["Desktop Entry"]
    assert entry["Type"] == "Application"
    assert entry["Exec"].endswith('rt-panel" --minimised')
    autostart.switch(False)
    autostart.switch(False)
    assert not autostart.is_on()


def test_two_panels_are_one_and_if_it_is_killed_no_gate_stays(no_sound, tmp_path):
    room = tmp_path / "run" / "rt-tag"
    panel = subprocess.Popen(
        [sys.executable, "-c", RUN, "--config", str(tmp_path / "p.json")],
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while not (found := list(room.glob("gate-*.json"))):
        assert time.monotonic() < until, panel.communicate()
        time.sleep(0.1)
    gate = int(found[0].stem.removeprefix("gate-"))
    try:
        second = rt_panel("--config", str(tmp_path / "p.json"), QT_QPA_PLATFORM="offscreen")
        assert second.returncode == 0, second.stderr
        assert list(room.glob("gate-*.json")) == found
        assert panel.poll() is None
    finally:
        panel.kill()
        panel.communicate()
    until = time.monotonic() + 60  # a time of its own: two panels took their time to start
    while found[0].exists() or alive(gate):
        assert time.monotonic() < until, "the gate goes on"
        time.sleep(0.1)
