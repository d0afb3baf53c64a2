"""What the control socket makes of lines, good and bad, many and none."""

import signal
import socket
import threading
import time
from pathlib import Path

import pytest

MANY = 5_000


def test_a_request_is_answered_under_its_id(gate):
    line = gate.line()
    for number in (1, "one", None, [1], {"a": 1.5}):
        line.send({"id": number, "do": "state"})
        answer = line.read()
        assert answer["id"] == number
        assert answer["ok"]["phase"] in ("starting", "waiting")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"token": "wrong" * 6}, "wrong token"),
        ({"token": 17}, "wrong token"),
        ({"token": "Schlüssel" * 3}, "wrong token"),
        ({"id": 1, "do": "state"}, "the first line is no token"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "the line is no JSON object"),
        (b"\x00\xff\xfe\n", "the line is no JSON object"),
        (b"[]\n", "the line is no JSON object"),
    ],
)
def test_without_the_token_nothing_is_answered(gate, said, why):
    line = gate.line(known=False)
    line.send(said)
    line.send({"id": 1, "do": "stop"})
    refused = line.read()
    assert why in refused["error"]
    assert refused["hint"]
    assert line.read() is None


def test_who_says_nothing_is_left_after_two_seconds(gate):
    began = time.monotonic()
    line = gate.line(known=False)
    assert "no token within 2 s" in line.read()["error"]
    assert line.read() is None
    assert time.monotonic() - began > 1.5


def test_a_token_counts_that_came_while_the_gate_stood_still(gate):
    line = gate.line(known=False)
    gate.process.send_signal(signal.SIGSTOP)
    try:
        line.send({"token": gate.at.token})
        time.sleep(2.3)  # more than it gives strangers
    finally:
        gate.process.send_signal(signal.SIGCONT)
    assert line.read()["ok"]["pid"] == gate.process.pid


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"nonsense\n", "the line is no JSON object"),
        (b"\xff\n", "the line is no JSON object"),
        (b'"state"\n', "the line is no JSON object"),
        (b"[" * 20_000 + b"\n", "the line is no JSON object"),
        (b"{}\n", "do is None"),
        (b'{"do": ["state"]}\n', "do is ['state']"),
        (b'{"do": "stat"}\n', "there is no request stat"),
        (b'{"do": "set"}\n', "settings is None"),
        (b'{"do": "set", "settings": [1]}\n', "settings is [1]"),
        (b'{"do": "bypass"}\n', "on is None"),
        (b'{"do": "mute", "on": 1}\n', "on is 1"),
        (b'{"do": "meters", "rate": 1000}\n', "rate is 1000"),
        (b'{"do": "meters", "rate": "fast"}\n', "rate is 'fast'"),
        (b'{"do": "clip", "seconds": -1}\n', "seconds is -1"),
        (b'{"do": "clip", "to": 5}\n', "to is 5"),
    ],
)
def test_a_bad_request_is_refused_and_the_next_one_answered(gate, said, why):
    line = gate.line()
    line.send(said)
    refused = line.read()
    assert why in refused["error"]
    assert "hint" in refused
    assert "ok" in line.ask("state")


def test_the_nearest_request_is_named(gate):
    assert gate.line().ask("stat")["hint"] == "did you mean state?"


def test_a_line_in_pieces(gate):
    line = gate.line()
    for piece in (b'{"id": 7, "do"', b': "state"', b'}\n{"id": 8, "do": "settings"}\n{"id"'):
        line.send(piece)
        time.sleep(0.05)
    assert [line.read()["id"], line.read()["id"]] == [7, 8]
    line.close()  # in the middle of the third
    assert "ok" in gate.line().ask("state")


def test_who_hangs_up_after_asking_is_still_answered(gate):
    line = gate.line()
    line.send(b'{"id": 1, "do": "state"}\n{"id": 2, "do": "models"}\n')
    line.socket.shutdown(1)
    assert {line.read()["id"], line.read()["id"]} == {1, 2}
    assert line.read() is None


