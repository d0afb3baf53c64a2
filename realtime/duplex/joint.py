"""The joint: from the input's clock to an output that has a clock of its own.

Where input and output are one device there is one stream and no joint. Otherwise the input's
callback appends what it gated (`kernels.take`) and the output's runs `pull`. A key that is a
device of its own has a joint, too: its callback runs `push`, and the input's pulls. All are
compiled with `kernels.py`.

**The resampler** reads the gated sound at fractional places: a sinc of `TAPS` points under a
Kaiser window, tabulated at 512 phases with straight lines between them, cut off at half of the
lower rate (J. O. Smith, "Digital Audio Resampling Home Page", 2002). Two rates are a ratio, two
clocks are one that is slightly off.

**The clocks.** What counts is the reserve: the samples left after a pull. It dips whenever the
input's next block is still to come, so its mean is measured as if sound came in continuously:
by the time since the last block. Once a second the speed is corrected so that the mean comes to
MARGIN and the deepest dip that was seen; what of the correction stays is the difference of the
clocks. It is at most `FASTEST`, a thirtieth of a semitone; crystals differ by a tenth of that.
Every minute that dip and the deepest one of the minute are averaged: so the delay finds what
the drivers need, and returns to it after a disturbance.

**The delay** that is told is what the joint adds to a wire between the two drivers: the age of
the next sample to be played, less a block of the input, for which a wire waits as well.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.duplex import layout as at

LOUDEST = 1e6  # beyond, a float sample is no sound
FASTEST = 0.002
MOST_S = 0.1
DEEPEST_S = 0.15  # a dip counts for no more
PAUSE_S = 0.1  # time that passed since the last block counts for no more
PULL = 0.1  # of a second's excess is taken back in the next,
LEARN = 0.005  # and so much counts as the clocks' difference
MINUTE = 60  # seconds
FADE_S = 0.005
SOFTEST = 1e-9  # of a fade-out; then it is silence
FADING = 64  # blocks in which the longest one loses a sample
UNSEEN = 1e18
POINTS = 24  # of the sinc on either side, where the input's rate is not the higher one


def push(ints: Any, words: Any, singles: Any, x: Any, now: float) -> None:
    """The callback of a key's device: clean its block and put it into the joint.

    Args:
        ints: the key's part of the memory as int64,
        words: as float64,
        singles: and as float32.
        x: the input, float32 [samples * width].
        now: seconds of any clock that both callbacks read.
    """
    frames = x.shape[0] // ints[at.WIDTH]
    begin = 0
    while begin < frames:
        n = min(at.CHUNK, frames - begin)
        choose(ints, singles, x, begin, n)
        append(ints, words, singles, n, now)
        begin += n
    count(ints, frames)


def choose(ints: Any, singles: Any, x: Any, begin: int, n: int) -> None:
    """The channels that are meant into PASSING; what is no sound is silence."""
    width, outputs, first = ints[at.WIDTH], ints[at.OUTPUTS], ints[at.KEY_FIRST]
    for i in range(n):
        for c in range(outputs):
            value = float(x[(begin + i) * width + first + c])
            clean = value if abs(value) <= LOUDEST else 0.0
            singles[at.PASSING + i * outputs + c] = clean


def append(ints: Any, words: Any, singles: Any, n: int, now: float) -> None:
    """PASSING to the end of what is in the joint."""
    put(ints, singles, n)
    words[at.PUSHED_AT] = now
    at.fence()
    ints[at.PUSHED] += n


def put(ints: Any, singles: Any, n: int) -> None:
    """PASSING to its place."""
    outputs, capacity = ints[at.OUTPUTS], ints[at.CAPACITY_OUT]
    place = (ints[at.PUSHED] & (capacity - 1)) * outputs
    for i in range(n * outputs):
        singles[at.JOINT + place] = singles[at.PASSING + i]
        place += 1
        if place == capacity * outputs:
            place = 0


def count(ints: Any, frames: int) -> None:
    """A callback's block is in the joint."""
    ints[at.CALLS] += 1
    ints[at.NEWEST] = frames
    fading = 1 if ints[at.CALLS] % FADING == 0 else 0  # a long one that was the only one
    ints[at.LONGEST] = max(ints[at.LONGEST] - fading, frames)


