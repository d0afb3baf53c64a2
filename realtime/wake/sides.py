"""What must be true of the examples before anything is learned from them.

Used by `realtime.commands.tag_learn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from realtime.errors import AudioError
from realtime.learn.examples import Side
from realtime.wake.memory import Memory

WANTED: Final = {
    "open": "three to twenty recordings of the sound, as different as it gets",
    "closed": "some minutes of the room without the sound",
}


def demand_consistent(sides: Mapping[str, Side], memory: Memory) -> None:
    """Refuse a recording that the model learned as something else, or that it knows already.

    Args:
        sides: recordings by label; those of no label are what it shall not find.
        memory: what it remembers.

    Raises:
        AudioError: so.
    """
    known = {e.recording: e.label for e in memory.examples}
    for label, side in sides.items():
        for clip in side.clips:
            if clip.digest not in known:
                continue
            before = known[clip.digest]
            if before != label:
                raise AudioError(
                    f"{clip.name} was learned as {before or '--closed'}",
                    "what it learned it cannot take back: learn anew from all examples, with "
                    "this one on the right side only",
                )
            side.skipped.append((clip.name, "is known already"))
        side.clips = [clip for clip in side.clips if clip.digest not in known]
    if not any(side.clips for side in sides.values()):
        raise AudioError(
            "the model knows all these recordings already", "give it some that it does not know"
        )
