"""Holding back a part of the examples, before anything else is done with them.

Used by `realtime.learn.lesson`. Whole files are held back where there are enough, so that what
is judged are other takes, kits or rooms than those learned; otherwise the last part of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from realtime.gate.ideal import HOPS_PER_S, hop_levels
from realtime.learn.examples import Clip, judge

FEWEST_FILES = 4  # from which on whole files are held back
TRIES = 64  # ways of choosing them
NEAR = 0.6  # held back is at least this part of what was asked for, and at most 1 over it
PAUSE_HOPS = 10  # a cut is made in the quietest so many hops
AROUND = 0.1  # of the length, to either side of where the cut should be


def hold_back(
    clips: Sequence[Clip], share: float, rng: np.random.Generator, rate: int
) -> tuple[list[Clip], list[Clip], str]:
    """Part the recordings of one side.

    Args:
        clips: all of them.
        share: of the seconds with sound that is held back.
        rng: chooses the files.
        rate: Hz.

    Returns:
        What is kept for learning, what is held back, and how: "files" or "time".
    """
    if len(clips) >= FEWEST_FILES:
        held = _choose(np.array([c.active_s for c in clips]), share, rng)
        if held is not None:
            kept = [c for i, c in enumerate(clips) if i not in held]
            return kept, [clips[i] for i in sorted(held)], "files"
    first: list[Clip] = []
    last: list[Clip] = []
    for clip in clips:
        cut = _pause(clip, 1.0 - share, rate)
        for part, audio in ((first, clip.audio[:cut]), (last, clip.audio[cut:])):
            piece = judge(clip.name, audio, rate)
            if piece.active_s > 0.0:
                part.append(piece)
    return first, last, "time"


def _choose(active: np.ndarray, share: float, rng: np.random.Generator) -> set[int] | None:
    """Files with about that share of the sound; None if their lengths allow no such choice."""
    wanted = share * active.sum()
    for _ in range(TRIES):
        chosen: set[int] = set()
        have = 0.0
        for i in rng.permutation(len(active)).tolist():
            if have + active[i] / 2 > wanted and chosen:
                break
            chosen.add(i)
            have += float(active[i])
        if NEAR * wanted <= have <= wanted / NEAR and len(chosen) < len(active):
            return chosen
    return None


def _pause(clip: Clip, at: float, rate: int) -> int:
    """The sample near that part of a recording where it is quietest."""
    levels = hop_levels(clip.audio, rate)
    middle, around = round(at * len(levels)), round(AROUND * len(levels))
    first, last = max(0, middle - around), min(len(levels), middle + around + 1)
    power = np.convolve(10.0 ** (levels / 10.0), np.ones(PAUSE_HOPS), "same")[first:last]
    hop = first + int(power.argmin()) if len(power) else middle
    return round(hop * rate / HOPS_PER_S)