def pull(ints: Any, words: Any, singles: Any, y: Any, now: float) -> None:
    """The output's callback: take sound out of the joint.

    Args:
        ints: the memory as int64,
        words: as float64,
        singles: and as float32.
        y: the output at its own rate, float32 [samples * outputs], filled.
        now: as in `take`.
    """
    n = y.shape[0] // ints[at.OUTPUTS]
    ints[at.PULLS] += 1
    pushed = ints[at.PUSHED]
    at.fence()
    since = min(max(0.0, now - words[at.PUSHED_AT]), PAUSE_S) * ints[at.RATE]
    speed = words[at.RATIO] * (1.0 + words[at.SPEED])
    ahead = n * speed + ints[at.TAPS] // 2 + 1  # samples from the place that this pull needs
    words[at.DIP] = max(words[at.DIP], float(ints[at.LONGEST]))
    kept = words[at.MARGIN] + words[at.DIP]
    if not ints[at.FLOWING]:
        new = pushed + min(since, words[at.DIP]) - ahead - kept
        if new < words[at.PLACE]:
            fade_out(ints, words, y, n)
            return
        words[at.FADE] = 0.0
        words[at.DELAY] = ahead + kept - ints[at.NEWEST]
        ints[at.FLOWING] = 1
        _go_to(ints, words, new)
    reserve = pushed - words[at.PLACE] - ahead
    if reserve < 0.0:
        ints[at.FLOWING] = 0
        _slip(ints, pushed)
        if pushed > ints[at.RATE]:  # before that a driver fills its buffers, which is no dip
            deeper = max(1.5 * words[at.DIP], words[at.DIP] - 1.5 * reserve)
            words[at.DIP] = min(DEEPEST_S * ints[at.RATE], deeper)
        fade_out(ints, words, y, n)
        return
    blend = reserve > kept + MOST_S * ints[at.RATE]
    resample(ints, words, singles, y, speed, False)
    if blend:
        _slip(ints, pushed)
        _go_to(ints, words, pushed - ahead - kept)
        resample(ints, words, singles, y, speed, True)
        reserve = kept
    fade_in(ints, words, y, n)
    delay = pushed + since - ints[at.NEWEST] - words[at.PLACE]
    words[at.DELAY] += 0.02 * (delay - words[at.DELAY])
    words[at.PLACE] += n * speed
    _steer(ints, words, reserve, reserve + since, n * words[at.RATIO])


def _slip(ints: Any, pushed: int) -> None:
    ints[at.SLIPS] += 1 if pushed > ints[at.RATE] else 0


