"""Who opens: the level gate, the worker's decisions, and the one in place of the other.

A part of the sound path, compiled with `kernels.py`.

When thought is more than `LIMIT` samples late the level gate serves, until thought has been in
time for `CALM_S`. It hears the sound at `p - slack`, so it too opens `lookahead` before what
opens it. It begins to listen at half of the limit.
"""

from __future__ import annotations

from typing import Any

from realtime.duplex import flow, ramping
from realtime.duplex import layout as at

CALM_S = 0.1


def by_level(ints: Any, words: Any, singles: Any, output: int, n: int) -> None:
    """The level gate alone: one for all channels, or one for each."""
    gates = ints[at.GATES]
    before = _count_open(ints, words)
    last, amplitude = 0, 0.0
    for number in range(gates):
        turn = _follow(ints, words, singles, number, output, n)
        if turn >= last:
            last, amplitude = turn, words[at.AT_GATES + number * at.GATE + at.SAID]
    after = _count_open(ints, words)
    if gates > 1 and (before > 0) != (after > 0):  # the whole is open while any of them is
        kind = at.LOUD if after else at.SOFT
        note(ints, words, kind, output + last, amplitude, -1)
    ints[at.OPEN] = 1 if after else 0


def _follow(ints: Any, words: Any, singles: Any, number: int, output: int, n: int) -> int:
    """Gains of one gate, by its key; where it turned last, or -1."""
    gate = at.AT_GATES + number * at.GATE
    gains = at.GAINS + number * at.CHUNK
    alone = ints[at.GATES] == 1
    channels, channel = ints[at.KEY_CHANNELS], -1 if alone else number
    done = hear = 0
    last = -1
    while hear < n:
        turn = ramping.detect(words, singles, gate, channels, channel, hear, n)
        ramping.run(words, singles, gate, gains + done, turn - done)
        if turn < n:
            last = turn
            is_loud = words[gate + at.LOUD_NOW] != 0.0
            ramping.turn(words, gate, is_loud)
            if alone:
                kind = at.LOUD if is_loud else at.SOFT
                note(ints, words, kind, output + turn, words[gate + at.SAID], -1)
        done, hear = turn, turn + 1
    if done < n:
        ramping.run(words, singles, gate, gains + done, n - done)
    return last


def by_thought(ints: Any, words: Any, singles: Any, p: int, n: int) -> None:
    """Gains by the worker's decisions; in an overload those are only kept in mind."""
    published = ints[at.CHANGES]
    at.fence()
    shift = p - ints[at.SLACK]
    done = 0
    while ints[at.TAKEN] < published:
        change = ints[at.AT_CHANGES + ints[at.TAKEN] % at.MOST_CHANGES]
        position, is_open = change >> 1, change & 1
        turn = position - shift
        if turn >= n:
            break
        ints[at.TAKEN] += 1
        ints[at.THOUGHT] = is_open
        if not ints[at.OVERLOADED]:
            if turn < 0:
                ints[at.TARDY] += 1
            turn = max(turn, done)
            ramping.run(words, singles, at.AT_GATES, at.GAINS + done, turn - done)
            ramping.turn(words, at.AT_GATES, is_open != 0)
            done = turn
            kind = at.OPENED if is_open else at.CLOSED
            note(ints, words, kind, shift - ints[at.LOOKAHEAD] + turn, 0.0, position)
    if not ints[at.OVERLOADED]:
        ramping.run(words, singles, at.AT_GATES, at.GAINS + done, n - done)
        ints[at.OPEN] = ints[at.THOUGHT]


def beside_thought(ints: Any, words: Any, singles: Any, output: int, n: int) -> None:
    """The level gate gets warm, or serves."""
    if ints[at.OVERLOADED]:
        _follow(ints, words, singles, 0, output, n)
        ints[at.OPEN] = _count_open(ints, words)
        return
    hear = 0
    while hear < n:
        hear = 1 + ramping.detect(
            words, singles, at.AT_GATES, ints[at.KEY_CHANNELS], -1, hear, n
        )


def watch(ints: Any, words: Any, late: int, listens: bool, output: int, n: int) -> None:
    """Hand the gate over when thought is late, and back when it has caught up."""
    if listens and not ints[at.WARM]:
        ramping.forget(words, at.AT_GATES)
        flow.forget_key(words)
    ints[at.WARM] = 1 if listens else 0
    if not ints[at.OVERLOADED]:
        if late <= ints[at.LIMIT]:
            return
        ints[at.OVERLOADED] = 1
        ints[at.OVERLOADS] += 1
        ints[at.CALM] = 0
        note(ints, words, at.LATE, output, 0.0, ints[at.DECIDED])
        ramping.turn(words, at.AT_GATES, _count_open(ints, words) > 0)
    ints[at.OVERLOAD_SAMPLES] += n
    ints[at.CALM] = ints[at.CALM] + n if late <= ints[at.LIMIT] // 2 else 0
    if ints[at.CALM] >= CALM_S * ints[at.RATE]:
        ints[at.OVERLOADED] = 0
        note(ints, words, at.IN_TIME, output, 0.0, ints[at.DECIDED])
        ramping.turn(words, at.AT_GATES, ints[at.THOUGHT] != 0)


def _count_open(ints: Any, words: Any) -> int:
    """Level gates that are open."""
    found = 0
    for number in range(ints[at.GATES]):
        if words[at.AT_GATES + number * at.GATE + at.LOUD_NOW] != 0.0:
            found += 1
    return found


def note(ints: Any, words: Any, kind: int, position: int, amplitude: float, about: int) -> None:
    """Leave word of what happened, for whoever reads it; when there is no room, count."""
    number = ints[at.NOTES]
    if number - ints[at.NOTES_READ] >= at.MOST_NOTES:
        ints[at.NOTES_LOST] += 1
        return
    begin = at.AT_NOTES + number % at.MOST_NOTES * at.NOTE
    ints[begin], ints[begin + 1], ints[begin + 3] = kind, position, about
    words[begin + 2] = amplitude
    at.fence()
    ints[at.NOTES] = number + 1
