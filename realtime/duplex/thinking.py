"""What the worker does at every decision, as numba compiles it: hear, score, judge, publish.

`think` is the loop of `Worker.run`. Compiled it needs no interpreter, so nothing that Python
does in this process can keep a decision waiting; and a decision takes a fifth of the time, most
of which Python and a runtime need to get their code and data back into the caches that other
programs have filled since the last one.

The front end is `realtime.kernels`, the network `realtime.runners.program`, the judge that of
`realtime.gate.judge`; a test holds the loop to the worker's Python.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from realtime.duplex import biquads
from realtime.duplex import layout as at

SKIP_S: Final = 0.5
LOG: Final = 4096  # decisions that are remembered: 40 s

# whole numbers
STOP, AGAIN, WAKE, K, BASE, POSITION, DECISIONS, SKIPPED, BAD = range(9)
IS_OPEN, OPENED, ASKED, WHICH, SOUND, SCORES, LABELS, STATES, STATES_END, WOKEN = range(9, 19)
HOP, LOGIT, MAGNITUDE, REMOVE_DC, OVER, COUNTS = range(19, 25)
# numbers
THRESHOLD, CLOSE_UNDER, HOLD_MS, MIN_OPEN_MS, SCORE, SCALE, FLOOR, MEAN, STD = range(9)
CONFIRM, NUMBERS = range(9, 11)

# compiled functions, put here by `thought.py`
rows: Any = None
step: Any = None
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
        mel: its mel energies, float32 [1, mels].
        tables: of `MelKernel`.
        program: of `Steps`,
        array: and its array.
    """
    while not counts[STOP]:
        if counts[AGAIN]:
            forget(ints, counts, samples, filtered, array)
        rate = ints[at.RATE]
        while not counts[STOP] and not counts[AGAIN]:
            catch_up(ints, counts)
            end = due(counts[K], rate)
            need = counts[BASE] + end - counts[POSITION]
            if ints[at.WRITTEN] - counts[POSITION] < need:
                break
            at.fence()
            hear(ints, words, singles, counts, numbers, samples, filtered, need)
            rows(
                samples, 0, mel, counts[HOP], 0.0, counts[REMOVE_DC] != 0,
                counts[MAGNITUDE] != 0, *tables,
            )  # fmt: skip
            score(counts, numbers, mel, program, array)
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


def forget(ints: Any, counts: Any, samples: Any, filtered: Any, array: Any) -> None:
    """Begin at WRITTEN, after silence."""
    counts[AGAIN] = 0
    samples[:] = 0.0
    filtered[:] = 0.0
    array[counts[STATES] : counts[STATES_END]] = 0.0
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


def score(counts: Any, numbers: Any, mel: Any, program: Any, array: Any) -> None:
    """Let the network step; what is no number is taken as 0, and its states begin anew."""
    floor, mean, std = np.float32(numbers[FLOOR]), np.float32(numbers[MEAN]), numbers[STD]
    for i in range(mel.shape[1]):
        feature = np.log(max(mel[0, i], floor))
        array[counts[SOUND] + i] = (feature - mean) / np.float32(std)
    step(program, array)
    total = 0.0
    for i in range(counts[LABELS]):
        total += array[counts[SCORES] + i]
    found = float(array[counts[SCORES] + counts[WHICH]])
    if counts[LOGIT]:
        found = 1.0 / (1.0 + math.exp(-found))
    if not math.isfinite(total):
        array[counts[STATES] : counts[STATES_END]] = 0.0
        counts[BAD] += 1
        found = 0.0
    numbers[SCORE] = found


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
