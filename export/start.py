"""Where `rt-export` begins."""

from __future__ import annotations

from realtime.start import started

rt_export = started("export.command")
