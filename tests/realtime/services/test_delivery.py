"""A receiver may be slow, broken or dead: `put` never waits, and nothing is lost uncounted."""

import threading
import time

import pytest

from realtime.outputs.delivery import Delivery, Undelivered


@pytest.fixture
def make():
    made = []

    def make(deliver, **kwargs):
        made.append(Delivery("receiver", deliver, **kwargs))
        return made[-1]

    yield make
    for delivery in made:
        delivery.close(0.0)


def test_in_order_and_counted(make):
    got = []
    delivery = make(got.append)
    for i in range(500):
        delivery.put(i)
    delivery.close()
    assert got == list(range(500))
    assert delivery.counts() == "receiver: 500 delivered"


def test_a_stuck_receiver_holds_nobody_up(make, caplog):
    stuck = threading.Event()
    delivery = make(lambda _: stuck.wait() and None, capacity=100)
    began = time.perf_counter()
    for i in range(20_000):
        delivery.put(i)
    assert time.perf_counter() - began < 30.0
    began = time.perf_counter()
    delivery.close(0.2)
    assert time.perf_counter() - began < 30.0
    stuck.set()
    assert delivery.lost == 20_000 - 1  # one is with the receiver
    assert "LOST" in delivery.counts()
    assert caplog.text.count("does not keep up") == 1  # said once, not 20,000 times


def test_the_newest_survive(make):
    go, got = threading.Event(), []
    delivery = make(lambda item: (go.wait(), got.append(item))[1], capacity=3)
    delivery.put("held")
    while delivery._items:
        time.sleep(0.001)
    for i in range(10):
        delivery.put(i)
    go.set()
    delivery.close()
    assert got == ["held", 7, 8, 9]
    assert (delivery.delivered, delivery.lost) == (4, 7)


def test_tried_again_while_fresh(make, caplog):
    tries = []

    def deliver(item):
        tries.append(item)
        if len(tries) < 2:
            raise ConnectionRefusedError("nobody there")

    delivery = make(deliver, fresh_s=30.0)
    delivery.put("a")
    delivery.put("b")
    delivery.close(10.0)
    assert tries == ["a", "a", "b"]
    assert (delivery.delivered, delivery.lost) == (2, 0)
    assert "nobody there" in caplog.text
    assert "works again; 0 lost" in caplog.text


@pytest.mark.parametrize(
    ("error", "fresh_s"),
    [
        (Undelivered("refused", again=False), 30.0),
        (OSError("gone"), 0.0),
        (KeyError("x"), 30.0),
    ],
)
def test_given_up_and_counted(make, error, fresh_s):
    def deliver(item):
        raise error

    delivery = make(deliver, fresh_s=fresh_s)
    delivery.put("a")
    delivery.put("b")
    delivery.close(5.0)
    assert (delivery.delivered, delivery.lost) == (0, 2)


def test_what_is_needless_is_neither(make):
    delivery = make(lambda item: item)
    delivery.put(False)
    delivery.put(True)
    delivery.close()
    assert (delivery.delivered, delivery.lost) == (1, 0)


def test_closing_ends_a_wait_between_tries(make):
    def deliver(item):
        raise OSError("away")

    delivery = make(deliver, fresh_s=3600.0)
    for i in range(5):
        delivery.put(i)
    began = time.perf_counter()
    delivery.close(0.3)
    assert time.perf_counter() - began < 30.0
    delivery._thread.join(5)
    assert delivery.lost == 5
