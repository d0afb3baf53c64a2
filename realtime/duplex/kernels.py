"""The sound path's arithmetic: a block of input in, a block of gated sound out.

`play` is what the sound callback runs, and nothing else (`sound.py`); where the output has a
clock of its own it is `take` at the input and `joint.pull` at the output. They work on the
words of `layout.Memory`; they allocate nothing, wait for nothing and know of no lock. With
numba (extra `numba`) they are compiled (`compiled.py`), and PortAudio calls them without any
interpreter. Without numba `path.py`, their NumPy twin, serves. As plain Python they are what
tests look into.

A block that begins at input position `p`:

- It is cleaned and stored in the ring; `due` says whether the worker waits for it.
- The block that goes out began at `p - slack - lookahead`. A decision on the sound before `e`
  belongs to the output from `e - lookahead` on, which is `e - p + slack` samples into the
  block. A decision that comes too late for that takes effect at once.
- What is stored and given is `flow.py`'s matter, who opens that of `openers.py`.
"""

from __future__ import annotations

from typing import Any

from realtime.duplex import flow, joint, openers, ramping
from realtime.duplex import layout as at


def play(ints: Any, words: Any, singles: Any, x: Any, y: Any) -> None:
    """One callback's work.

    Args:
        ints: the memory as int64,
        words: as float64,
        singles: and as float32.
        x: the input, float32 [samples * width].
        y: the output, float32 [samples * outputs], filled.
    """
    frames = x.shape[0] // ints[at.WIDTH]
    settle(ints, words)
    begin = 0
    while begin < frames:
        n = min(at.CHUNK, frames - begin)
        gate_chunk(ints, words, singles, x, begin, n)
        flow.spread(ints, singles, y, begin * ints[at.OUTPUTS], n)
        begin += n
    ints[at.CALLS] += 1
    ints[at.LONGEST] = max(ints[at.LONGEST], frames)


def take(ints: Any, words: Any, singles: Any, x: Any, now: float) -> None:
    """The input's callback: gate a block and put it into the joint.

    Args:
        ints: the memory as int64,
        words: as float64,
        singles: and as float32.
        x: the input, float32 [samples * width].
        now: seconds of any clock that both callbacks read.
    """
    frames = x.shape[0] // ints[at.WIDTH]
    settle(ints, words)
    begin = 0
    while begin < frames:
        n = min(at.CHUNK, frames - begin)
        gate_chunk(ints, words, singles, x, begin, n)
        flow.spread(ints, singles, singles, at.PASSING, n)
        joint.append(ints, words, singles, n, now)
        begin += n
    joint.count(ints, frames)


def due(ints: Any) -> bool:
    """Whether to wake the worker: what it asked for is there, and it was not told yet."""
    wanted = ints[at.WANTED]
    if ints[at.WRITTEN] < wanted or ints[at.WOKEN] == wanted:
        return False
    ints[at.WOKEN] = wanted
    return True


def settle(ints: Any, words: Any) -> None:
    """Take new settings over, if there are any and all of them are written."""
    version = ints[at.VERSION]
    if version == ints[at.APPLIED] or version % 2:
        return
    at.fence()
    for number in range(ints[at.GATES]):
        gate = at.AT_GATES + number * at.GATE
        words[gate + at.LENGTH_UP] = words[at.ATTACK]
        words[gate + at.LENGTH_DOWN] = words[at.RELEASE]
        words[gate + at.BOTTOM] = words[at.FLOOR]
        words[gate + at.INVERSE] = ints[at.DUCK]
        words[gate + at.HIGH] = words[at.OPENS]
        words[gate + at.LOW] = words[at.CLOSES]
        words[gate + at.HOLDS] = ints[at.HOLD]
        ramping.lay_plan(words, gate)
    at.fence()
    if ints[at.VERSION] == version:  # else it changed meanwhile, and the next block takes it
        ints[at.APPLIED] = version


def rest(ints: Any, words: Any) -> None:
    """Close every gate, at once: the start of a stream."""
    settle(ints, words)
    for number in range(ints[at.GATES]):
        ramping.rest_gate(words, at.AT_GATES + number * at.GATE)
    ints[at.OPEN] = ints[at.THOUGHT] = ints[at.WARM] = ints[at.OVERLOADED] = 0
    ints[at.FLOWING] = 0


def gate_chunk(ints: Any, words: Any, singles: Any, x: Any, begin: int, n: int) -> None:
    """Hear `n` samples from sample `begin` of a block on; SOUND then holds what goes out."""
    p = ints[at.WRITTEN]
    flow.store(ints, words, singles, x, begin, n)
    heard = p - ints[at.SLACK]
    output = heard - ints[at.LOOKAHEAD]
    if ints[at.LEVEL]:
        flow.take_key(ints, words, singles, heard, n)
        openers.by_level(ints, words, singles, output, n)
    else:
        late = p + n - ints[at.DECIDED]
        listens = late > ints[at.LIMIT] // 2 or ints[at.OVERLOADED] != 0
        if listens or ints[at.LISTEN]:
            flow.take_key(ints, words, singles, heard, n)
        openers.watch(ints, words, late, listens, output, n)
        openers.by_thought(ints, words, singles, p, n)
        if listens:
            openers.beside_thought(ints, words, singles, output, n)
    flow.multiply(ints, words, singles, output, n)
