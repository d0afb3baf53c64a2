"""Sound in and sound out: what the sound path stores, what decides, and what it gives.

A part of the sound path, compiled with `kernels.py`.

What decides is in a ring: that of the sound itself, or a second one with the key. A key that
has a device of its own comes through a joint (`joint.py`), whose output's clock is the input's.
While that device is lost the input's own sound is in the key's ring; one goes over into the
other within `SHARE_S`.
"""

from __future__ import annotations

from typing import Any

from realtime.duplex import biquads, joint
from realtime.duplex import layout as at

FADE_S = 0.01  # of bypass and mute
SHARE_S = 0.005
FRONT = 2  # outputs on which a lone channel is played


def store(ints: Any, words: Any, singles: Any, x: Any, begin: int, n: int) -> None:
    """Clean the input, put it into the ring and say so; what decides is there by then."""
    channels, width, capacity = ints[at.CHANNELS], ints[at.WIDTH], ints[at.CAPACITY]
    place = (ints[at.WRITTEN] & (capacity - 1)) * channels
    energy = 0.0
    for i in range(begin, begin + n):
        for c in range(channels):
            value = float(x[i * width + c])
            if not abs(value) <= joint.LOUDEST:  # NaN too
                value = 0.0
                ints[at.CLEANED] += 1
            energy += value * value
            singles[at.RING + place] = value
            place += 1
        if place == capacity * channels:
            place = 0
    words[at.IN_ENERGY] += energy / channels
    if ints[at.KEY_KIND] == at.BESIDE:
        store_beside(ints, singles, x, begin, n)
    elif ints[at.KEY_KIND] == at.APART:
        store_apart(ints, words, singles, n)
    at.fence()
    ints[at.WRITTEN] += n


def store_beside(ints: Any, singles: Any, x: Any, begin: int, n: int) -> None:
    """Other channels of the input into the key's ring."""
    channels, width, mask = ints[at.KEY_CHANNELS], ints[at.WIDTH], ints[at.CAPACITY] - 1
    for i in range(n):
        place = at.KEY_RING + ((ints[at.WRITTEN] + i) & mask) * channels
        for c in range(channels):
            value = float(x[(begin + i) * width + ints[at.KEY_FIRST] + c])
            singles[place + c] = value if abs(value) <= joint.LOUDEST else 0.0


def store_apart(ints: Any, words: Any, singles: Any, n: int) -> None:
    """What the key's device gave into the key's ring, or the input's own sound instead."""
    outputs = ints[at.KEY_CHANNELS]
    side = singles[at.SIDE : at.SIDE + n * outputs]
    now = ints[at.NOW] + 1e-9 * ints[at.NOW + 1]
    joint.pull(ints[at.OTHER :], words[at.OTHER :], singles[2 * at.OTHER :], side, now)
    blend(ints, words, singles, n, 1.0 if ints[at.KEYED] else -1.0)


def blend(ints: Any, words: Any, singles: Any, n: int, way: float) -> None:
    """SIDE into the key's ring, on the way to it or to the mean of the input's channels."""
    channels, outputs, mask = ints[at.CHANNELS], ints[at.KEY_CHANNELS], ints[at.CAPACITY] - 1
    share, step = words[at.SHARE], way / (SHARE_S * ints[at.RATE])
    for i in range(n):
        share = min(1.0, max(0.0, share + step))
        at_ring = (ints[at.WRITTEN] + i) & mask
        own = 0.0
        if share < 1.0:
            for c in range(channels):
                own += singles[at.RING + at_ring * channels + c]
            own /= channels
        for c in range(outputs):
            value = share * singles[at.SIDE + i * outputs + c] + (1.0 - share) * own
            singles[at.KEY_RING + at_ring * outputs + c] = value
    words[at.SHARE] = share


def take_key(ints: Any, words: Any, singles: Any, position: int, n: int) -> None:
    """What the level gate hears, from a position on, into KEY."""
    channels, mask = ints[at.KEY_CHANNELS], ints[at.CAPACITY] - 1
    sections = ints[at.SECTIONS]
    for i in range(n):
        place = ints[at.HEARD] + ((position + i) & mask) * channels
        for c in range(channels):
            state = at.AT_STATE + 2 * at.MOST_SECTIONS * c
            value = float(singles[place + c])
            value = biquads.through(words, sections, words, state, value)
            singles[at.KEY + i * channels + c] = value


def forget_key(words: Any) -> None:
    """Let the key's filter start after silence."""
    for i in range(at.AT_STATE, at.AT_CHANGES):
        words[i] = 0.0


def listened(ints: Any, singles: Any, i: int, channel: int) -> float:
    """The key for a channel of the sound: the same one, or the mean if there are others."""
    channels = ints[at.KEY_CHANNELS]
    if channels == ints[at.CHANNELS]:
        return float(singles[at.KEY + i * channels + channel])
    total = 0.0
    for c in range(channels):
        total += singles[at.KEY + i * channels + c]
    mean: float = total / channels
    return mean


def multiply(ints: Any, words: Any, singles: Any, position: int, n: int) -> None:
    """The sound from a position on, or the key, times its gain, into SOUND."""
    channels, capacity = ints[at.CHANNELS], ints[at.CAPACITY]
    step = 1.0 / (FADE_S * ints[at.RATE])
    dry, trim, gain, energy = words[at.DRY], words[at.TRIM], 0.0, 0.0
    for i in range(n):
        dry = min(1.0, dry + step) if ints[at.BYPASS] else max(0.0, dry - step)
        trim = max(0.0, trim - step) if ints[at.MUTE] else min(1.0, trim + step)
        at_ring = (position + i) & (capacity - 1)
        place = at.RING + at_ring * channels
        most = 0.0
        for c in range(channels):
            gate = c if ints[at.GATES] > 1 else 0
            gain = float(singles[at.GAINS + gate * at.CHUNK + i])
            gain = (gain + (1.0 - gain) * dry) * trim
            most = max(most, gain)
            if ints[at.LISTEN]:
                value = listened(ints, singles, i, c) * trim
            else:
                value = singles[place + c] * gain
            singles[at.SOUND + i * channels + c] = value
            energy += value * value
        singles[at.GAIN_RING + at_ring] = most
    words[at.DRY], words[at.TRIM], words[at.GAIN] = dry, trim, gain
    words[at.OUT_ENERGY] += energy / channels


def spread(ints: Any, singles: Any, y: Any, begin: int, n: int) -> None:
    """SOUND to places from `begin` on in `y`: channels to outputs."""
    channels, outputs = ints[at.CHANNELS], ints[at.OUTPUTS]
    for i in range(n):
        place = at.SOUND + i * channels
        total = 0.0
        for c in range(channels):
            total += singles[place + c]
        for o in range(outputs):
            if outputs == 1:
                value = total / channels
            elif channels == 1:
                value = total if o < FRONT else 0.0
            else:
                value = float(singles[place + o]) if o < channels else 0.0
            y[begin + i * outputs + o] = value
