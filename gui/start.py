"""Where `rt-panel` begins."""

from __future__ import annotations

from realtime.start import started

rt_panel = started("gui.command")
