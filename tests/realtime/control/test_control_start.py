"""How a controlled gate starts and ends, where it says it listens, and the client's side."""

import signal
import subprocess
import threading

import pytest

from realtime.control import runfile
from realtime.control.client import ControlClient, ControlError
from realtime.errors import UsageError

TOKEN = "correct horse battery"


@pytest.fixture
def room(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def here(room, monkeypatch):
    """This process looks for gates where those of the test write."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(room))
    return room


def run(rt_gate, nowhere, *options, **environ):
    """An rt-gate that is to end by itself: its status, and what it says."""
    done = subprocess.run(
        [rt_gate, "--level", *options],
        capture_output=True, text=True, timeout=60, env=nowhere | environ,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_the_run_file(gates, here):
    gate = gates(room=here)
    assert gate.path.stat().st_mode & 0o777 == 0o600
    assert gate.path.parent.stat().st_mode & 0o777 == 0o700
    assert gate.at.pid == gate.process.pid
    assert (gate.at.input, gate.at.output) == ("", "")
    assert len(gate.at.token) >= 16
    assert runfile.listening() == [gate.at]
    assert gate.at.token not in gate.log.read_text()
    assert gate.end(signal.SIGTERM) == 130
    assert list(gate.path.parent.iterdir()) == []


def test_stop_ends_it_with_status_0(gates, here):
    gate = gates(room=here)
    with gate.client() as client:
        assert client.request("stop") == {}
        assert list(client.pushes(20)) == []
        with pytest.raises(ControlError, match="gone"):
            client.request("state")
    assert gate.end(None) == 0
    assert not gate.path.exists()


def test_what_a_killed_gate_left_goes(gates, here):
    killed = gates(room=here)
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    assert killed.path.exists()
    assert runfile.listening() == []
    gate = gates(room=here)
    assert list(gate.path.parent.iterdir()) == [gate.path]
    assert gate.end() == 130


def test_several_gates(gates, here):
    with pytest.raises(UsageError, match="0 gates"):
        ControlClient.find()
    one = gates(room=here)
    with ControlClient.find() as client:
        assert client.greeting["pid"] == one.process.pid
    other = gates(room=here)
    with pytest.raises(UsageError, match="2 gates") as e:
        ControlClient.find()
    assert other.path.name in str(e.value)
    with ControlClient.find(other.path) as client:
        assert client.greeting["pid"] == other.process.pid
    assert {one.end(), other.end()} == {130}


def test_a_token_of_ones_own(gates, here):
    (here / "token").write_text(f"{TOKEN}\n")
    (here / "token").chmod(0o600)
    gate = gates("--control-token-file", str(here / "token"), room=here)
    ControlClient(gate.at.port, TOKEN).close()
    with pytest.raises(ControlError, match="wrong token"):
        ControlClient(gate.at.port, TOKEN[:-1])
    assert gate.end() == 130
    gate = gates(room=here, RT_CONTROL_TOKEN=TOKEN)
    ControlClient(gate.at.port, TOKEN).close()
    assert gate.end() == 130


def test_a_bad_token(rt_gate, nowhere, room):
    file = room / "token"
    options = ("--control", "--control-token-file", str(file))
    status, said = run(rt_gate, nowhere, *options)
    assert (status, said.count("\n")) == (2, 1)
    assert "token: No such file" in said
    file.write_text(TOKEN)
    file.chmod(0o644)
    status, said = run(rt_gate, nowhere, *options)
    assert status == 2
    assert f"others can read it: chmod 600 {file}" in said
    file.chmod(0o600)
    file.write_text("\n")
    assert "is empty" in run(rt_gate, nowhere, *options)[1]
    status, said = run(rt_gate, nowhere, "--control", RT_CONTROL_TOKEN="short")
    assert status == 2
    assert "has 5 characters" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--control", "70000"), "control is 70000"),
        (("--control", "x"), "control is 'x'"),
        (("--control", "0", "in.wav", "out.wav"), "--control belongs to live sound"),
        (("--control", "--block", "4"), "block is 4"),
        (("--control", "--key-channels", "0"), "names no channels"),
        (("--control", "--virtual-mic", "a", "--output-device", "b"), "two outputs"),
        (("--control", "--trace", "x.csv"), "--trace and --control"),
    ],
)
def test_options_that_make_no_sense(rt_gate, nowhere, options, says):
    status, said = run(rt_gate, nowhere, *options)
    assert status == 2
    assert says in said
    assert said.count("\n") == 1


def test_a_port_that_is_taken(rt_gate, nowhere, gates, room):
    gate = gates(room=room)
    status, said = run(rt_gate, nowhere, "--control", str(gate.at.port))
    assert status == 2
    assert "in use" in said
    assert "--control 0" in said
    assert gate.end() == 130


def test_a_place_that_others_can_write_to(rt_gate, nowhere, room):
    (room / "rt-tag").symlink_to("/tmp")
    status, said = run(rt_gate, nowhere, "--control")
    assert status == 6
    assert "belongs to somebody else" in said


def test_who_is_not_a_gate_is_found_out(room):
    (room / "gate-1.json").write_text('{"port": 1}')
    with pytest.raises(UsageError, match="does not say where a gate listens"):
        ControlClient.find(room / "gate-1.json")
    with pytest.raises(UsageError, match="No such file"):
        ControlClient.find(room / "gate-2.json")
    with pytest.raises(ControlError, match="no gate listens"):
        ControlClient(1, TOKEN)


def test_a_client_of_several_threads(gates, room):
    gate = gates(room=room)
    client = gate.client()
    client.request("events", on=True)
    failed = []

    def ask(number):
        for i in range(100):
            value = -float(number + 1)
            found = client.request("set", settings={"range_db": value})
            if not (-4 <= found["range_db"] <= -1) or client.request("state")["t"]:
                failed.append((number, i))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    now = client.request("settings")  # what was pushed before it came before it
    changes = [push for push in client.pushes(0.5) if "settings" in push]
    assert changes[-1]["settings"] == now
    with pytest.raises(ControlError) as e:
        client.request("set", settings={"treshold": 1})
    assert e.value.hint == "did you mean threshold?"
    assert gate.end() == 130
