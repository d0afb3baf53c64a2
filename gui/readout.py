"""`Readout`: delay, work, lateness and losses of the gate, in plain words."""

from __future__ import annotations

import time
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from gui.i18n import later, tr, trn

CALM_S = 30.0
GOOD, BAD = "✓", "!"  # not by colour alone


class Readout(QFrame):
    """Four sentences, each with a mark: all is well, or something wants attention."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        self.setAccessibleName(tr("How the gate does"))
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 12, 8)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        self._rows: list[tuple[QLabel, QLabel]] = []
        for row in range(4):
            mark, text = QLabel(), QLabel()
            mark.setFixedWidth(14)
            mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
            text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            text.setMinimumWidth(150)
            grid.addWidget(mark, row, 0)
            grid.addWidget(text, row, 1)
            self._rows.append((mark, text))
        self._trouble: dict[int, tuple[str, float]] = {}  # words, and since when they stand
        self.show_nothing()

    def show_nothing(self) -> None:
        """No gate runs."""
        for row in range(4):
            self._say(row, "", "–", "")

    def show_state(self, state: dict[str, Any], work: float | None) -> None:
        """Show a gate.

        Args:
            state: fields of `LiveState`.
            work: share of one core that it takes; None where that is not known.
        """
        delay = state.get("latency_ms", 0.0)
        self._say(
            0,
            GOOD,
            tr("Adds {ms} ms", ms=f"{delay:.1f}"),
            tr("How much later sound comes out because of the gate."),
        )
        if work is None:
            self._say(1, "", "–", "")
        else:
            self._say(
                1,
                GOOD if work < 0.5 else BAD,
                tr("Uses {n} % of one core", n=f"{100 * work:.0f}" if work >= 0.01 else "< 1"),
                tr("The gate's share of one processor core."),
            )
        self._say(2, *self._calm(2, *_late(state)))
        self._say(3, *self._calm(3, *_lost(state)))

    def _calm(self, row: int, sign: str, words: str, help_text: str) -> tuple[str, str, str]:
        """Trouble that has not grown for a while is told without a warning."""
        now = time.monotonic()
        known, since = self._trouble.get(row, ("", now))
        if words != known:
            self._trouble[row] = words, now
        elif sign == BAD and now - since > CALM_S:
            return "", tr("{words}, none lately", words=words), help_text
        return sign, words, help_text

    def sentences(self) -> list[str]:
        """What it says."""
        return [text.text() for _, text in self._rows]

    def _say(self, row: int, sign: str, words: str, help_text: str) -> None:
        mark, text = self._rows[row]
        if text.text() == words and mark.text() == sign:
            return
        mark.setText(sign)
        text.setText(words)
        text.setToolTip(f"{words}. {help_text}" if help_text else "")
        kind = {GOOD: "good", BAD: "warn"}.get(sign, "dim")
        for label in (mark, text):
            wanted = kind if label is mark or kind == "warn" else ""
            if label.property("kind") != wanted:
                label.setProperty("kind", wanted)
                style = label.style()
                if style is not None:
                    style.polish(label)


def _late(state: dict[str, Any]) -> tuple[str, str, str]:
    if state.get("overloaded"):
        return BAD, tr("Too slow: by level now"), tr(LATE)
    n = state.get("overloads", 0)
    if n:
        seconds = f"{state.get('overload_s', 0.0):.1f}"
        text = trn("Late once, {s} s", "Late {n} times, {s} s", n, s=seconds)
        return BAD, text, tr(LATE)
    n = state.get("tardy", 0)
    if n:
        words = trn("Just in time once", "Just in time {n}×", n)
        return "", words, tr("Openings that began some milliseconds after their place.")
    return GOOD, tr("Always in time"), tr("Every decision came before its sound had to go out.")


def _lost(state: dict[str, Any]) -> tuple[str, str, str]:
    rate = state["heard"] / state["t"] if state.get("t") else 0.0
    lost = state.get("dropped", 0) / rate if rate else 0.0
    gaps = max(state.get("overflows", 0), state.get("underflows", 0)) + state.get("slips", 0)
    if lost >= 0.05:
        words = tr("{s} s of sound lost", s=f"{lost:.1f}")
        return BAD, words, tr("A device was away for so long.")
    if gaps:
        words = trn("One short gap", "{n} short gaps", gaps)
        return BAD, words, tr("The sound driver missed so many blocks. A larger block helps.")
    return GOOD, tr("Nothing lost"), tr("Every sample that came in was heard.")


LATE = later(
    "Decisions came too late for so long; the level gate served. Close other programs."
)
