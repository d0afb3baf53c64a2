"""Watchdogs: late decisions, a clock that drifts, a model or a device that hangs."""

import socket
import threading
import time

import numpy as np
import pytest

from realtime.engine import Engine
from realtime.outputs import Clock, Pace
from realtime.services.systemd import Notifier
from realtime.services.watch import Watch
from realtime.sources import Block, DeviceChange

RATE = 16000
BLOCK = 800  # 50 ms


class Time:
    """A clock that the test moves on."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Card:
    """A sound card on a given clock: blocks come when they are recorded, and queue meanwhile.

    Args:
        clock: of the computer.
        seconds: of sound.
        speed: of its own clock against the computer's.
        changes: position to the state of a device.
        pause: position at which it gives nothing for 5 s, and loses that without a word.
        stop: position at which this process stands still for 5 s, while sound goes on.
    """

    name, rate, channels, live = "Card", RATE, 1, True

    def __init__(self, clock, seconds, speed=1.0, changes=(), pause=None, stop=None):
        self.clock, self.seconds, self.speed = clock, seconds, speed
        self.changes, self.pause, self.stop = dict(changes), pause, stop

    def blocks(self):
        began = self.clock.now
        for position in range(0, round(self.seconds * RATE), BLOCK):
            if position in self.changes:
                yield DeviceChange(self.changes[position], self.name, position)
            began += 5.0 * (position == self.pause)
            self.clock.now += 5.0 * (position == self.stop)
            there = began + (position + BLOCK) / RATE / self.speed
            self.clock.now = max(self.clock.now + 1e-5, there)  # wait for it
            yield Block(audio=np.zeros((BLOCK, 1), np.float32), position=position)

    def close(self):
        pass


@pytest.fixture
def hear(kit):
    """Run a card through an engine whose work takes time; the events."""

    def hear(card, clock, work=lambda t: 0.0):
        remembers = kit.Remembers()
        watch = Watch([remembers], clock=clock)
        runner = kit.Given(kit.band_card(), [[0.0, 0.0, 0.0]])
        run = runner.run

        def slow(window):
            clock.now += work(clock.now - 1000.0)
            return run(window[:1, :1])  # a small copy is remembered

        runner.run = slow
        Engine(runner, [watch]).run(watch.over(card, device=True))
        assert len(remembers.readings) > 0
        return remembers.events

    return hear


def test_a_quick_model_is_never_behind(hear):
    clock = Time()
    assert hear(Card(clock, 60), clock, lambda t: 0.02) == []


def test_behind_and_back(hear, caplog):
    """A model that takes 0.3 s for each 0.1 s of sound for a while."""
    clock = Time()
    events = hear(Card(clock, 60), clock, lambda t: 0.3 if 10 < t < 20 else 0.01)
    behind, again = events
    assert isinstance(behind, Pace)
    assert behind.state == "behind"
    assert behind.seconds == pytest.approx(2.0, abs=0.3)
    assert 10.5 < behind.t < 12.0  # in time of the sound
    assert again.state == "keeping up"
    assert "behind the sound" in caplog.text
    assert "keep up with the sound again" in caplog.text


def test_one_long_pause_is_told(hear):
    clock = Time()
    pauses = iter([5.0])
    events = hear(Card(clock, 30), clock, lambda t: next(pauses, 0.01) if t > 10 else 0.01)
    assert [e.state for e in events] == ["behind", "keeping up"]


def test_standing_still_is_being_behind(hear):
    """As when a computer is so busy that this program does not run at all."""
    clock = Time()
    events = hear(Card(clock, 60, stop=30 * RATE), clock, lambda t: 0.01)
    assert [e.state for e in events] == ["behind", "keeping up"]
    assert events[0].seconds == pytest.approx(5.0, abs=0.2)


def test_a_device_that_pauses_is_not_late_for_ever(hear):
    clock = Time()
    assert hear(Card(clock, 60, pause=30 * RATE), clock, lambda t: 0.01) == []


def compare(kit, house, speed, seconds):
    """What a watch says of a card's clock; the model is left out."""
    clock, remembers = Time(), kit.Remembers()
    watch = Watch([remembers], clock=clock)
    for _ in watch.over(Card(clock, seconds, speed), device=True).blocks():
        clock.now += 0.005
        watch.reading(house.reading(0.0, (), None))
    return remembers.events


