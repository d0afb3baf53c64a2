"""What can be set by turning or dragging: its range, steps, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gui.i18n import later, tr


@dataclass(frozen=True)
class Quantity:
    """A number that people set.

    Args:
        name: the setting's, in rt-gate.
        low: least.
        high: most.
        step: the smallest change.
        text: how a value is written.
        title: what it is called, in English; `tr` translates it.
        help: one sentence on what it does, in English likewise.
    """

    name: str
    low: float
    high: float
    step: float
    text: Callable[[float], str]
    title: str
    help: str

    @property
    def steps(self) -> int:
        """How many steps there are from `low` to `high`."""
        return round((self.high - self.low) / self.step)

    def place(self, value: float) -> int:
        """A value as a number of steps over zero: what Qt's sliders keep and read aloud."""
        return round(min(max(value, self.low), self.high) / self.step)

    def value(self, place: int) -> float:
        """The value at a place."""
        return round(place * self.step, 6)

    def read(self, text: str) -> float | None:
        """A value that somebody typed, in range; None if it is no number."""
        found = re.search(r"[-−+]?\d*[.,]?\d+", text)
        if not found:
            return None
        number = float(found[0].replace("−", "-").replace(",", "."))
        if self.high <= 0 < number:
            number = -number  # who types 30 for a level means -30 dB
        return min(max(number, self.low), self.high)


def plain(value: float) -> str:
    """0.55."""
    return f"{value:.2f}"


def decibels(value: float) -> str:
    """-40 dB."""
    return f"{value:.0f} dB".replace("-", "−")


def milliseconds(value: float) -> str:
    """20 ms."""
    return f"{value:.0f} ms"


def hertz(value: float) -> str:
    """200 Hz; off at 0."""
    return f"{value:.0f} Hz" if value else tr("off")


THRESHOLD = Quantity(
    "threshold",
    0.0,
    1.0,
    0.01,
    plain,
    later("Threshold"),
    later("The score at which the gate opens."),
)
THRESHOLD_DB = Quantity(
    "threshold_db",
    -80.0,
    0.0,
    1.0,
    decibels,
    later("Threshold"),
    later("The level at which the gate opens."),
)
RANGE = Quantity(
    "range_db",
    -80.0,
    0.0,
    1.0,
    decibels,
    later("Range"),
    later("How much quieter the closed gate is."),
)
HYSTERESIS = Quantity(
    *("hysteresis", 0.0, 0.5, 0.01, plain, later("Hysteresis")),
    later("It closes when the score is so much under the threshold."),
)
CLOSE_DB = Quantity(
    *("close_db", -90.0, 0.0, 1.0, decibels, later("Close under")),
    later("It closes when the level is under this one."),
)
LOOKAHEAD = Quantity(
    *("lookahead_ms", 0.0, 20.0, 1.0, milliseconds, later("Look-ahead")),
    later("Opens so long before the sound, and delays everything by as much."),
)
ATTACK = Quantity(
    "attack_ms", 0.0, 50.0, 1.0, milliseconds, later("Attack"), later("From closed to open.")
)
HOLD = Quantity(
    *("hold_ms", 0.0, 1000.0, 10.0, milliseconds, later("Hold")),
    later("Stays open so long after the last wanted sound."),
)
RELEASE = Quantity(
    "release_ms",
    0.0,
    1000.0,
    10.0,
    milliseconds,
    later("Release"),
    later("From open to closed."),
)
KEY_HIGHPASS = Quantity(
    *("key_highpass", 0.0, 2000.0, 10.0, hertz, later("Ignore under")),
    later("The gate decides without what is lower than this."),
)
KEY_LOWPASS = Quantity(
    *("key_lowpass", 0.0, 20000.0, 100.0, hertz, later("Ignore over")),
    later("The gate decides without what is higher than this."),
)
