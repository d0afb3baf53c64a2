"""What a lesson is summed up as: a dictionary for programs, a table and one sentence of advice.

Used by `realtime.commands.learn`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from realtime.card import Card, Decision
from realtime.learn.examples import Side
from realtime.learn.judging import Figures, Rule
from realtime.learn.lesson import Comparison, Learned
from realtime.learn.more import LearnedMore

POOR: Final = 0.25  # a cost from which on neither gate is good
LEVELS: Final = {
    "recorded": "as loud as recorded",
    "any": "softer and louder, one side -5 to 25 dB over the other",
}
HEAD: Final = ("", "onset cut", "", "missed", "open falsely", "target lost")


def advise(comparisons: list[Comparison], gate: str) -> tuple[str, str]:
    """Which gate to use without look-ahead: "learned", "level" or "either", and a sentence."""
    first = {c.levels: c for c in reversed(comparisons)}
    recorded, anyhow = first["recorded"], first["any"]
    here, there = _better(recorded), _better(anyhow)
    learned, level = f"rt-gate --model {gate}", f"rt-gate {recorded.settings.options()}"
    if here == "learned" or (here == "either" and there == "learned"):
        use = "learned"
        if there == "learned" and here == "learned":
            text = f"Use the learned gate, which is the better one at any level: {learned}"
        elif here == "learned":
            text = f"Use the learned gate, which is the better one at your levels: {learned}"
        else:
            text = (
                "Use the learned gate: at your very levels a level gate does as well, at "
                f"others it does not: {learned}"
            )
    elif here == "level":
        use = "level"
        text = f"Use a level gate, which is the better one at your levels: {level}"
        if there == "learned":
            text += f"; should levels change much, the learned one: {learned}"
    else:
        use = "either"
        text = f"They are as good as each other here, and a level gate is the simpler: {level}"
    chosen = recorded.level if use == "level" else recorded.learned
    if chosen.cost > POOR:
        text += " (neither is good yet: record more, and closer to the microphone)"
    return use, text


def _better(c: Comparison) -> str:
    low, high = c.worse
    return "learned" if low > 0.0 else "level" if high < 0.0 else "either"


def sides_of(sides: dict[str, Side], held: dict[str, str]) -> dict[str, Any]:
    """What was read of each side."""
    return {
        name: {
            "files": len(side.clips),
            "seconds": round(side.seconds, 1),
            "sound_s": round(side.active_s, 1),
            "held_back_by": held.get(name, ""),
            "skipped": [{"file": f, "reason": r} for f, r in side.skipped],
        }
        for name, side in sides.items()
    }


def summary(learned: Learned, gate: str) -> dict[str, Any]:
    """Figures and advice, plain."""
    use, advice = advise(learned.comparisons, gate)
    return {
        "told_apart": round(learned.apart, 4),
        "held_back": [
            {
                "levels": c.levels,
                "lookahead_ms": c.lookahead_ms,
                "learned": c.learned.to_dict(),
                "level": c.level.to_dict(),
                "level_settings": c.settings.to_dict(),
            }
            for c in learned.comparisons
        ],
        "use": use,
        "advice": advice,
    }


def table(learned: Learned) -> list[list[str]]:
    """The comparison as rows of cells; a row of one cell is a heading."""
    rows: list[list[str]] = [list(HEAD), ["", "median", "95 %", "", "in a minute", ""]]
    levels = ""
    for c in learned.comparisons:
        if c.levels != levels:
            levels = c.levels
            rows.append([LEVELS[levels]])
        ahead = f", {c.lookahead_ms:g} ms look-ahead" if c.lookahead_ms else ""
        rows.append([f"  learned gate{ahead}", *cells(c.learned)])
        rows.append([f"  level gate, tuned{ahead}", *cells(c.level)])
    return rows


def cells(f: Figures) -> list[str]:
    """The figures of one gate."""
    cut = f.onset_cut_ms
    return [
        _ms(cut["median"]),
        _ms(cut["p95"]),
        f"{f.missed} of {f.targets}",
        f"{f.false_open_s_per_min:.1f} s",
        f"{f.target_lost_pct:.1f} %" if f.target_lost_pct == f.target_lost_pct else "-",
    ]


def summary_more(more: LearnedMore) -> dict[str, Any]:
    """Figures of learning more, plain."""
    before, after = more.old
    return {
        "old_examples": {
            "before": _recall(before.lost_pct, before.false_pct, before.right_pct),
            "after": _recall(after.lost_pct, after.false_pct, after.right_pct),
            "worse": more.worse,
        },
        "new_examples": {"before": more.new[0].to_dict(), "after": more.new[1].to_dict()},
        "advice": advise_more(more),
    }


def advise_more(more: LearnedMore) -> str:
    """What became of the old examples and the new ones, in a sentence."""
    before, after = (r.right_pct for r in more.old)
    if more.worse:
        return (
            f"It got worse on what it had learned: right in {after:.1f} % of the moments, "
            f"{before:.1f} % before. Keep the old gate, unless the new examples matter more."
        )
    if more.new[1].cost > more.new[0].cost + 1e-9:
        return "The new examples did not help: keep the old gate."
    return (
        f"It kept what it had learned, right in {after:.1f} % of the moments, {before:.1f} % "
        "before."
    )


def table_more(more: LearnedMore) -> list[list[str]]:
    """Before and after as rows of cells; a row of one cell is a heading."""
    rows: list[list[str]] = [list(HEAD), ["", "median", "95 %", "", "in a minute", ""]]
    rows.append(["what was held back of the new examples"])
    for when, figures in zip(("before", "after"), more.new, strict=True):
        rows.append([f"  {when}", *cells(figures)])
    rows.append(["what was held back of the old ones"])
    for when, old in zip(("before", "after"), more.old, strict=True):
        false = f"{0.6 * old.false_pct:.1f} s"
        rows.append([f"  {when}", "", "", "", false, f"{old.lost_pct:.1f} %"])
    return rows


def card_of(
    old: Card,
    name: str,
    rule: Rule,
    recipe: dict[str, Any],
    measured: list[dict[str, Any]],
) -> Card:
    """The card of a learned gate."""
    trained = "your own recordings"
    own = [trained, *(t for t in old.trained_on if t != trained)]
    return msgspec.structs.replace(
        old,
        name=name,
        thresholds={"default": rule.threshold},
        decision=Decision(hysteresis=rule.hysteresis, min_duration_s=rule.min_open * old.hop_s),
        trained_on=tuple(own),
        measured=tuple(measured),
        recipe=recipe,
    )


def measured_of(comparisons: list[Comparison]) -> list[dict[str, Any]]:
    """For the card: the learned gate's figures."""
    return [
        {
            "figure": _said(c.learned),
            "data": f"held-back part of the examples, {LEVELS[c.levels]}, "
            f"{c.lookahead_ms:g} ms look-ahead",
            "command": "rt-gate learn",
        }
        for c in comparisons
    ]


def measured_more(more: LearnedMore) -> list[dict[str, Any]]:
    """For the card: the figures of a gate that learned more."""
    old = more.old[1]
    lost, false = f"{old.lost_pct:.1f} %", f"{old.false_pct:.1f} %"
    remembered = f"{lost} of the target lost, {false} of the rest open falsely"
    return [
        {
            "figure": figure,
            "data": f"held-back part of the {which} examples",
            "command": "rt-gate learn --from",
        }
        for figure, which in ((_said(more.new[1]), "new"), (remembered, "old"))
    ]


def _said(f: Figures) -> str:
    median, p95, missed, false, lost = cells(f)
    return (
        f"onset cut {median} (median), {p95} (95 %); {missed} missed; {false} in a minute open "
        f"falsely; {lost} lost"
    )


def _recall(lost: float, false: float, right: float) -> dict[str, float]:
    pairs = {"target_lost_pct": lost, "false_open_pct": false, "right_pct": right}
    return {k: round(v, 2) for k, v in pairs.items()}


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value == value else "-"
