"""Where `rt-panel` begins."""

from __future__ import annotations

from realtime.start import Program

rt_panel = Program("gui.command")
