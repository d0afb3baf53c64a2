"""The lesson: from recordings of wanted sounds to a layer and its thresholds.

Called by `realtime.commands.tag_learn`. The network hears the examples, once; everything after
that is done with embeddings. Recordings are left out in turn: a layer is fitted to the others,
its threshold set on the hours of other sounds, and whether it finds what was left out is noted.
The layer that is kept is fitted to all. Every chance comes from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.errors import AudioError
from realtime.learn.examples import Clip
from realtime.learn.hearing import Progress, Silent
from realtime.wake.counting import DAY_H, HOP_S
from realtime.wake.ears import Ears
from realtime.wake.head import Layer
from realtime.wake.hours import Hours, to_bytes
from realtime.wake.label import FOLDS, Found, Label
from realtime.wake.memory import Example, Memory
from realtime.wake.occurrences import Occurrence, Shower, find

Floats = NDArray[np.float32]

FEWEST: Final = 3  # examples of a label
WINDOWS: Final = (6, 24)  # of an example, at least and at most
ALL_WINDOWS: Final = 1200  # of a label, about
AROUND_S: Final = 0.3  # of the recording, kept around the sound


class Learned(msgspec.Struct):
    """What came of a lesson.

    Attributes:
        layer: logits for the file: 0 is the threshold of each label.
        memory: all examples, old and new.
        found: of each label.
    """

    layer: Layer
    memory: Memory
    found: list[Found]


def hear(
    clips: Sequence[tuple[str, Clip]],
    ears: Ears,
    hours: Hours,
    seed: int,
    progress: Progress | None = None,
) -> list[Example]:
    """Let the network hear recordings.

    Args:
        clips: label and recording; an empty label is what shall not be found.
        ears: the network.
        hours: for its directions.
        seed: of all chance.
        progress: who is told how far it is.
    """
    told = progress or Silent()
    room = [clip.audio for label, clip in clips if not label]
    sounds = [
        (label, clip.digest, one)
        for label, clip in clips
        for one in (find(clip.audio, ears.rate) if label else [_whole(clip)])
    ]
    numbers = {label: sum(n == label for n, _, _ in sounds) for label, _, _ in sounds}
    told.begin("listening", len(sounds))
    shower = Shower(ears.samples, ears.rate, room, seed)
    least, most = WINDOWS
    windows = {
        label: min(most, max(least, ALL_WINDOWS // number)) if label else 0
        for label, number in numbers.items()
    }
    streams = ears.stream_all((_around(one, ears.rate) for _, _, one in sounds), HOP_S)
    shown = ears.embed_all(w for n, _, one in sounds for w in shower.draw(one, windows[n]))
    found = []
    for (label, digest, one), stream in zip(sounds, streams, strict=True):
        turned = to_bytes(hours.space.of(stream))
        teach = [to_bytes(hours.space.of(next(shown))) for _ in range(windows[label])]
        seconds = (one.end - one.begin) / ears.rate
        found.append(
            Example(label, digest, turned, np.stack(teach) if teach else turned, seconds)
        )
        told.step()
    return found


def learn(
    memory: Memory,
    hours: Hours,
    per_day: float,
    seed: int,
    progress: Progress | None = None,
) -> Learned:
    """Learn a layer from examples that were heard.

    Args:
        memory: all of them.
        hours: the shipped sounds.
        per_day: false alarms that are put up with in a day of such sounds.
        seed: of all chance.
        progress: who is told how far it is.

    Raises:
        AudioError: too few examples of a label.
    """
    told, labels = progress or Silent(), memory.labels
    for label in labels:
        have = sum(e.label == label for e in memory.examples)
        if have < FEWEST:
            raise AudioError(
                f"{have} {'example' if have == 1 else 'examples'} of {label}, and {FEWEST} is "
                "the least",
                "record it more often; ten times, as different as it gets, is good",
            )
    told.begin("learning", len(labels) * (FOLDS + 1))
    found: list[Found] = []
    rows, biases = [], []
    for label in labels:
        judge = Label(label, memory.examples, hours, per_day / DAY_H, seed)
        one, row, bias = judge.learn(told)
        found.append(one)
        rows.append(row)
        biases.append(bias)
    layer = Layer(np.stack(rows), np.array(biases, np.float32))
    return Learned(layer, memory, found)


def _whole(clip: Clip) -> Occurrence:
    return Occurrence(clip.audio, 0, len(clip.audio))


def _around(one: Occurrence, rate: int) -> Floats:
    """The sound with a little of its recording on both sides."""
    around = round(AROUND_S * rate)
    return one.recording[max(0, one.begin - around) : one.end + around]
