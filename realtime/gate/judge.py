"""`Judge`: one score at each decision in, open or closed out, and why.

Used by `realtime.gate.stream` and by the worker of `realtime.duplex`. It is the gate's like of
`realtime.decide`, for one score and with a hold:

- closed, and the score reaches the threshold: it opens. With a `confirm_score` over the
  threshold it does so only if the score reaches that as well, or the one before was over the
  threshold, too: so a click, which is over in one hop, does not open it.
- open, and the score is under `threshold - hysteresis`, though never under half of the
  threshold, as `decide` has it: it closes, unless the score was not under that line within the
  last `hold_ms`, or the opening is younger than `min_open_ms`.

Times are samples at the sound's rate; nothing here knows of look-ahead.
"""

from __future__ import annotations

import msgspec


class Turn(msgspec.Struct, frozen=True):
    """The gate opens or closes.

    Args:
        open: which.
        score: the score that decided.
        reason: why, for people; empty for a closing.
    """

    open: bool
    score: float
    reason: str = ""


class Judge:
    """Open or closed, from scores. The settings may be changed between two decisions.

    Args:
        rate: Hz of the sound.
        threshold: score at which it opens.
        hysteresis: it closes when the score is so much under the threshold.
        hold_ms: stays open for so long after the score was last over the closing line.
        min_open_ms: an opening lasts at least so long.
        confirm_score: score at which it opens without another one before; 0 is off.

    Attributes:
        open: what was decided last.
        close_under: the line under which it closes.
    """

    def __init__(
        self,
        rate: int,
        threshold: float,
        hysteresis: float = 0.0,
        hold_ms: float = 0.0,
        min_open_ms: float = 0.0,
        confirm_score: float = 0.0,
    ) -> None:
        self.rate = rate
        self.threshold = threshold
        self.hysteresis = hysteresis
        self.hold_ms = hold_ms
        self.min_open_ms = min_open_ms
        self.confirm_score = confirm_score
        self.reset()

    @property
    def close_under(self) -> float:
        """A score under this line closes."""
        return max(self.threshold - self.hysteresis, self.threshold / 2)

    def reset(self) -> None:
        """Closed, and no memory."""
        self.open = False
        self._opened = 0
        self._asked = 0  # the last decision that was not under the closing line
        self._over = False  # the last score was over the threshold

    def update(self, score: float, at: int) -> Turn | None:
        """Take a decision's score.

        Args:
            score: p(open), 0 to 1.
            at: samples heard, as `realtime.gate.grid.due` says.

        Returns:
            The turn, or None if all stays as it is.
        """
        before, self._over = self._over, score >= self.threshold
        if not self.open:
            if not self._over or not (before or score >= self.confirm_score):
                return None
            self.open = True
            self._opened = self._asked = at
            return Turn(True, score, reason(score, self.threshold))
        if score >= self.close_under:
            self._asked = at
            return None
        if (at - self._asked) * 1000 < self.hold_ms * self.rate:
            return None
        if (at - self._opened) * 1000 < self.min_open_ms * self.rate:
            return None
        self.open = False
        return Turn(False, score)


def reason(score: float, threshold: float) -> str:
    """Why the learned gate opens: "score 0.83 over 0.50".

    A score that is rounded to the threshold is shown with as many decimals as tell them apart.
    """
    for decimals in range(2, 7):
        said, line = f"{score:.{decimals}f}", f"{threshold:.{decimals}f}"
        if said != line:
            return f"score {said} over {line}"
    return f"score {score:.2f} at {threshold:.2f}"


def level_reason(level_db: float, threshold_db: float) -> str:
    """Why the level gate opens: "level -31.5 dB over -40.0 dB"."""
    return f"level {level_db:.1f} dB over {threshold_db:.1f} dB"
