"""`realtime.gate.ramp.Ramp` and the detector of `LevelGate`, on numbers in shared memory.

A part of the sound path, compiled with `kernels.py`. Step by step the same arithmetic, and a
test holds both to the same bits. It is written once more because compiled code can call no
methods; and with places in one array, instead of slices and shapes of many, it compiles in a
fifth of the time, which a person waits for at the first start.
"""

from __future__ import annotations

import math
from typing import Any

from realtime.duplex import layout as at


def rest_gate(words: Any, gate: int) -> None:
    """Closed, at rest, as if there had been silence for long.

    Args:
        words: the block, float64.
        gate: place of the gate's first word.
    """
    words[gate + at.IS_OPEN] = 0.0
    words[gate + at.TARGET] = _aim(words, gate)
    words[gate + at.AT] = words[gate + at.END] = 0.0
    forget(words, gate)


def forget(words: Any, gate: int) -> None:
    """Let the detector start anew; the ramp stays as it is."""
    words[gate + at.LOUD_NOW] = words[gate + at.QUIET] = words[gate + at.LOUDEST] = 0.0


def turn(words: Any, gate: int, is_open: bool) -> None:
    """The key opens or closes: lay out the way from here."""
    if (words[gate + at.IS_OPEN] != 0.0) != is_open:
        words[gate + at.IS_OPEN] = 1.0 if is_open else 0.0
        lay_plan(words, gate)


def detect(
    words: Any, singles: Any, gate: int, channels: int, channel: int, begin: int, n: int
) -> int:
    """Hear key samples until the gate changes: `kernels.detect` of the gate.

    Args:
        words: the block, float64.
        singles: the block, float32.
        gate: place of the gate's first word.
        channels: of the key.
        channel: the one it follows; -1 for the loudest.
        begin: sample of the chunk to begin with.
        n: samples in the chunk.

    Returns:
        The first sample for which the change holds; `n` if there is none. LOUD_NOW says to
        what, SAID at what amplitude.
    """
    first = max(channel, 0)
    past = channel + 1 if channel >= 0 else channels
    high, low, holds = words[gate + at.HIGH], words[gate + at.LOW], words[gate + at.HOLDS]
    is_open, quiet = words[gate + at.LOUD_NOW] != 0.0, words[gate + at.QUIET]
    loudest = words[gate + at.LOUDEST]
    turn = n
    for i in range(begin, n):
        size = 0.0
        for c in range(first, past):
            size = max(size, abs(float(singles[at.KEY + i * channels + c])))
        if is_open and size < low:
            quiet += 1.0
            loudest = max(loudest, size)
            if quiet > holds:
                is_open = False
                words[gate + at.SAID] = loudest
                turn = i
                break
        elif is_open:
            quiet, loudest = 0.0, 0.0
        elif size >= high:
            is_open, quiet, loudest = True, 0.0, 0.0
            words[gate + at.SAID] = size
            turn = i
            break
    words[gate + at.LOUD_NOW] = 1.0 if is_open else 0.0
    words[gate + at.QUIET], words[gate + at.LOUDEST] = quiet, loudest
    return turn


def run(words: Any, singles: Any, gate: int, out: int, n: int) -> None:
    """Fill in the next `n` gains, from place `out` of the float32 on, and move on."""
    now, target = words[gate + at.AT], words[gate + at.TARGET]
    if now >= words[gate + at.END]:
        for i in range(n):
            singles[out + i] = target
        return
    part = gate + at.PLAN
    for i in range(n):
        instant = now + i + 1
        while part < gate + at.PLAN + 5 * at.PARTS and instant > words[part]:
            part += 5
        if part == gate + at.PLAN + 5 * at.PARTS:
            singles[out + i] = target
        else:
            d = instant - words[part + 1]
            singles[out + i] = words[part + 2] + d * (words[part + 3] + d * words[part + 4])
    words[gate + at.AT] = min(now + n, words[gate + at.END])


def lay_plan(words: Any, gate: int) -> None:
    """`Ramp._lay_plan`."""
    gain, slope, brake = _motion(words, gate)
    target = _aim(words, gate)
    part, time = gate + at.PLAN, 0.0
    rate = _acceleration(words, gate, gain, target)
    sign = math.copysign(1.0, slope)
    way = (target - gain) * sign
    needed = slope * slope / (2.0 * way) if way > 0.0 else math.inf
    if slope != 0.0 and needed > rate:
        if needed <= brake * (1.0 + 1e-9):
            time = 2.0 * way / abs(slope)
            gain = target
        else:
            time = abs(slope) / brake
            gain = min(1.0, max(0.0, gain + 0.5 * slope * time))
            needed = brake
        part = _part(words, part, time, time, gain, 0.0, -0.5 * sign * needed)
        slope = 0.0
        rate = _acceleration(words, gate, gain, target)
    if gain != target:
        way = abs(target - gain)
        step = math.copysign(0.5 * rate, target - gain)
        fastest = math.sqrt(rate * way + 0.5 * slope * slope)
        middle = time + (fastest - abs(slope)) / rate
        arrival = middle + fastest / rate
        part = _part(words, part, middle, time, gain, slope, step)
        part = _part(words, part, arrival, arrival, target, 0.0, -step)
        time = arrival
    while part < gate + at.PLAN + 5 * at.PARTS:
        part = _part(words, part, -1.0, 0.0, 0.0, 0.0, 0.0)  # over before it began
    words[gate + at.TARGET] = target
    words[gate + at.AT] = 0.0
    words[gate + at.END] = math.ceil(time)


def _part(
    words: Any, place: int, end: float, anchor: float, gain: float, slope: float, half: float
) -> int:
    words[place], words[place + 1], words[place + 2] = end, anchor, gain
    words[place + 3], words[place + 4] = slope, half
    return place + 5


def _aim(words: Any, gate: int) -> float:
    up = (words[gate + at.IS_OPEN] != 0.0) != (words[gate + at.INVERSE] != 0.0)
    aim: float = 1.0 if up else words[gate + at.BOTTOM]
    return aim


def _motion(words: Any, gate: int) -> tuple[float, float, float]:
    """Gain, slope and size of the acceleration at the last sample given."""
    now = words[gate + at.AT]
    if now < words[gate + at.END]:
        for number in range(at.PARTS):
            part = gate + at.PLAN + 5 * number
            if now <= words[part]:
                d = now - words[part + 1]
                slope, half = words[part + 3], words[part + 4]
                gain = words[part + 2] + d * (slope + d * half)
                return gain, slope + 2.0 * d * half, 2.0 * abs(half)
    return words[gate + at.TARGET], 0.0, 0.0


def _acceleration(words: Any, gate: int, gain: float, target: float) -> float:
    up = (target > gain) != (words[gate + at.INVERSE] != 0.0)
    length = words[gate + at.LENGTH_UP] if up else words[gate + at.LENGTH_DOWN]
    size: float = 4.0 * max(1.0 - words[gate + at.BOTTOM], abs(target - gain))
    size /= length * length
    return size
