"""One label: its layer's row, its threshold, and what it finds of examples that were left out.

Used by `realtime.wake.lesson`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.learn.hearing import Progress, Silent
from realtime.wake.alike import kinds_alike
from realtime.wake.counting import CLEAR, NOTHING, between, height, heights, threshold_for
from realtime.wake.head import fit
from realtime.wake.hours import Hours, from_bytes
from realtime.wake.memory import Example

Floats = NDArray[np.float32]
Row = Floats  # weights in the directions

FOLDS: Final = 8  # recordings that are left out one by one; more of them in this many parts
WANTED, CLOSED, SHIPPED = 0.5, 0.2, 0.3  # how much each side weighs
SURE: Final = 3.0  # logit of a usual example, that of the threshold being 0
STEEPEST: Final = 60.0  # by how much the layer is made surer for that
NEAR: Final = 20  # events of the shipped sounds that say what comes nearest


class Found(msgspec.Struct):
    """What came of one label.

    Attributes:
        label: its name.
        alike: kinds of the shipped hours that are the same sound, and count for nothing.
        threshold: logit of the fitted layer at which an event starts.
        margins: of each example, left out in its turn: how far over the threshold it came.
        examples: indices of these in the memory.
        near: kinds of the shipped hours that come nearest, the worst first.
        false: events that each other example makes, left out in its turn.
        others: indices of these in the memory.
        hours: of the shipped sounds that count.
        events: in these, thresholds having been set on the other half of them.
        shipped: how far over that threshold the highest events in these came, as `margins`.
        closed: how far the highest event of each other example came over the threshold.
    """

    label: str
    alike: list[str]
    threshold: float
    margins: Floats
    examples: list[int]
    near: list[str]
    false: list[int]
    others: list[int]
    hours: float
    events: int
    shipped: Floats
    closed: Floats


class Label:
    """What is done for one label.

    Args:
        name: so.
        examples: of all labels, and of none.
        hours: the shipped sounds.
        per_hour: false alarms that are put up with in an hour of these.
        seed: of all chance.
    """

    def __init__(
        self, name: str, examples: Sequence[Example], hours: Hours, per_hour: float, seed: int
    ) -> None:
        self.name = name
        self._hours = hours
        self._per_hour = per_hour
        self._own = [i for i, e in enumerate(examples) if e.label == name]
        self._not = [i for i, e in enumerate(examples) if e.label != name]
        self._examples = examples
        self._fold = self._folds(np.random.default_rng((seed, len(name))))
        self._heights: dict[int, float] = {}  # of examples, left out in their turn
        self.alike = kinds_alike(name, [examples[i] for i in self._own], hours)
        codes = [hours.kinds.index(kind) for kind in self.alike]
        self._shipped = from_bytes(hours.teaching[~np.isin(hours.teaching_kind, codes)])
        self._counting = from_bytes(hours.counting)
        self._counts = ~np.isin(hours.counting_kind, codes)
        self._hours_counted = float(self._counts.sum()) * hours.hop_s / 3600.0

    def learn(self, told: Progress) -> tuple[Found, Row, float]:
        """Leave out, judge, and fit to all; what came of it, weights and bias."""
        rows = self._leave_out(told)
        margin: dict[int, float] = {}
        false: dict[int, int] = {}
        over: dict[int, float] = {}
        for fold, row in rows.items():
            at = self._threshold(row, self._left_out(but=fold))
            for i in self._own:
                if self._fold[i] == fold:
                    margin[i] = self._heights[i] - at
            for i in self._not:
                if self._fold[i] == fold:
                    logits = logits_of(row, self._examples[i].heard)
                    false[i] = sum(h >= at for h, _ in heights(logits))
                    over[i] = height(logits) - at
        row, at = self.settled()
        at = self._over_closed(row, at, margin)
        shipped, near = self._count(row)
        found = Found(
            self.name,
            self.alike,
            at,
            np.array([margin[i] for i in self._own], np.float32),
            self._own,
            near,
            [false[i] for i in self._not],
            self._not,
            self._hours_counted,
            sum(h >= 0.0 for h in shipped),
            np.array(shipped[:NEAR], np.float32),
            np.array([over[i] for i in self._not], np.float32),
        )
        told.step()
        usual = max(float(np.median(found.margins)), SURE / STEEPEST)
        steep = SURE / usual
        return found, row * np.float32(steep), -at * steep

    def _leave_out(self, told: Progress) -> dict[int, Row]:
        """The row without each part, and how high the examples of that part come."""
        folds, rows = set(self._fold.values()), {}
        for fold in range(FOLDS):
            if fold in folds:
                row = rows[fold] = self._fit(fold)
                for i in self._own:
                    if self._fold[i] == fold:
                        self._heights[i] = height(logits_of(row, self._examples[i].heard))
            told.step()
        return rows

    def _left_out(self, but: int | None = None) -> list[float]:
        """How high examples come that were left out; those of one part not."""
        return [self._heights[i] for i in self._own if self._fold[i] != but]

    def settled(self) -> tuple[Row, float]:
        """The row for all examples, and its threshold by the shipped hours."""
        if not self._heights:
            self._leave_out(Silent())
        row = self._fit(None)
        return row, self._threshold(row, self._left_out())

    def _folds(self, rng: np.random.Generator) -> dict[int, int]:
        """Which part each example is left out with; those of one recording together."""
        fold: dict[int, int] = {}
        for side in (self._own, self._not):
            by = [self._examples[i].recording for i in side]
            names = list(dict.fromkeys(by))
            if len(names) < 3 and side is self._own:  # one long recording
                by = [str(i) for i in side]
                names = by
            turn = {n: k for k, n in enumerate(names[j] for j in rng.permutation(len(names)))}
            fold |= {i: turn[n] % FOLDS for i, n in zip(side, by, strict=True)}
        return fold

    def _fit(self, left_out: int | None) -> Row:
        """The row for all examples but those of one part."""
        own, others = (
            [from_bytes(self._examples[i].windows) for i in side if self._fold[i] != left_out]
            for side in (self._own, self._not)
        )
        sides = [(own, WANTED), (others, CLOSED if others else 0.0)]
        x, weight = [], []
        for parts, whole in sides:
            for part in parts:  # each example counts as much as any other
                share = whole / len(parts) if parts is own else whole / sum(map(len, parts))
                x.append(part)
                weight.append(np.full(len(part), share / (len(part) if parts is own else 1.0)))
        rest = SHIPPED if others else SHIPPED + CLOSED
        x.append(self._shipped)
        weight.append(np.full(len(self._shipped), rest / len(self._shipped)))
        wanted = np.zeros(sum(map(len, x)), bool)
        wanted[: sum(map(len, own))] = True
        return fit(np.concatenate(x), wanted, np.concatenate(weight).astype(np.float32))

    def _events(self, row: Row, part: int | None = None) -> list[tuple[float, int]]:
        """Heights of events in the shipped hours, or in every second stretch, high to low."""
        logits = np.where(self._counts, logits_of(row, self._counting), NOTHING)
        found = []
        for number, stretch in enumerate(self._hours.stretches()):
            if part is None or number % 2 == part:
                found += [(h, stretch.start + at) for h, at in heights(logits[stretch])]
        return sorted(found, reverse=True)

    def _threshold(self, row: Row, own: list[float], part: int | None = None) -> float:
        """By the shipped hours, or every second stretch, and by examples that were left out."""
        hours = self._hours_counted * (1.0 if part is None else 0.5)
        found = [h for h, _ in self._events(row, part)]
        at = threshold_for(self._per_hour, found, hours)
        return between(at, found, own, self._per_hour * hours)

    def _over_closed(self, row: Row, at: float, margin: dict[int, float]) -> float:
        """The threshold over all that it shall not find, as long as most examples are found."""
        own = [height(logits_of(row, self._examples[i].heard)) for i in self._not]
        highest = max(own, default=float(NOTHING)) + CLEAR
        if highest <= at:
            return at
        return max(at, min(highest, at + float(np.median([*margin.values()]))))

    def _count(self, row: Row) -> tuple[list[float], list[str]]:
        """Heights of events over the threshold set on the other half; what comes nearest."""
        over: list[float] = []
        for part in (0, 1):
            at = self._threshold(row, self._left_out(), 1 - part)
            over += [h - at for h, _ in self._events(row, part)]
        kinds = [
            self._hours.kinds[self._hours.counting_kind[at]]
            for _, at in self._events(row)[:NEAR]
        ]
        return sorted(over, reverse=True), [kind for kind, _ in Counter(kinds).most_common()]


def logits_of(row: Row, turned: Floats) -> Floats:
    """What a row makes of windows, float32 [windows, directions] to [windows]."""
    out: Floats = turned @ row
    return out