def make_table(ratio: float) -> tuple[int, NDArray[np.float32]]:
    """The resampler's taps.

    Args:
        ratio: of the input's rate to the output's.

    Returns:
        How many there are, and float32 [PHASES + 1, taps].
    """
    taps = min(at.MOST_TAPS, 2 * math.ceil(POINTS * max(1.0, ratio)))
    phases = np.linspace(0.0, 1.0, at.PHASES + 1)
    distance = np.arange(1 - taps // 2, taps // 2 + 1) - phases[:, np.newaxis]
    shape = np.sqrt(np.clip(1.0 - (distance / (taps / 2)) ** 2, 0.0, 1.0))
    table = np.sinc(distance / max(1.0, ratio)) * np.i0(8.0 * shape)
    return taps, (table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def _go_to(ints: Any, words: Any, place: float) -> None:
    words[at.PLACE] = place
    _watch_anew(ints, words)


def _watch_anew(ints: Any, words: Any) -> None:
    words[at.LEAST], words[at.SUM] = UNSEEN, 0.0
    ints[at.WATCHED] = ints[at.LOOKS] = 0


def _steer(ints: Any, words: Any, least: float, reserve: float, passed: float) -> None:
    """Judge the speed once a second.

    Args:
        ints: the memory as int64,
        words: and as float64.
        least: samples left after this pull,
        reserve: and as if sound came in continuously.
        passed: samples of the input that were pulled.
    """
    words[at.LEAST] = min(words[at.LEAST], least)
    words[at.SUM] += reserve
    ints[at.LOOKS] += 1
    ints[at.WATCHED] += int(passed)
    if ints[at.WATCHED] < ints[at.RATE]:
        return
    mean = words[at.SUM] / ints[at.LOOKS]
    dip = min(DEEPEST_S * ints[at.RATE], mean - words[at.LEAST])
    words[at.DIP] = max(words[at.DIP], dip)
    words[at.DEEPEST] = max(words[at.DEEPEST], dip)
    excess = (mean - words[at.MARGIN] - words[at.DIP]) / ints[at.RATE]  # seconds, in a second
    if abs(PULL * excess) < FASTEST:  # otherwise it is on its way, and says nothing of clocks
        words[at.DRIFT] = _limit(words[at.DRIFT] + LEARN * excess)
    words[at.SPEED] = _limit(words[at.DRIFT] + PULL * excess)
    _watch_anew(ints, words)
    ints[at.SECONDS] += 1
    if ints[at.SECONDS] == MINUTE:
        words[at.DIP] = 0.5 * (words[at.DIP] + words[at.DEEPEST])
        words[at.DEEPEST] = 0.0
        ints[at.SECONDS] = 0


def _limit(speed: float) -> float:
    return min(FASTEST, max(-FASTEST, speed))


def resample(ints: Any, words: Any, singles: Any, y: Any, speed: float, blend: bool) -> None:
    """Fill `y` from PLACE on; with `blend`, go over to it from what `y` holds."""
    outputs, taps, mask = ints[at.OUTPUTS], ints[at.TAPS], ints[at.CAPACITY_OUT] - 1
    n = y.shape[0] // outputs
    for i in range(n):
        instant = words[at.PLACE] + i * speed
        first = math.floor(instant)
        phase = (instant - first) * at.PHASES
        row = at.TABLE + int(phase) * taps
        rest = phase - int(phase)
        first += 1 - taps // 2
        for c in range(outputs):
            low = high = 0.0
            for t in range(taps):
                value = singles[at.JOINT + ((first + t) & mask) * outputs + c]
                low += singles[row + t] * value
                high += singles[row + taps + t] * value
            value = low + rest * (high - low)
            if blend:
                held = y[i * outputs + c]
                value = held + (i + 1) / n * (value - held)
            y[i * outputs + c] = value


def fade_in(ints: Any, words: Any, y: Any, n: int) -> None:
    """After a pause; and remember where a fade-out would begin."""
    outputs = ints[at.OUTPUTS]
    step = words[at.RATIO] / (FADE_S * ints[at.RATE])
    if words[at.FADE] < 1.0:
        for i in range(n):
            words[at.FADE] = min(1.0, words[at.FADE] + step)
            for c in range(outputs):
                y[i * outputs + c] *= words[at.FADE]
    for c in range(outputs):
        words[at.AT_LAST + c] = y[(n - 1) * outputs + c]


def fade_out(ints: Any, words: Any, y: Any, n: int) -> None:
    """There is no sound: let the last sample die away."""
    outputs = ints[at.OUTPUTS]
    decay = math.exp(-5.0 * words[at.RATIO] / (FADE_S * ints[at.RATE]))
    for c in range(outputs):
        value = words[at.AT_LAST + c]
        for i in range(n):
            value *= decay
            y[i * outputs + c] = value
        words[at.AT_LAST + c] = value if abs(value) > SOFTEST else 0.0
