"""Where `rt-train` and `rt-eval` begin."""

from __future__ import annotations

from realtime.start import started

rt_train = started("train.command")
rt_eval = started("train.evaluate")
