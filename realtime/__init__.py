"""The edge engine: everything a small computer needs to name or gate sound, without torch.

The public names are below; they are imported when they are first used, so `import realtime`
costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.card import Card
    from realtime.engine import Engine
    from realtime.errors import RtError
    from realtime.features import FeatureSpec
    from realtime.runners import open_runner

_HOMES = {
    "Card": "realtime.card",
    "Engine": "realtime.engine",
    "FeatureSpec": "realtime.features",
    "RtError": "realtime.errors",
    "open_runner": "realtime.runners",
}

__all__ = ["Card", "Engine", "FeatureSpec", "RtError", "open_runner"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'realtime' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
