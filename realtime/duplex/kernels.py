"""The sound path's arithmetic: a block of input in, a block of gated sound out.

`play` is what the sound callback runs, and nothing else (`sound.py`). It works on the words of
`layout.Memory`; it allocates nothing, waits for nothing and knows of no lock. With numba
(extra `numba`) it is compiled (`compiled.py`), and PortAudio calls it without any interpreter.
Without numba `path.py`, its NumPy twin, serves. As plain Python it is what tests look into.

A block that begins at input position `p`:

- It is cleaned and stored in the ring; `due` says whether the worker waits for it.
- The block that goes out began at `p - slack - lookahead`. A decision on the sound before `e`
  belongs to the output from `e - lookahead` on, which is `e - p + slack` samples into the
  block. A decision that comes too late for that takes effect at once.
- When thought is more than `LIMIT` samples late the level gate serves, until thought has been
  in time for `CALM_S`. It hears the sound at `p - slack`, so it too opens `lookahead` before
  what opens it. It begins to listen at half of the limit.
"""

from __future__ import annotations

from typing import Any

from realtime.duplex import layout as at
from realtime.duplex import ramping

LOUDEST = 1e6  # beyond, a float sample is no sound
FADE_S = 0.01  # of bypass and mute
CALM_S = 0.1
FRONT = 2  # outputs on which a lone channel is played
TINY = 1e-200  # a filter's state under this is 0: denormal numbers are slow


def play(ints: Any, words: Any, singles: Any, x: Any, y: Any) -> None:
    """One callback's work.

    Args:
        ints: the memory as int64,
        words: as float64,
        singles: and as float32.
        x: the input, float32 [samples * channels].
        y: the output, float32 [samples * outputs], filled.
    """
    frames = x.shape[0] // ints[at.CHANNELS]
    settle(ints, words)
    begin = 0
    while begin < frames:
        n = min(at.CHUNK, frames - begin)
        gate_chunk(ints, words, singles, x, begin, n)
        spread(ints, singles, y, begin * ints[at.OUTPUTS], n)
        begin += n
    ints[at.CALLS] += 1
    ints[at.LONGEST] = max(ints[at.LONGEST], frames)


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
    store(ints, words, singles, x, begin, n)
    heard = p - ints[at.SLACK]
    output = heard - ints[at.LOOKAHEAD]
    if ints[at.LEVEL]:
        take_key(ints, words, singles, heard, n)
        _by_level(ints, words, singles, output, n)
    else:
        late = p + n - ints[at.DECIDED]
        listens = late > ints[at.LIMIT] // 2 or ints[at.OVERLOADED] != 0
        if listens or ints[at.LISTEN]:
            take_key(ints, words, singles, heard, n)
        _watch(ints, words, late, listens, output, n)
        _by_thought(ints, words, singles, p, n)
        if listens:
            _beside_thought(ints, words, singles, output, n)
    multiply(ints, words, singles, output, n)


# --- sound in, sound out --------------------------------------------------------------------


def store(ints: Any, words: Any, singles: Any, x: Any, begin: int, n: int) -> None:
    """Clean the input, put it into the ring and say so."""
    channels, capacity = ints[at.CHANNELS], ints[at.CAPACITY]
    place = (ints[at.WRITTEN] & (capacity - 1)) * channels
    energy = 0.0
    for i in range(begin * channels, (begin + n) * channels):
        value = float(x[i])
        if not abs(value) <= LOUDEST:  # NaN too
            value = 0.0
            ints[at.CLEANED] += 1
        energy += value * value
        singles[at.RING + place] = value
        place += 1
        if place == capacity * channels:
            place = 0
    words[at.IN_ENERGY] += energy / channels
    at.fence()
    ints[at.WRITTEN] += n


def take_key(ints: Any, words: Any, singles: Any, position: int, n: int) -> None:
    """What the level gate hears, from a position on, into KEY."""
    channels, capacity = ints[at.CHANNELS], ints[at.CAPACITY]
    for i in range(n):
        place = at.RING + ((position + i) & (capacity - 1)) * channels
        for c in range(channels):
            value = float(singles[place + c])
            for k in range(ints[at.SECTIONS]):
                b = at.AT_SECTIONS + 5 * k
                s = at.AT_STATE + 2 * (k * channels + c)
                out = words[b] * value + words[s]
                first = words[b + 1] * value - words[b + 3] * out + words[s + 1]
                second = words[b + 2] * value - words[b + 4] * out
                words[s] = first if abs(first) > TINY else 0.0
                words[s + 1] = second if abs(second) > TINY else 0.0
                value = out
            singles[at.KEY + i * channels + c] = value


def forget_key(words: Any) -> None:
    """Let the key's filter start after silence."""
    for i in range(at.AT_STATE, at.AT_CHANGES):
        words[i] = 0.0


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
                value = singles[at.KEY + i * channels + c] * trim
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


# --- who opens ------------------------------------------------------------------------------


def _by_level(ints: Any, words: Any, singles: Any, output: int, n: int) -> None:
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
    channels, channel = ints[at.CHANNELS], -1 if alone else number
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


def _by_thought(ints: Any, words: Any, singles: Any, p: int, n: int) -> None:
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


def _beside_thought(ints: Any, words: Any, singles: Any, output: int, n: int) -> None:
    """The level gate gets warm, or serves."""
    if ints[at.OVERLOADED]:
        _follow(ints, words, singles, 0, output, n)
        ints[at.OPEN] = _count_open(ints, words)
        return
    hear = 0
    while hear < n:
        hear = 1 + ramping.detect(words, singles, at.AT_GATES, ints[at.CHANNELS], -1, hear, n)


def _watch(ints: Any, words: Any, late: int, listens: bool, output: int, n: int) -> None:
    """Hand the gate over when thought is late, and back when it has caught up."""
    if listens and not ints[at.WARM]:
        ramping.forget(words, at.AT_GATES)
        forget_key(words)
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
