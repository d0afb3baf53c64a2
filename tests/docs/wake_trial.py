"""What tests/docs/make_wake.py and wake_same.py share: what is heard, learned and counted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from make_hours import Piece, stretches
from numpy.typing import NDArray

from realtime.learn.examples import Clip, read_clip
from realtime.wake.counting import HOP_S, between, height, heights, threshold_for
from realtime.wake.hours import Hours, from_bytes, hours_of, read_hours, to_bytes
from realtime.wake.label import Label, logits_of
from realtime.wake.lesson import hear
from realtime.wake.memory import Example
from realtime.wake.model_file import read_model
from train.manifest import read_manifest, whole_of

COUNTS: Final = (3, 5, 10, 20)
WORDS: Final = ("happy", "eight")
PER_DAY: Final = 12.0
SEED: Final = 1
CLIP_S: Final = 20.0
WHO: Final = ("ours", "centroid")

Floats = NDArray[np.float32]
Score = Callable[[Floats], Floats]


class Trial:
    """The network, the shipped hours, and sounds that neither of them knows.

    Args:
        model: the network's file.
        hours: another file than the shipped hours.
        manifest: of recordings; false alarms are counted in those of its part "test".
        root: their folder.
        part: another part.
    """

    def __init__(
        self, model: Path, hours: Path | None, manifest: Path, root: Path, part: str = "test"
    ) -> None:
        self.root, self.manifest = root, manifest
        self.ears = read_model(model).ears
        self.hours = read_hours(hours) if hours else hours_of(self.ears.digest)
        self._found: dict[Path, list[Example]] = {}
        self._unknown = self._unknown_sounds(part)

    @property
    def unknown_h(self) -> float:
        """Hours of unknown sounds."""
        return sum(map(len, self._unknown)) * HOP_S / 3600.0

    def of(self, path: Path, label: str) -> list[Example]:
        """The examples in a recording, once for all draws."""
        if path not in self._found:
            clip = read_clip(path, self.ears.rate, CLIP_S)
            clip.digest = clip.digest or path.name
            self._found[path] = self.heard(label, [clip])
        return self._found[path]

    def heard(self, label: str, clips: list[Clip]) -> list[Example]:
        """The examples in recordings."""
        return hear([(label, clip) for clip in clips], self.ears, self.hours, seed=SEED)

    def streams(self, sounds: Iterable[Floats]) -> list[Floats]:
        """Windows of sounds in the directions of the hours."""
        found = self.ears.stream_all(sounds, HOP_S)
        return [from_bytes(to_bytes(self.hours.space.of(stream))) for stream in found]

    def compare(
        self, name: str, examples: list[Example], sought: list[list[Floats]]
    ) -> dict[str, Any]:
        """What is learned, and the nearest centroid, on groups of what is to be found."""
        label = Label(name, examples, self.hours, PER_DAY / 24.0, SEED)
        row, at = label.settled()
        middle, near = centroid(examples, self.hours)
        return {
            "alike": label.alike,
            "ours": self._judged(at, lambda x: logits_of(row, x), sought),
            "centroid": self._judged(near, lambda x: x @ middle, sought),
        }

    def _judged(self, at: float, score: Score, sought: list[list[Floats]]) -> dict[str, Any]:
        """What is found of each group at a threshold, and false alarms."""
        found = [sum(height(score(one)) >= at for one in group) for group in sought]
        false = sum(h >= at for stream in self._unknown for h, _ in heights(score(stream)))
        return {"found": found, "sought": [len(g) for g in sought], "false": int(false)}

    def _unknown_sounds(self, part: str) -> list[Floats]:
        """Stretches of what nobody knows."""
        pieces = {}
        for row in read_manifest(self.manifest):
            file = whole_of(row.file)
            if row.split == part and row.role != "room" and file.split("/")[1] not in WORDS:
                pieces[file] = Piece(file, "", heard=False)
        every = list(pieces.values())
        every = [every[i] for i in np.random.default_rng(SEED).permutation(len(every))]
        print(f"{len(every)} recordings of the part {part}", file=sys.stderr)
        found = stretches(every, self.root, [""], self.ears.rate)
        return self.streams(sound for sound, _, _ in found)


def centroid(examples: list[Example], hours: Hours) -> tuple[Floats, float]:
    """The mean of the examples' windows; the threshold of its cosine, by the same rule."""
    means = np.stack([from_bytes(e.windows).mean(axis=0) for e in examples])
    whole = means.sum(axis=0)
    own = [
        height(e.heard @ unit(whole - mean)) for e, mean in zip(examples, means, strict=True)
    ]
    middle = unit(whole)
    scores = from_bytes(hours.counting) @ middle
    found = sorted((h for p in hours.stretches() for h, _ in heights(scores[p])), reverse=True)
    rate, counted = PER_DAY / 24.0, hours.seconds / 3600.0
    at = threshold_for(rate, found, counted)
    return middle, between(at, found, own, rate * counted)


def unit(x: Floats) -> Floats:
    """Of length 1."""
    out: Floats = x / np.linalg.norm(x)
    return out
