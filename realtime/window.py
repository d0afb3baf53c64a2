"""`Window`: one hop of samples in, one window for the model out.

Used by the engine. It holds the front end of one stretch of sound; the past of a stretch is
digital silence, so that every hop completes a window, the first one too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.errors import UsageError
from realtime.frontend import FrontEnd, finish_window

Array = NDArray[np.float32]

FLOOR_DB = -120.0  # level of digital silence
STATEFUL_TAIL_S = 0.5  # silence after the end for a model that sees no windows


def true_hop_s(card: Card, hop_s: float) -> float:
    """Seconds between decisions when so many are asked for: whole rows of the window.

    Raises:
        UsageError: `hop_s` does not fit the model.
    """
    unit, _, step = _sizes(card, hop_s)
    return step * unit / card.rate


class Window:
    """The model's window, which rolls on by one hop.

    Args:
        card: its sizes.
        hop_s: seconds between decisions, or None for the card's.

    Attributes:
        seconds: length of the window.
        hop: samples between decisions.
        tail_hops: hops of silence after the end of an input, until no window holds more than
            one hop of its sound.

    Raises:
        UsageError: `hop_s` does not fit the model.
    """

    def __init__(self, card: Card, hop_s: float | None) -> None:
        spec = card.input.features
        unit, rows, step = _sizes(card, hop_s)
        self.seconds = rows * unit / card.rate
        self.hop = step * unit  # samples
        tail = round(STATEFUL_TAIL_S * card.rate) if card.states else (rows - step) * unit
        self.tail_hops = -(-tail // self.hop)
        self._step = step
        self._spec = spec
        self._front = FrontEnd(spec) if spec is not None else None
        self._rows = np.zeros((rows, spec.width) if spec is not None else rows, np.float32)

    def reset(self) -> None:
        """Start after silence: all rows but those of the first hop."""
        self._rows[:] = 0.0
        if self._front is None or self._spec is None:
            return
        self._front.reset()
        spec = self._spec
        keep = len(self._rows) - self._step
        # a few frames more than are kept: with `center` the first need a whole FFT of samples
        before = (keep + 1 + spec.fft // spec.hop) * spec.hop
        # and what makes every later hop complete its own frames, neither more nor fewer
        before += max(0, self._front.delay - spec.hop)
        frames = self._front.push(np.zeros(before, np.float32))
        if keep:
            self._rows[-keep:] = frames[-keep:]

    def push(self, hop: Array) -> Array:
        """Roll on by one hop of samples; the window for the runner."""
        new = hop if self._front is None else self._front.push(hop)
        if len(new) != self._step:
            raise ValueError(f"{len(new)} rows in a hop of {self._step}")
        self._rows[: -self._step] = self._rows[self._step :]
        self._rows[-self._step :] = new
        if self._spec is None:
            return self._rows
        return finish_window(self._spec, self._rows)


def level_db(audio: Array) -> float:
    """RMS of samples in dBFS, no lower than `FLOOR_DB`."""
    power = float(np.dot(audio, audio)) / max(1, len(audio))
    return max(FLOOR_DB, 10.0 * float(np.log10(power))) if power > 0.0 else FLOOR_DB


def _sizes(card: Card, hop_s: float | None) -> tuple[int, int, int]:
    """Samples in a row, rows of a window, rows of a hop."""
    spec = card.input.features
    unit = spec.hop if spec is not None else 1
    rows = card.window_frames if spec is not None else round(card.window_s * card.rate)
    asked = card.hop_s if hop_s is None else hop_s
    step = max(1, round(asked * card.rate / unit))
    if step > rows or (card.states and step != rows):
        raise UsageError(
            f"a hop of {asked:g} s does not fit model {card.name}",
            f"use {card.hop_s:g} s" if card.states else f"use up to {card.window_s:g} s",
        )
    return unit, rows, step
