"""`Picture`: a file that matplotlib draws, whole or not at all. For all that `--plot` makes.

matplotlib is imported when the first picture is asked for, and drawn without a window.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime.errors import MissingExtra, UsageError
from realtime.outputs.replace import Replacement, fault


class Picture:
    """A picture to be drawn; what is wrong with its name is said before any work is done.

    Args:
        path: the file; its suffix says which kind (png, pdf, svg).

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: a kind of picture that matplotlib does not write.
        OutputError: the file cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
        except ImportError as e:
            hint = "pipx inject rt-tag matplotlib"
            raise MissingExtra(f"--plot needs matplotlib ({e})", hint) from e
        self._kind = Path(path).suffix.lstrip(".").lower() or "png"
        kinds = FigureCanvasAgg.get_supported_filetypes()
        if self._kind not in kinds:
            raise UsageError(
                f"--plot {path}: no picture of kind {self._kind}",
                f"use {', '.join(sorted(kinds))}",
            )
        self._replacement = Replacement(path)

    def draw(self, inches: tuple[float, float], dpi: int, paint: Callable[[Any], None]) -> None:
        """Let `paint` fill a matplotlib Figure of this size, and keep it under its name.

        Raises:
            OutputError: it cannot be written. Whatever is raised, nothing is left behind.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=inches, dpi=dpi, layout="constrained")
        FigureCanvasAgg(figure)
        try:
            paint(figure)
            with warnings.catch_warnings():
                # text in a script that the font lacks is drawn as boxes, not complained about
                warnings.filterwarnings("ignore", message="Glyph")
                figure.savefig(self._replacement.temporary, format=self._kind)
        except OSError as e:
            self._replacement.discard()
            raise fault(self._replacement.path, e) from e
        except BaseException:
            self._replacement.discard()
            raise
        self._replacement.commit()

    def discard(self) -> None:
        """No picture after all."""
        self._replacement.discard()
