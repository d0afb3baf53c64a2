"""What a lesson's report says, in the panel's words: which gate to use, and the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gui.i18n import tr

Rows = list[tuple[str, list[tuple[str, bool]]]]  # a name; texts, and which is better


def verdict(report: dict[str, Any]) -> tuple[str, str, bool]:
    """Which gate to use.

    Args:
        report: of `rt-gate learn --json`.

    Returns:
        A headline, a sentence or two more, and whether the new gate is worth keeping.
    """
    if "old_examples" in report:
        return _more(report)
    said = report["advice"]
    if report["use"] == "learned":
        head, good = tr("Your gate is the better one."), True
        if "at any level" in said:
            text = tr("It beats a level gate at the levels you recorded and at others.")
        elif "at your levels" in said:
            text = tr("It beats a level gate at the levels you recorded; at others they tie.")
        else:
            text = tr("At the levels you recorded a level gate does as well; at others not.")
    elif report["use"] == "level":
        head, good = tr("A level gate is the better one here."), False
        text = tr("At the levels you recorded it makes fewer mistakes than your gate.")
        if "should levels change" in said:
            text += " " + tr("Should levels change much, your gate is better.")
    else:
        head, good = tr("They are as good as each other here."), False
        text = tr("A level gate does the same, and is simpler.")
    if "neither is good yet" in said:
        text += " " + tr("Neither is good yet: record more, closer to the microphone.")
    return head, text, good


def columns(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Heads of the table of figures: who, and on what."""
    if "old_examples" in report:
        new = tr("new recordings")
        return [(tr("Before"), new), (tr("Now"), new)]
    recorded, other = tr("as recorded"), tr("softer, louder")
    return [
        (tr("Your gate"), recorded),
        (tr("Level gate"), recorded),
        (tr("Your gate"), other),
        (tr("Level gate"), other),
    ]


def figures(report: dict[str, Any]) -> Rows:
    """Rows of the table: what is counted, and for each column a text, and if it is better."""
    if "old_examples" in report:
        new = report["new_examples"]
        found = [new["before"], new["after"]]
    else:
        held = {c["levels"]: c for c in report["held_back"] if not c["lookahead_ms"]}
        found = [held[k][who] for k in ("recorded", "any") for who in ("learned", "level")]
    cut = [f["onset_cut_ms"] for f in found]
    rows: list[tuple[str, list[float | None], Callable[[float], str]]] = [
        (tr("Beginning cut off"), [c["median"] for c in cut], _ms),
        (tr("– in the worst 5 %"), [c["p95"] for c in cut], _ms),
        (tr("Wanted sound lost"), [f["target_lost_pct"] for f in found], _percent),
        (tr("Wrongly open, in a minute"), [f["false_open_s_per_min"] for f in found], _seconds),
    ]
    shown = [
        (name, _marked(values, text))
        for name, values, text in rows
        if any(value is not None for value in values)
    ]
    if not any(f["targets"] for f in found):  # nothing wanted was held back
        return shown
    missed = [f["missed"] for f in found]
    marks = [m for _, m in _marked(missed, _ms)]
    cells = [tr("{n} of {all}", n=f["missed"], all=f["targets"]) for f in found]
    shown.insert(2, (tr("Missed altogether"), list(zip(cells, marks, strict=True))))
    return shown


def _marked(
    values: Sequence[float | None], text: Callable[[float], str]
) -> list[tuple[str, bool]]:
    """Texts, and whether each value is the better one of its pair: less is better."""
    out = []
    for i, value in enumerate(values):
        other = values[i ^ 1]
        better = value is not None and other is not None and value < other
        out.append(("–" if value is None else text(value), better))
    return out


def _more(report: dict[str, Any]) -> tuple[str, str, bool]:
    old = report["old_examples"]
    before, after = old["before"]["right_pct"], old["after"]["right_pct"]
    kept = tr(
        "What it had learned before it gets right in {after:.1f} % of the moments; "
        "{before:.1f} % before.",
        after=after,
        before=before,
    )
    if old["worse"]:
        return tr("It got worse on what it knew: keep the old gate."), kept, False
    new = report["new_examples"]
    if new["after"]["cost"] > new["before"]["cost"]:
        return tr("The new recordings did not help: keep the old gate."), kept, False
    return tr("It has learned, and forgotten nothing."), kept, True


def _ms(value: float) -> str:
    return tr("{n:.0f} ms", n=value)


def _percent(value: float) -> str:
    return tr("{n:.1f} %", n=value)


def _seconds(value: float) -> str:
    return tr("{n:.1f} s", n=value)
