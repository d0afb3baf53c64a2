"""The ring: never reorders, accounts for every sample, wakes the reader."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.ring import GAPS, Chunk, Ring


def ramp(begin: int, n: int, channels: int = 1) -> np.ndarray:
    """Samples that carry their own number (exact in float32 up to 2**24)."""
    return (np.arange(begin, begin + n)[:, None] * np.ones(channels)).astype(np.float32)


def take(ring: Ring, limit: int | None = None) -> Chunk:
    chunk = ring.read(limit)
    assert chunk is not None
    return chunk


def check(chunk: Chunk, expected: int) -> int:
    """A chunk of ramps against where it says it lies; where the next one must begin."""
    assert chunk.position == expected + chunk.dropped
    n = len(chunk.audio)
    np.testing.assert_array_equal(chunk.audio, ramp(chunk.position, n, chunk.audio.shape[1]))
    return chunk.position + n


def test_gives_back_what_was_written() -> None:
    ring = Ring(8, 2)
    assert ring.read() is None
    assert ring.write(ramp(0, 5, 2)) == 5
    assert ring.available == 5
    chunk = take(ring, 3)
    assert chunk.audio.shape == (3, 2)
    assert check(chunk, 0) == 3
    ring.write(ramp(5, 6, 2))  # wraps around
    rest = take(ring)
    assert check(rest, 3) == 11
    assert ring.read() is None
    assert ring.dropped == 0


def test_a_loss_shows_where_it_happened() -> None:
    ring = Ring(10, 1)
    assert ring.write(ramp(0, 8)) == 8
    assert ring.write(ramp(8, 5)) == 2  # 10, 11, 12 are lost
    assert ring.write(ramp(13, 4)) == 0  # and 13 to 16
    assert ring.dropped == 7
    first = take(ring, 6)
    assert ring.write(ramp(17, 5)) == 5
    second, third = take(ring), take(ring)
    assert (first.position, len(first.audio), first.dropped) == (0, 6, 0)
    assert (second.position, len(second.audio), second.dropped) == (6, 4, 0)
    assert (third.position, len(third.audio), third.dropped) == (17, 5, 7)
    assert third.audio[0, 0] == 17


def test_a_loss_that_the_device_reports() -> None:
    ring = Ring(10, 1)
    ring.write(ramp(0, 2))
    ring.lose(3)
    ring.write(ramp(5, 2))
    assert check(take(ring), 0) == 2
    chunk = take(ring)
    assert chunk.dropped == 3
    assert check(chunk, 2) == 7
    assert ring.dropped == 3


def test_a_loss_before_the_first_sample() -> None:
    ring = Ring(4, 1)
    ring.lose(9)
    ring.write(ramp(9, 1))
    chunk = take(ring)
    assert (chunk.position, chunk.dropped) == (9, 9)


def test_more_losses_than_the_table_holds_are_still_counted() -> None:
    ring, written = Ring(1000, 1), 0
    for _ in range(GAPS + 20):
        ring.write(ramp(written, 1))
        ring.lose(1)
        written += 2
    expected = stored = lost = 0
    while (chunk := ring.read()) is not None:
        expected = check(chunk, expected)
        stored += len(chunk.audio)
        lost += chunk.dropped
    ring.write(ramp(written, 1))
    chunk = take(ring)
    assert check(chunk, expected) == written + 1
    assert stored + 1 + ring.dropped == written + 1
    assert lost + chunk.dropped == ring.dropped


@given(
    capacity=st.integers(1, 40),
    channels=st.integers(1, 2),
    steps=st.lists(st.tuples(st.sampled_from("wwrrl"), st.integers(0, 30)), max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_every_sample_is_accounted_for(
    capacity: int, channels: int, steps: list[tuple[str, int]]
) -> None:
    ring = Ring(capacity, channels)
    sent = expected = got = 0
    for what, n in [*steps, ("w", 1), ("r", 1000), ("w", 1)]:
        if what == "w":
            ring.write(ramp(sent, n, channels))
            sent += n
        elif what == "l":
            ring.lose(n)
            sent += n
        else:
            chunk = ring.read(n)
            if chunk is not None:
                expected = check(chunk, expected)
                got += len(chunk.audio)
        assert got + ring.available + ring.dropped == sent
    while (chunk := ring.read()) is not None:
        expected = check(chunk, expected)
    assert expected == sent  # the last write found room, so no loss is left unseen


def test_one_dimension_will_do_for_one_channel() -> None:
    ring = Ring(4, 1)
    assert ring.write(np.ones(3, np.float32)) == 3
    assert take(ring).audio.shape == (3, 1)


def test_a_chunk_is_a_copy() -> None:
    ring = Ring(4, 1)
    ring.write(ramp(0, 4))
    chunk = take(ring)
    ring.write(ramp(4, 4))
    check(chunk, 0)


def test_misuse_is_refused() -> None:
    for shape in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="ring"):
            Ring(*shape)


def test_wait_times_out() -> None:
    ring = Ring(4, 1)
    begin = time.monotonic()
    assert not ring.wait(0.05)
    assert 0.04 < time.monotonic() - begin < 2.0
    assert not ring.wait(0.0)


def test_wait_ignores_news_already_read() -> None:
    ring = Ring(4, 1)
    ring.write(ramp(0, 1))
    assert ring.wait(0.0)
    ring.read()
    assert not ring.wait(0.02)


@pytest.mark.parametrize("how", ["write", "close"])
def test_wait_is_woken(how: str) -> None:
    ring = Ring(4, 1)
    act = ring.close if how == "close" else lambda: ring.write(ramp(0, 1))
    timer = threading.Timer(0.05, act)
    timer.start()
    assert ring.wait(30.0) == (how == "write")
    timer.join()
    assert ring.closed == (how == "close")


def test_what_was_written_before_close_can_be_read() -> None:
    ring = Ring(4, 1)
    ring.write(ramp(0, 2))
    ring.close()
    assert ring.wait()
    ring.read()
    assert not ring.wait()


@pytest.mark.parametrize(("capacity", "hurry"), [(64, False), (400, False), (4096, True)])
def test_two_threads(capacity: int, hurry: bool) -> None:
    ring, total = Ring(capacity, 2), 200_000

    def writer() -> None:
        rng, sent = random.Random(capacity), 0
        while sent < total:
            n = min(rng.randrange(1, 100), total - sent)
            block = ramp(sent, n, 2)
            ring.write(block)
            block[:] = -1.0  # the callback's buffer is reused
            sent += n
            if not hurry and rng.random() < 0.05:
                time.sleep(0.0002)
        while ring.available:
            time.sleep(0.001)
        ring.write(ramp(total, 1, 2))
        ring.close()

    thread = threading.Thread(target=writer)
    thread.start()
    expected = stored = lost = 0
    while ring.wait(10.0):
        chunk = take(ring)
        expected = check(chunk, expected)
        stored += len(chunk.audio)
        lost += chunk.dropped
    thread.join()
    assert expected == total + 1
    assert lost == ring.dropped
    assert stored + lost == total + 1
