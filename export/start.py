"""Where `rt-export` begins."""

from __future__ import annotations

from realtime.start import Program

rt_export = Program("export.command")
