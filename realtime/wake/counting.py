"""Events in streams of scores, and what a count of them says.

Used by `realtime.wake.lesson`. `Rule` is the decision rule of every learned model. It takes the
lowest of the last `confirm` windows, so an event depends on the order of scores alone: a
threshold may be moved, or the scores bent, without changing which sounds make one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card, Decision
from realtime.decide import Decider

Floats = NDArray[np.float32]

HOP_S: Final = 0.2
CONFIRM: Final = 2  # windows in a row
REFRACTORY_S: Final = 1.0
HYSTERESIS: Final = 0.2
THRESHOLD: Final = 0.5  # of every learned model: the scores are shifted to fit
NOTHING: Final = np.float32(-1e9)
SURE: Final = 0.95  # of intervals
DAY_H: Final = 24.0
TAIL: Final = 20  # events that say how heights fall off
CLEAR: Final = 0.02  # over what shall not be found
LOWER: Final = 0.25  # share of the examples that may be lower than where they begin
NEARER: Final = 4.0  # to the highest event, for each event that is put up with


def decision(other: str) -> Decision:
    """The rule for a card; `other` is the label of everything else."""
    return Decision(
        confirm=CONFIRM,
        hysteresis=HYSTERESIS,
        refractory_s=REFRACTORY_S,
        background=(other,),
    )


def confirmed(logits: Floats) -> Floats:
    """The lowest of the last `CONFIRM` windows: [hops] to [hops]."""
    out = np.full_like(logits, NOTHING)
    parts = [logits[i : len(logits) - CONFIRM + 1 + i] for i in range(CONFIRM)]
    if len(logits) >= CONFIRM:
        out[CONFIRM - 1 :] = np.min(parts, axis=0)
    return out


def height(logits: Floats) -> float:
    """The highest threshold at which a stream makes an event."""
    return float(confirmed(logits).max(initial=NOTHING))


def heights(logits: Floats) -> list[tuple[float, int]]:
    """Thresholds at which a stream makes one event more, and the hops of these, high to low.

    An event keeps others away for the refractory time, on both sides of it.
    """
    found, level = [], confirmed(logits)
    apart = round(REFRACTORY_S / HOP_S)
    while len(level):
        at = int(level.argmax())
        if level[at] <= NOTHING:
            break
        found.append((float(level[at]), at))
        level[max(0, at - apart) : at + apart + 1] = NOTHING
    return found


def count(card: Card, label: int, streams: Sequence[Floats]) -> list[int]:
    """How often the decision rule starts a label in each stream.

    Args:
        card: of the model.
        label: its index.
        streams: scores, float32 [hops, labels] each.
    """
    name, hop = card.labels[label], round(card.hop_s * card.rate)
    found = []
    for scores in streams:
        decider, starts = Decider(card), 0
        for k, row in enumerate(scores):
            changes = decider.update(row, (k + 1) * hop)
            starts += sum(c.kind == "start" and c.label == name for c in changes)
        found.append(starts)
    return found


def threshold_for(rate: float, found: Sequence[float], hours: float) -> float:
    """The threshold at which so many events an hour are to be expected.

    Among the highest events heights fall off as an exponential does; it is fitted to the
    `TAIL` highest, so the threshold rests on more than the one or two that decide the count.

    Args:
        rate: events an hour.
        found: heights, high to low.
        hours: in which they were.
    """
    top = list(found[: TAIL + 1])
    if len(top) < 3:
        return (max(top) if top else 0.0) + 1.0
    wanted = rate * hours
    if wanted >= len(top):
        return found[min(len(found) - 1, math.floor(wanted))]
    base = top[-1]
    spread = float(np.mean(top[:-1])) - base
    return base + max(spread, 1e-3) * math.log((len(top) - 1) / max(wanted, 1e-6))


def between(at: float, found: Sequence[float], own: Sequence[float], wanted: float) -> float:
    """A lower threshold, where the examples are apart from all that is heard besides.

    The exponential of `threshold_for` goes on for ever, scores do not: where the highest events
    are many and alike, it may say more than any example reaches. If most examples are higher
    than each of these events, the threshold stands between the two instead, the nearer to the
    events the more of them are put up with.

    Args:
        at: the threshold by the events alone.
        found: their heights, high to low.
        own: heights of examples that were left out.
        wanted: how many events are put up with.
    """
    if not found or not own:
        return at
    gap = float(np.quantile(own, LOWER)) - found[0]
    if gap <= CLEAR:
        return at
    return min(at, found[0] + max(CLEAR, gap / (1.0 + NEARER * wanted)))


def poisson_interval(events: int) -> tuple[float, float]:
    """Bounds of the mean of a Poisson distribution, 95 %, exact."""
    tail = (1.0 - SURE) / 2

    def below(mean: float, most: int) -> float:
        """Chance of `most` events or fewer."""
        return sum(
            math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1)
        )

    ceiling = 10.0 + 4.0 * events
    low = _root(lambda m: below(m, events - 1) - (1.0 - tail), ceiling) if events else 0.0
    # with none at all only the upper side is open
    return low, _root(lambda m: below(m, events) - (tail if events else 1.0 - SURE), ceiling)


def binomial_interval(events: int, trials: int) -> tuple[float, float]:
    """Bounds of a chance, 95 %, exact (Clopper and Pearson)."""
    tail = (1.0 - SURE) / 2

    def below(p: float, most: int) -> float:
        return sum(
            math.comb(trials, k) * p**k * (1.0 - p) ** (trials - k) for k in range(most + 1)
        )

    low = _root(lambda p: below(p, events - 1) - (1.0 - tail), 1.0) if events else 0.0
    high = _root(lambda p: below(p, events) - tail, 1.0) if events < trials else 1.0
    return low, high


def _root(falling: Callable[[float], float], ceiling: float) -> float:
    """Where a function that falls from 0 to `ceiling` crosses zero."""
    low, high = 1e-9, ceiling
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0.0 else (low, middle)
    return (low + high) / 2
