"""Where `rt-train` and `rt-eval` begin."""

from __future__ import annotations

from realtime.start import Program

rt_train = Program("train.command")
rt_eval = Program("train.evaluate")
