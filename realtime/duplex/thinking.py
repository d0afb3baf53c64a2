"""What the worker does at every decision, as numba compiles it: hear, score, judge, publish.

`think` is the loop of `Worker.run`. Compiled it needs no interpreter, so nothing that Python
does in this process can keep a decision waiting; and a decision takes a fifth of the time, most
of which Python and a runtime need to get their code and data back into the caches that other
programs have filled since the last one.

Frame and scores are `realtime.gate.scoring`, as for files; the judge is that of
`realtime.gate.judge`. A test holds the loop to the worker's Python.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from realtime.duplex import biquads
from realtime.duplex import layout as at
from realtime.gate import scoring

SKIP_S: Final = 0.5
LOG: Final = 4096  # decisions that are remembered: 40 s

# whole numbers
STOP, AGAIN, WAKE, K, BASE, POSITION, DECISIONS, SKIPPED = range(8)
IS_OPEN, OPENED, ASKED, WHICH, OVER, WOKEN, COUNTS = range(8, 15)
# numbers
THRESHOLD, CLOSE_UNDER, HOLD_MS, MIN_OPEN_MS, SCORE, SCALE, CONFIRM, NUMBERS = range(8)

# a compiled function, put here by `thought.py`
read: Any = None


def think(
    ints: Any,
    words: Any,
    singles: Any,
    counts: Any,
    numbers: Any,
    log: Any,
    samples: Any,
    filtered: Any,
    scores: Any,
    places: Any,
    amounts: Any,
    mel: Any,
    tables: Any,
    program: Any,
    array: Any,
) -> None:
    """Decide whenever there is something to decide, until STOP.

    Args:
        ints: the shared memory as int64,
        words: as float64,
        singles: and as float32.
        counts: whole numbers of ours, int64 [COUNTS].
        numbers: float64 [NUMBERS].
        log: of the last decisions position, score, state, and the gain of what went out just
            then, float64 [LOG, 4].
        samples: the frame, float64 [frame].
        filtered: state of the key filter, float64 [channels * 2 * MOST_SECTIONS].
        scores: of the decision, float32 [labels].
        places: of `realtime.gate.scoring`, and so all that follow,
        amounts: float64 [AMOUNTS].
        mel: mel energies, float32 [1, mels].
        tables: of `MelKernel`.
        program: of `Steps`,
        array: and its array.
    """
    while not counts[STOP]:
        if counts[AGAIN]:
            forget(ints, counts, samples, filtered)
            scoring.forget(places, array)
        rate = ints[at.RATE]
        while not counts[STOP] and not counts[AGAIN]:
            catch_up(ints, counts)
            end = due(counts[K], rate)
            need = counts[BASE] + end - counts[POSITION]
            if ints[at.WRITTEN] - counts[POSITION] < need:
                break
            at.fence()
            hear(ints, words, singles, counts, numbers, samples, filtered, need)
            scoring.score(samples, 0, places, amounts, mel, tables, program, array, scores)
            numbers[SCORE] = scores[counts[WHICH]]
            judge(ints, words, counts, numbers, log, end)
        ints[at.WANTED] = counts[BASE] + due(counts[K], rate)
        at.fence()
        if ints[at.WRITTEN] < ints[at.WANTED] and not counts[STOP]:
            read(counts[WAKE], counts[WOKEN:].ctypes, 8)  # sleeps


def due(k: int, rate: int) -> int:
    """`realtime.gate.grid.due`, in whole numbers."""
    hundredths = (k + 1) * rate
    samples = hundredths // 100
    rest = hundredths - 100 * samples
    return samples + (1 if rest > 50 or (rest == 50 and samples % 2 == 1) else 0)


def forget(ints: Any, counts: Any, samples: Any, filtered: Any) -> None:
    """Begin at WRITTEN, after silence."""
    counts[AGAIN] = 0
    samples[:] = 0.0
    filtered[:] = 0.0
    counts[POSITION] = counts[BASE] = ints[at.WRITTEN]
    counts[K] = counts[IS_OPEN] = counts[OPENED] = counts[ASKED] = counts[OVER] = 0


def catch_up(ints: Any, counts: Any) -> None:
    """Leave out what is too old; decisions stay on their grid."""
    rate = ints[at.RATE]
    behind = ints[at.WRITTEN] - counts[POSITION]
    if behind > SKIP_S * rate:
        hop = rate // 100
        lost = (behind // hop - 1) * hop
        counts[SKIPPED] += lost
        counts[POSITION] += lost
        counts[BASE] += lost


def hear(
    ints: Any,
    words: Any,
    singles: Any,
    counts: Any,
    numbers: Any,
    samples: Any,
    filtered: Any,
    n: int,
) -> None:
    """The next samples of what decides, filtered, their mean, to the end of the frame."""
    channels, mask, sections = ints[at.KEY_CHANNELS], ints[at.CAPACITY] - 1, ints[at.SECTIONS]
    kept = samples.shape[0] - n
    for i in range(kept):
        samples[i] = samples[i + n]
    for i in range(n):
        place = ints[at.HEARD] + ((counts[POSITION] + i) & mask) * channels
        total = np.float32(0.0)
        if sections:
            for c in range(channels):
                state = 2 * at.MOST_SECTIONS * c
                value = float(singles[place + c])
                total += np.float32(biquads.through(words, sections, filtered, state, value))
        else:
            for c in range(channels):
                total += singles[place + c]
        samples[kept + i] = total / np.float32(channels) * numbers[SCALE]
    counts[POSITION] += n


def judge(ints: Any, words: Any, counts: Any, numbers: Any, log: Any, end: int) -> None:
    """`realtime.gate.judge.Judge.update`, and tell the sound path."""
    found, rate = numbers[SCORE], ints[at.RATE]
    turns, before, over = False, counts[OVER] != 0, found >= numbers[THRESHOLD]
    counts[OVER] = over
    if not counts[IS_OPEN]:
        if over and (before or found >= numbers[CONFIRM]):
            turns = True
            counts[OPENED] = counts[ASKED] = end
    elif found >= numbers[CLOSE_UNDER]:
        counts[ASKED] = end
    else:
        held = (end - counts[ASKED]) * 1000 < numbers[HOLD_MS] * rate
        young = (end - counts[OPENED]) * 1000 < numbers[MIN_OPEN_MS] * rate
        turns = not held and not young
    if turns:
        counts[IS_OPEN] = 1 - counts[IS_OPEN]
    position = counts[BASE] + end
    row = counts[DECISIONS] % LOG
    log[row, 0], log[row, 1], log[row, 2] = position, found, counts[IS_OPEN]
    log[row, 3] = words[at.GAIN]
    at.fence()
    counts[DECISIONS] += 1
    counts[K] += 1
    if turns:
        number = ints[at.CHANGES]
        ints[at.AT_CHANGES + number % at.MOST_CHANGES] = position * 2 + counts[IS_OPEN]
        at.fence()
        ints[at.CHANGES] = number + 1
    at.fence()
    ints[at.DECIDED] = position
