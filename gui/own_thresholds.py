"""`OwnThresholds`: those that a person set, by model and label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realtime.card import Card


class OwnThresholds:
    """Kept by the model's name: a file may move."""

    def __init__(self) -> None:
        self._own: dict[str, dict[str, float]] = {}

    def of(self, model: str) -> dict[str, float]:
        """Those of a model, by label; a copy."""
        return dict(self._own.get(Path(model).stem, {}))

    def put(self, model: str, label: str, threshold: float | None) -> None:
        """Set one, or give back the model's own."""
        own = self._own.setdefault(Path(model).stem, {})
        if threshold is None:
            own.pop(label, None)
        else:
            own[label] = threshold

    def in_force(self, model: str, card: Card) -> dict[str, float]:
        """The threshold of every label of a model."""
        own = self.of(model)
        return {label: own.get(label, card.threshold(label)) for label in card.labels}

    def save(self) -> dict[str, dict[str, float]]:
        """What `restore` wants back; JSON."""
        return self._own

    def restore(self, kept: Any) -> None:
        """Take it back, as far as it makes sense."""
        self._own = {
            str(model): {str(k): float(v) for k, v in values.items() if _is_share(v)}
            for model, values in (kept.items() if isinstance(kept, dict) else ())
            if isinstance(values, dict)
        }


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0.0 <= value <= 1.0