def test_a_line_that_does_not_end(gate):
    line = gate.line()
    line.send(b"x" * 100_000)
    assert "more than 65536 bytes" in line.read()["error"]
    assert line.read() is None


def test_the_longest_line(gate):
    line = gate.line()
    request = b'{"id": 1, "do": "state", "x": "%s"}\n'
    line.send(request % (b"x" * (65_536 - len(request) + 2)))
    assert line.read()["id"] == 1


def test_thousands_of_requests_at_once(gate):
    """All are answered, in order; meanwhile another client has its answers at once."""
    flood, other = gate.line(), gate.line()
    lines = b"".join(b'{"id": %d, "do": "settings"}\n' % i for i in range(MANY))
    sender = threading.Thread(target=flood.send, args=(lines,), daemon=True)
    sender.start()
    waits = []
    for _ in range(20):
        began = time.monotonic()
        assert "ok" in other.ask("state")
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    assert [flood.read()["id"] for _ in range(MANY)] == list(range(MANY))
    sender.join(10)
    assert sorted(waits)[10] < 0.2


def test_a_client_that_never_reads(gate):
    """It is not read from any more, so that nothing piles up; then all is as it should be."""
    deaf = gate.line()
    lines = b"".join(b'{"id": %d, "do": "settings"}\n' % i for i in range(MANY))
    sender = threading.Thread(target=deaf.send, args=(lines,), daemon=True)
    sender.start()
    assert "ok" in deaf_to(gate, 1.0)
    size = memory_kb(gate)
    assert "ok" in deaf_to(gate, 1.0)
    assert memory_kb(gate) < size + 4000
    assert [deaf.read()["id"] for _ in range(MANY)] == list(range(MANY))
    sender.join(10)


def deaf_to(gate, seconds):
    until = time.monotonic() + seconds
    other = gate.line()
    while time.monotonic() < until:
        answer = other.ask("state")
        time.sleep(0.05)
    return answer


def memory_kb(gate):
    text = Path(f"/proc/{gate.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def test_who_does_not_read_loses_meters_and_events_and_is_told(gate):
    """Every change of the settings is told, or counted."""
    slow, other = gate.line(), gate.line()
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert "ok" in slow.ask("events", on=True)
    slow.send({"id": 1, "do": "meters", "rate": 60})
    change = b'{"id": %d, "do": "set", "settings": {"threshold_db": -%d}}\n'
    other.send(b"".join(change % (i, 40 + i % 2) for i in range(600)))
    assert all("ok" in other.read() for _ in range(600))
    for _ in range(20):  # a meter is missed between any two
        other.ask("state")
        time.sleep(0.03)
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    changes = lost = lost_meters = 0
    while True:
        line = slow.read()
        changes += "settings" in line
        lost += line.get("lost", 0)
        shown = line.get("meters", {})
        lost_meters += shown.get("lost", 0)
        if lost and lost_meters and not shown.get("lost"):
            break
    assert lost > 50
    assert changes + lost >= 599
    assert lost_meters > 5


def test_eight_clients_and_no_more(gate, waiting):
    lines = [gate.line() for _ in range(8)]
    ninth = gate.line(known=False)
    ninth.send({"token": gate.at.token})
    assert "8 programs are connected already" in ninth.read()["error"]
    assert ninth.read() is None
    lines[0].close()
    waiting(lambda: admitted(gate), "a place")
    assert all("ok" in line.ask("state") for line in lines[1:])


def admitted(gate):
    line = gate.line(known=False)
    line.send({"token": gate.at.token})
    return "ok" in line.read()


def test_strangers_do_not_keep_clients_out(gate):
    strangers = [gate.line(known=False) for _ in range(20)]
    assert "ok" in gate.line().ask("state")
    said = strangers[0].read()
    assert said is None or "no token" in said["error"]  # after two seconds
