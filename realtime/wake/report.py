"""What a lesson is summed up as: a dictionary for programs, a table and sentences of advice.

Used by `realtime.commands.tag_learn`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from realtime.card import Card
from realtime.wake.counting import (
    DAY_H,
    HOP_S,
    THRESHOLD,
    binomial_interval,
    decision,
    poisson_interval,
)
from realtime.wake.hours import Hours
from realtime.wake.label import Found
from realtime.wake.lesson import Learned
from realtime.wake.memory import Memory
from realtime.wake.model_file import OTHER, SCORES

GOOD_MISSES: Final = 0.2  # share of the examples that may be missed without a word
ENOUGH: Final = 8  # recordings from which on more of them are not the first thing to ask for
ROOM_S: Final = 120.0  # of what shall not be found
HEAD: Final = ("", "missed, of those left out", "false alarms", "an hour (95 %)", "in yours")
OWN: Final = "your own recordings"


def summary(learned: Learned, hours: Hours, per_day: float) -> dict[str, Any]:
    """Figures and advice, plain."""
    return {
        "labels": {one.label: facts(one, learned.memory) for one in learned.found},
        "closed_s": round(closed_s(learned.memory), 1),
        "shipped_h": round(hours.seconds / 3600.0, 2),
        "false_alarms_per_day_asked": per_day,
        "advice": [text for one in learned.found for text in advise(one, learned.memory)],
    }


def facts(one: Found, memory: Memory) -> dict[str, Any]:
    """Figures of one label."""
    examples = [memory.examples[i] for i in one.examples]
    missed, count = missed_of(one)
    low, high = poisson_interval(one.events)
    return {
        "recordings": len({e.recording for e in examples}),
        "examples": count,
        "sound_s": round(sum(e.seconds for e in examples), 1),
        "missed": missed,
        "missed_pct": round(100.0 * missed / count, 1),
        "missed_pct_95": [round(100.0 * x, 1) for x in binomial_interval(missed, count)],
        "false_alarms": {
            "events": one.events,
            "hours": round(one.hours, 2),
            "per_hour": round(one.events / one.hours, 2),
            "per_hour_95": [round(low / one.hours, 2), round(high / one.hours, 2)],
            "per_day": round(DAY_H * one.events / one.hours, 1),
            "per_day_95": [round(DAY_H * x / one.hours, 1) for x in (low, high)],
        },
        "closed_events": sum(_of(one, memory, closed=True)),
        "other_labels_events": sum(_of(one, memory, closed=False)),
        "left_out_as_alike": one.alike,
        "nearest": one.near,
    }


def missed_of(one: Found, only: set[int] | None = None) -> tuple[int, int]:
    """How many examples were missed when they were left out, and of how many."""
    margins = [
        m for m, i in zip(one.margins, one.examples, strict=True) if only is None or i in only
    ]
    return sum(bool(m < 0.0) for m in margins), len(margins)


def _of(one: Found, memory: Memory, *, closed: bool) -> list[int]:
    """Events in what shall not be found at all, or in what other labels are for."""
    pairs = zip(one.false, one.others, strict=True)
    return [n for n, i in pairs if (memory.examples[i].label == "") == closed]


def closed_s(memory: Memory) -> float:
    """Seconds that were shown of what shall not be found."""
    return sum(e.seconds for e in memory.examples if not e.label)


def table(learned: Learned) -> list[list[str]]:
    """The figures as rows of cells."""
    rows = [list(HEAD)]
    room = closed_s(learned.memory)
    for one in learned.found:
        f = facts(one, learned.memory)
        low, high = f["missed_pct_95"]
        false = f["false_alarms"]
        least, most = false["per_hour_95"]
        rows.append(
            [
                one.label,
                f"{f['missed']} of {f['examples']} ({low:.0f} to {high:.0f} %)",
                f"{false['events']} in {one.hours:.1f} h",
                f"{false['per_hour']:.1f} ({least:.1f} to {most:.1f})",
                f"{f['closed_events']} in {room / 60.0:.1f} min" if room else "none given",
            ]
        )
    return rows


def advise(one: Found, memory: Memory) -> list[str]:
    """What to do about a label, the most urgent first; nothing if it is good."""
    said, room = [], closed_s(memory)
    missed, count = missed_of(one)
    recordings = len({memory.examples[i].recording for i in one.examples})
    false = sum(_of(one, memory, closed=True))
    if one.alike:
        said.append(
            f"{one.label}: the shipped sounds have the same ({', '.join(one.alike)}); these "
            "count for nothing"
        )
    if missed > GOOD_MISSES * count:
        if recordings < ENOUGH:
            text = (
                f"record it {ENOUGH + 4 - recordings} times more, near and far, loud and soft"
            )
        else:
            near = " and ".join(one.near[:2]) or "other sounds"
            text = (
                f"it is too much like {near}: a longer or rarer sound does better, or put up "
                "with more false alarms (--false-alarms-per-day)"
            )
        said.append(f"{one.label}: {missed} of {count} missed: {text}")
    if false:
        said.append(
            f"{one.label}: {false} false alarm{'s' * (false > 1)} in what shall not be found: "
            "see that the sound is not in these recordings, and record more of what it is "
            "taken for"
        )
    if not room:
        said.append(
            "give --closed: some minutes of the room without the sound, with talk, radio and "
            "dishes"
        )
    elif room < ROOM_S:
        said.append(f"--closed has {room:.0f} s: some minutes would tell more")
    return said


def card_of(
    old: Card,
    name: str,
    learned: Learned,
    hours: Hours,
    recipe: dict[str, Any],
    measured: list[dict[str, Any]],
) -> Card:
    """The card of a learned model."""
    trained = [OWN, *(t for t in (*old.trained_on, *hours.trained_on) if t != OWN)]
    return msgspec.structs.replace(
        old,
        name=name,
        hop_s=HOP_S,
        labels=(*learned.memory.labels, OTHER),
        thresholds={"default": THRESHOLD},
        scores="logit",
        output=SCORES,
        decision=decision(OTHER),
        trained_on=tuple(dict.fromkeys(trained)),
        measured=tuple(measured),
        recipe=recipe,
    )


def measured_of(learned: Learned, command: str) -> list[dict[str, Any]]:
    """For the card."""
    said = []
    for one in learned.found:
        f = facts(one, learned.memory)
        false = f["false_alarms"]
        least, most = false["per_hour_95"]
        said.append(
            {
                "figure": f"{one.label}: {f['missed']} of {f['examples']} missed",
                "data": "the examples, each judged by a model that did not learn its recording",
                "command": command,
            }
        )
        said.append(
            {
                "figure": f"{one.label}: {false['per_hour']:.2f} false alarms an hour "
                f"({least:.2f} to {most:.2f}, 95 %)",
                "data": f"{one.hours:.1f} h of shipped sounds, half of which set the threshold "
                "for the other half",
                "command": command,
            }
        )
    return said


def compare(before: Learned, after: Learned) -> dict[str, Any]:
    """What became of the old examples: counts of those missed, each left out in its turn.

    The old ones come first in the memory of both.
    """
    old = set(range(len(before.memory.examples)))
    told: dict[str, Any] = {}
    for was in before.found:
        now = next(one for one in after.found if one.label == was.label)
        room = {i for i in old if not before.memory.examples[i].label}
        events = [
            sum(n for n, i in zip(one.false, one.others, strict=True) if i in room)
            for one in (was, now)
        ]
        told[was.label] = {
            "examples": missed_of(was)[1],
            "missed_before": missed_of(was)[0],
            "missed_after": missed_of(now, old)[0],
            "closed_events_before": events[0],
            "closed_events_after": events[1],
            "false_alarms_per_hour_before": round(was.events / was.hours, 2),
            "false_alarms_per_hour_after": round(now.events / now.hours, 2),
        }
    return told


def worse(told: dict[str, Any]) -> list[str]:
    """What got worse, in sentences."""
    said = []
    for label, f in told.items():
        if f["missed_after"] > f["missed_before"]:
            counts = (
                f"{f['missed_after']} of {f['examples']} missed, {f['missed_before']} before"
            )
            said.append(
                f"{label} got worse on the old examples: {counts}; keep the old model, unless "
                "the new examples matter more"
            )
        if f["closed_events_after"] > f["closed_events_before"]:
            said.append(
                f"{label} makes {f['closed_events_after']} false alarms in the old recordings "
                f"of the room, {f['closed_events_before']} before"
            )
    return said
