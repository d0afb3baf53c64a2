"""`Work`: the gate's share of a processor core, from what it says of its own time."""

from __future__ import annotations

from typing import Any

OVER_S = 2.0


class Work:
    """Watches processor seconds.

    Attributes:
        share: of one core, over the last seconds; None where nothing is known.
    """

    def __init__(self) -> None:
        self.share: float | None = None
        self._since: tuple[float, float] | None = None

    def take(self, state: dict[str, Any]) -> None:
        """Take a state of the gate."""
        if isinstance(state.get("cpu_pct"), (int, float)):
            self.share = float(state["cpu_pct"]) / 100.0
            return
        now, spent = float(state.get("t", 0.0)), float(state.get("sound_cpu_s", 0.0))
        if self._since is None or now < self._since[0]:
            self._since = now, spent
        elif now - self._since[0] >= OVER_S:
            self.share = max(0.0, (spent - self._since[1]) / (now - self._since[0]))
            self._since = now, spent
