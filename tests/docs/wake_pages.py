"""The tables and pictures of tests/docs/make_wake.py, from what it measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from wake_same import KINDS, SNRS
from wake_trial import COUNTS, SEED, WHO, WORDS

from realtime.outputs.picture import Picture
from realtime.wake.counting import binomial_interval, poisson_interval

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73")
DRAWN: Final = 2000  # samples of the kinds, for an interval
SHOWN: Final = 10  # examples, in the table of kinds

Entry = dict[str, Any]


def percent(entry: Entry, who: str, group: int = 0) -> float:
    """How much of a group was found."""
    told = entry[who]
    return 100.0 * float(told["found"][group]) / float(told["sought"][group])


def targets_table(told: dict[str, Any], targets: tuple[str, ...]) -> list[str]:
    """Recall and false alarms an hour: means of the draws, and exact intervals of one draw."""
    lines = [
        "| sound | examples | found % | false alarms an hour | nearest centroid: found % | "
        "false alarms an hour |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for target in targets:
        for count in COUNTS:
            entries = [
                e for e in told["targets"] if (e["target"], e["count"]) == (target, count)
            ]
            if entries:
                cells = []
                for who in WHO:
                    cells.append(found_cell(entries, who))
                    cells.append(false_cell(entries, who, told["unknown_h"]))
                name = target.replace("_", " ") if count == COUNTS[0] else ""
                lines.append("| " + " | ".join([name, str(count), *cells]) + " |")
    return lines


def found_cell(entries: list[Entry], who: str) -> str:
    """What was found, %: the mean, and the interval of the mean counts, rounded outwards.

    Draws look for the same few recordings, or most of them: their counts do not add up.
    """
    found, sought = (np.mean([e[who][key][0] for e in entries]) for key in ("found", "sought"))
    low, _ = binomial_interval(math.floor(found), math.ceil(sought))
    _, high = binomial_interval(math.ceil(found), math.floor(sought))
    mean = np.mean([percent(e, who) for e in entries])
    return f"{mean:.0f} ({100 * low:.0f} to {100 * high:.0f})"


def false_cell(entries: list[Entry], who: str, hours: float) -> str:
    """False alarms an hour: the mean, and the interval of the mean count in the same hours."""
    mean = np.mean([e[who]["false"] for e in entries])
    low, high = poisson_interval(math.floor(mean))[0], poisson_interval(math.ceil(mean))[1]
    return f"{mean / hours:.1f} ({low / hours:.1f} to {high / hours:.1f})"


def made_on(told: dict[str, Any]) -> str:
    """The line under a table."""
    return f"Machine A of [figures.md](figures.md), {told['date']}."


def by_kind(
    told: dict[str, Any], count: int, who: str
) -> tuple[list[list[float]], list[float]]:
    """Found by kind and SNR, %, and false alarms an hour by kind: means of the draws."""
    found, false = [], []
    for kind in KINDS:
        entries = [e for e in told["same"] if (e["kind"], e["count"]) == (kind, count)]
        if entries:
            snrs = range(len(SNRS))
            found.append([float(np.mean([percent(e, who, i) for e in entries])) for i in snrs])
            false.append(float(np.mean([e[who]["false"] for e in entries])) / told["unknown_h"])
    return found, false


def interval(values: list[float]) -> tuple[float, float]:
    """Of the mean, 95 %: kinds drawn with replacement."""
    rng = np.random.default_rng(SEED)
    means = rng.choice(values, (DRAWN, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def same_table(told: dict[str, Any]) -> list[str]:
    """Recall by SNR and number of examples, and false alarms an hour, over all kinds."""
    snrs = " | ".join(f"found %, {snr:.0f} dB" for snr in SNRS)
    lines = [
        f"| | examples | {snrs} | false alarms an hour |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for who, name in zip(WHO, ("`rt-tag learn`", "nearest centroid"), strict=True):
        for count in COUNTS:
            found, false = by_kind(told, count, who)
            columns = [*([one[i] for one in found] for i in range(len(SNRS))), false]
            cells = []
            for column, digits in zip(columns, (0, 0, 0, 1), strict=True):
                low, high = interval(column)
                mean = float(np.mean(column))
                cells.append(f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
            first = name if count == COUNTS[0] else ""
            lines.append("| " + " | ".join([first, str(count), *cells]) + " |")
    return lines


def same_kinds(told: dict[str, Any]) -> list[str]:
    """The same for each kind, with `SHOWN` examples."""
    snrs = " | ".join(f"{snr:.0f} dB" for snr in SNRS)
    lines = [
        f"| sound | {snrs} | false alarms an hour | nearest centroid: {snrs} | "
        "false alarms an hour |",
        "| --- |" + " --- |" * (2 * len(SNRS) + 2),
    ]
    tables = [by_kind(told, SHOWN, who) for who in WHO]
    for number, kind in enumerate(KINDS[: len(tables[0][0])]):
        cells = [kind.replace("_", " ")]
        for found, false in tables:
            cells += [*(f"{x:.0f}" for x in found[number]), f"{false[number]:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def finish(axes: Any, title: str) -> None:
    """What all axes have."""
    axes.set(title=title, xlabel="examples", ylim=(0.0, 102.0))
    axes.set_xticks(COUNTS)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def draw_targets(told: dict[str, Any], targets: tuple[str, ...], path: Path) -> None:
    """Recall against the number of examples, each target and both methods."""

    def paint(figure: Any) -> None:
        for axes, group, title in zip(
            figure.subplots(1, 2, sharey=True),
            (WORDS, targets[len(WORDS) :]),
            ("words of people who were never heard", "household sounds of other recordings"),
            strict=True,
        ):
            for target, colour in zip(group, COLOURS, strict=False):
                entries = [e for e in told["targets"] if e["target"] == target]
                counts = sorted({e["count"] for e in entries})
                for who, style in zip(WHO, ("o-", "s:"), strict=True):
                    means = [
                        np.mean([percent(e, who) for e in entries if e["count"] == n])
                        for n in counts
                    ]
                    name = target.replace("_", " ")
                    label = name if who == "ours" else f"{name}, nearest centroid"
                    axes.plot(counts, means, style, color=colour, label=label)
            finish(axes, title)
        figure.axes[0].set_ylabel("found, %")

    Picture(path).draw((11.0, 4.4), 110, paint)


def draw_same(told: dict[str, Any], path: Path) -> None:
    """Recall against the number of examples by SNR, and of each kind."""

    def paint(figure: Any) -> None:
        curves, bars = figure.subplots(1, 2, width_ratios=(2, 3))
        for i, (snr, colour) in enumerate(zip(SNRS, COLOURS, strict=True)):
            for who, style in zip(WHO, ("o-", "s:"), strict=True):
                means = [np.mean([k[i] for k in by_kind(told, n, who)[0]]) for n in COUNTS]
                label = f"{snr:.0f} dB" if who == "ours" else f"{snr:.0f} dB, nearest centroid"
                curves.plot(COUNTS, means, style, color=colour, label=label)
        curves.set_ylabel("found, %")
        finish(curves, "mean of the sounds, by noise")
        found, _ = by_kind(told, SHOWN, "ours")
        for i, (snr, colour) in enumerate(zip(SNRS, COLOURS, strict=True)):
            at = np.arange(len(found)) + 0.27 * (1 - i)
            bars.barh(at, [k[i] for k in found], 0.25, color=colour, label=f"{snr:.0f} dB")
        names = [kind.replace("_", " ") for kind in KINDS[: len(found)]]
        bars.set_yticks(range(len(found)), names)
        bars.set(title=f"each sound, {SHOWN} examples", xlabel="found, %", xlim=(0.0, 102.0))
        bars.invert_yaxis()

    Picture(path).draw((11.0, 4.8), 110, paint)