@pytest.mark.parametrize(("speed", "ppm"), [(0.998, 2004), (1.002, -1996)])
def test_a_clock_that_drifts(kit, house, caplog, speed, ppm):
    (event,) = compare(kit, house, speed, 420)
    assert isinstance(event, Clock)
    assert event.state == "drifting"
    assert event.ppm == pytest.approx(ppm, rel=0.02)
    assert event.t < 330
    assert "clock is off" in caplog.text


def test_a_good_clock_does_not(kit, house):
    assert compare(kit, house, 1.0002, 3600) == []


def test_a_loss_starts_the_comparison_anew(hear):
    """While a device is away the wall clock goes on; that is no drift and no delay."""
    clock = Time()
    changes = {20 * RATE: "lost", 40 * RATE: "back"}
    states = [e.state for e in hear(Card(clock, 60, changes=changes), clock, lambda t: 0.01)]
    assert states == ["lost", "back"]


# --- systemd ------------------------------------------------------------------------------


@pytest.fixture
def systemd(tmp_path):
    """The socket that systemd would listen on."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(5)
        yield sock


def said(sock):
    found = []
    sock.setblocking(False)
    try:
        while True:
            found.append(sock.recv(1000).decode())
    except BlockingIOError:
        return found


def test_what_systemd_is_told(systemd, kit, tmp_path, house):
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    watch = Watch([kit.Remembers()], notifier)
    assert notifier.watchdog_s == 0.0
    watch.open(house.opening())
    watch.close(complete=True)
    assert said(systemd) == ["READY=1", "STATUS=hears Mic", "STOPPING=1"]


def test_alive_while_it_hears_and_not_when_it_hangs(systemd, tmp_path, caplog, house):
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000"}
    clock = Time()
    watch = Watch([], Notifier(environ), clock)
    try:
        watch.over(Card(clock, 1), device=True)
        watch.asked()
        assert systemd.recv(100) == b"WATCHDOG=1"
        watch.arrived(Block(audio=np.zeros((BLOCK, 1), np.float32), position=0), RATE)
        clock.now += 31  # the model has not come back
        assert watch.stuck() == "no decision for 31 s"
        time.sleep(0.1)
        said(systemd)
        time.sleep(0.2)
        assert said(systemd) == []
        assert "systemd will start this program anew" in caplog.text
        assert caplog.text.count("anew") == 1
        watch.asked()
        house.wait_for(lambda: "WATCHDOG=1" in said(systemd), "a sign of life")
    finally:
        watch.close(complete=True)


def test_a_device_may_be_lost_for_ever_but_not_dumb(kit):
    clock = Time()
    watch = Watch([], clock=clock)
    watch.over(Card(clock, 1), device=True)
    watch.asked()
    clock.now += 31
    assert watch.stuck() == "no sound for 31 s"
    watch.arrived(DeviceChange("lost", "Card", 0), RATE)
    watch.asked()
    clock.now += 10_000
    assert watch.stuck() == ""
    watch.over(Card(clock, 1), device=False)  # a pipe may pause
    watch.asked()
    clock.now += 10_000
    assert watch.stuck() == ""


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "/no/such/socket"},
        {"NOTIFY_SOCKET": "relative"},
        {"WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"},
    ],
)
def test_without_systemd_nothing_happens(environ):
    notifier = Notifier(environ)
    notifier.ready()
    notifier.alive()
    assert notifier.watchdog_s == 0.0


def test_an_abstract_socket():
    name = f"@rt-tag-test-{threading.get_ident()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:])
        Notifier({"NOTIFY_SOCKET": name}).ready()
        assert said(sock) == ["READY=1"]
