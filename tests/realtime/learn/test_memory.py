"""What a gate remembers survives being written and read."""

import numpy as np
import pytest

from realtime.errors import CardError
from realtime.learn.head import Lessons
from realtime.learn.memory import CHOSE, JUDGED, ROOM, TAUGHT, decode, remember


def lessons(count, seed=0, size=12):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(count, size)) * np.arange(1, size + 1)).astype(np.float32)
    label = rng.random((count, 3)) < 0.3
    return Lessons(x, label, label & (rng.random((count, 3)) < 0.3), np.ones(count, np.float32))


@pytest.fixture
def memory():
    parts = {TAUGHT: lessons(5000), CHOSE: lessons(100, 1), JUDGED: lessons(2000, 2)}
    digests = {"open": ["a", "b"], "closed": ["c"]}
    return remember(parts, digests, np.random.default_rng(0), lessons=2)


def test_there_and_back(memory):
    again = decode(memory.encode(), "my.gate")
    for name in ("embedding", "scale", "label", "onset", "use"):
        np.testing.assert_array_equal(getattr(again, name), getattr(memory, name))
    assert again.digests == {"open": ["a", "b"], "closed": ["c"]}
    assert again.lessons == 2


def test_a_sample_of_each_use(memory):
    assert len(memory.of(TAUGHT).embedding) == ROOM[TAUGHT]
    assert len(memory.of(CHOSE).embedding) == 100
    assert len(memory.of(JUDGED).embedding) == ROOM[JUDGED]


def test_values_are_near_what_they_were():
    data = lessons(100)
    found = remember({TAUGHT: data}, {}, np.random.default_rng(0)).of(TAUGHT)
    np.testing.assert_array_equal(found.label, data.label)
    step = np.abs(data.embedding).max(axis=0) / 127
    assert (np.abs(found.embedding - data.embedding) <= step * 0.501).all()


def test_what_counts_for_more_is_kept_more_often():
    data = lessons(10_000)
    data.label[:5000], data.label[5000:] = True, False
    data.share[:5000] = 3.0
    found = remember({TAUGHT: data}, {}, np.random.default_rng(0)).of(TAUGHT)
    assert 0.68 < found.label[:, 0].mean() < 0.8


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", "eJwDAAAAAAE="])
def test_a_damaged_memory_says_so(text):
    with pytest.raises(CardError, match=r"my\.gate: what the gate remembers cannot be read"):
        decode(text, "my.gate")
