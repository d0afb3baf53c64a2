"""Kinds of the shipped sounds that are what is taught."""

import numpy as np

from realtime.wake.alike import kinds_alike
from realtime.wake.hours import Hours, Space, to_bytes
from realtime.wake.memory import Example

KINDS = ["dog", "talk", "typing", "rain"]


def towards(axis, count, rng, spread=0.15):
    x = rng.normal(0.0, spread, (count, 8)).astype(np.float32)
    x[:, axis] += 1.0
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def hours(axes, rng):
    """Twelve recordings of each kind, which points to an axis of its own."""
    order = [k for _ in range(12) for k in range(len(KINDS))]
    windows = np.concatenate([towards(axes[k], 8, rng) for k in order])
    kept, code = to_bytes(windows), np.repeat(order, 8).astype(np.int16)
    space = Space(np.zeros(8, np.float32), np.eye(8, dtype=np.float32))
    return Hours("ears", 0.2, space, KINDS, kept, code, kept, code, [len(kept)], [True], [])


def examples(axes, rng):
    return [
        Example("x", str(i), to_bytes(towards(a, 4, rng)), to_bytes(towards(a, 8, rng)), 0.5)
        for i, a in enumerate(axes)
    ]


def test_a_kind_is_known_by_its_sound_and_by_its_name():
    rng = np.random.default_rng(1)
    shipped = hours((0, 1, 2, 3), rng)
    assert kinds_alike("bark", examples((0,) * 5, rng), shipped) == ["dog"]
    assert kinds_alike("bell", examples((5,) * 5, rng), shipped) == []
    assert kinds_alike("Typing", examples((5,) * 5, rng), shipped) == ["typing"]


def test_examples_that_are_unlike_each_other_say_nothing_of_any_kind():
    rng = np.random.default_rng(2)
    shipped = hours((0, 1, 2, 3), rng)
    assert kinds_alike("mixed", examples((0, 1, 2, 3), rng), shipped) == []
