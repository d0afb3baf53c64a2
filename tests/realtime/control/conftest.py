"""rt-gate --control on a computer without a sound card, and lines sent to it by hand."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from realtime.control import runfile
from realtime.control.client import ControlClient

PATIENCE_S = 60.0  # on a busy machine


def wait_for(ready, what, limit_s=PATIENCE_S):
    until = time.monotonic() + limit_s
    while not (found := ready()):
        assert time.monotonic() < until, f"{what}: not within {limit_s:.0f} s"
        time.sleep(0.02)
    return found


class Line:
    """A connection that sends whatever it is told to."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")
        self.pushed = []  # what came while a reply was waited for

    def send(self, data):
        if isinstance(data, dict):
            data = json.dumps(data).encode() + b"\n"
        self.socket.sendall(data)

    def read(self, timeout_s=20.0):
        """The next line, or None at the end."""
        return self.pushed.pop(0) if self.pushed else self._receive(timeout_s)

    def _receive(self, timeout_s=20.0):
        self.socket.settimeout(timeout_s)
        try:
            line = self.file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def ask(self, do, **fields):
        self.send({"id": do, "do": do, **fields})
        while (line := self._receive()) is not None and line.get("id") != do:
            self.pushed.append(line)
        return line

    def close(self):
        self.file.close()
        self.socket.close()


class Gate:
    """An rt-gate --control that runs."""

    def __init__(self, room, *options, **environ):
        self.room = room
        self.log = room / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program(), "--control", *options],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment(room) | environ,
                start_new_session=True,
            )
        self.path = room / f"rt-tag/gate-{self.process.pid}.json"
        self._opened = []
        wait_for(lambda: self.path.exists() or self.process.poll() is not None, "the run file")
        assert self.process.poll() is None, self.log.read_text()
        self.at = runfile.read(self.path)

    def line(self, *, known=True):
        """A connection; with the token said unless told."""
        line = Line(self.at.port)
        self._opened.append(line)
        if known:
            line.send({"token": self.at.token})
            assert line.read()["ok"]["pid"] == self.process.pid
        return line

    def client(self):
        client = ControlClient.find(self.path)
        self._opened.append(client)
        return client

    def let_go(self):
        """Close all connections."""
        while self._opened:
            self._opened.pop().close()

    def end(self, number=signal.SIGINT):
        """The exit status after a signal; None sends none."""
        if number is not None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # it says where it hangs
            self.process.wait()
            pytest.fail(f"it does not end:\n{self.log.read_text()}")

    def close(self):
        self.let_go()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def program():
    path = shutil.which("rt-gate", path=sysconfig.get_path("scripts"))
    if path is None:
        pytest.skip("rt-gate is not installed beside this Python: pip install -e .")
    return path


def environment(room):
    """No sound card, no sound server, no settings and files of the person who tests."""
    (room / "asound.conf").write_text("</usr/share/alsa/alsa.conf>\n")
    own = {k: v for k, v in os.environ.items() if not k.startswith("RT_") or k == "RT_CACHE"}
    return own | {
        "PYTHONFAULTHANDLER": "1",
        "ALSA_CONFIG_PATH": str(room / "asound.conf"),
        "JACK_DEFAULT_SERVER": "none",
        "JACK_NO_START_SERVER": "1",
        "PULSE_RUNTIME_PATH": str(room / "pulse"),
        "XDG_CONFIG_HOME": str(room / "config"),
        "XDG_DATA_HOME": str(room / "data"),
        "XDG_RUNTIME_DIR": str(room),
    }


@pytest.fixture(scope="module")
def gates(tmp_path_factory):
    """Starts gates by the level, each with a folder of its own."""
    with contextlib.ExitStack() as stack:

        def start(*options, room=None, **environ):
            room = room or tmp_path_factory.mktemp("gate")
            room.chmod(0o700)
            gate = Gate(room, "--level", *options, **environ)
            stack.callback(gate.close)
            return gate

        yield start


@pytest.fixture(scope="module")
def one_gate(gates):
    return gates()


@pytest.fixture
def gate(one_gate):
    """The gate that the tests of a file share, without connections."""
    yield one_gate
    one_gate.let_go()
    assert one_gate.process.poll() is None, one_gate.log.read_text()


@pytest.fixture
def waiting():
    """`wait_for`, for tests, which cannot import from here."""
    return wait_for


@pytest.fixture
def rt_gate():
    """The console script."""
    return program()


@pytest.fixture
def nowhere(tmp_path):
    """Environment of a computer without a sound card."""
    return environment(tmp_path)


@pytest.fixture(scope="session")
def words():
    """A folder of recordings."""
    return Path(__file__).parents[2] / "data/words"
