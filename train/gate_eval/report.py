"""What is said about results: plain data for JSON, and tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from train.gate_eval import metrics
from train.gate_eval.contest import Result
from train.gate_eval.metrics import Judged

Cell = Callable[[dict[str, Any]], str]
Table = list[list[str]]  # the header, then a row for each contestant; names come first

NONE = ""  # a figure that a contestant does not have


def summary(result: Result) -> dict[str, Any]:
    """Everything about one contestant, as `rt-eval gate --json` gives it."""
    judged = result.judged
    scored = bool(len(judged[0].score))
    out: dict[str, Any] = {
        "model": result.name,
        "lookahead_ms": result.lookahead_ms,
        "threshold": result.threshold,
        **metrics.figures(judged),
        "alone": result.alone,
        "cpu_ms_per_s": result.cpu_ms_per_s,
        "intervals_95": metrics.intervals(judged) if scored else {},
        "by_snr": _groups(judged, lambda j: _snr(j.snr_db)),
        "by_kind": _groups(judged, lambda j: j.kind),
    }
    if scored:
        out["oracle"] = _at(judged, result.oracle())
    out["per_mixture"] = [
        {
            "file": row.file,
            "kind": row.kind,
            "snr_db": row.snr_db if math.isfinite(row.snr_db) else None,
            **_few(metrics.figures([j])),
        }
        for row, j in zip(result.mixtures, judged, strict=True)
    ]
    return out


def _at(judged: Sequence[Judged], threshold: float) -> dict[str, Any]:
    moved = [msgspec.structs.replace(j, open=j.score >= threshold) for j in judged]
    return {"threshold": threshold, **_few(metrics.figures(moved))}


def _few(figures: dict[str, Any]) -> dict[str, Any]:
    left_out = ("mixtures", "minutes", "open_share")
    return {name: value for name, value in figures.items() if name not in left_out}


def _groups(judged: Sequence[Judged], key: Callable[[Judged], str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in dict.fromkeys(key(j) for j in sorted(judged, key=lambda j: j.snr_db)):
        mine = [j for j in judged if key(j) == name]
        out[name] = metrics.figures(mine)
        out[name]["balanced_accuracy_95"] = metrics.accuracy_interval(mine)
    return out


def _snr(snr_db: float) -> str:
    return f"{snr_db:g} dB" if math.isfinite(snr_db) else "clean"


# Tables: a row a contestant, causal and with look-ahead in one cell as in "0.963 / 0.967".


def main_table(summaries: Sequence[dict[str, Any]]) -> Table:
    """Detection and what it costs."""
    return _table(
        summaries,
        {
            "AUC": lambda s: _number(s["auc"], 3),
            "balanced accuracy %": lambda s: _number(s["balanced_accuracy"], 1, 100),
            "false-open s/min at 5 % lost": lambda s: _number(s["false_open_s_per_min"], 1),
            "onset cut median, p95 ms": lambda s: ", ".join(
                _number(s["onset_cut_ms"][q], 0) for q in ("median", "p95")
            ),
            f"missed of {summaries[0]['phrases']}": lambda s: str(s["missed"]),
            "-5 dB": _by("by_snr", "-5 dB"),
            "human+animal": _by("by_kind", "human+animal"),
            "clean": _by("by_kind", "clean"),
            "music": _by("by_kind", "music"),
            "best threshold for this set": lambda s: _number(
                s.get("oracle", {}).get("balanced_accuracy"), 1, 100
            ),
            "CPU ms per s": lambda s: _number(s["cpu_ms_per_s"], 1),
        },
    )


def heard_table(summaries: Sequence[dict[str, Any]]) -> Table:
    """What a listener notices, at the threshold."""
    return _table(
        [s for s in summaries if s["threshold"] is not None],
        {
            "threshold": lambda s: _number(s["threshold"], 2),
            "target lost %": lambda s: _number(s["target_lost_pct"], 1),
            "false-open s/min": lambda s: _number(s["false_open_at_threshold_s_per_min"], 1),
            "overhang median, p95 ms": lambda s: ", ".join(
                _number(s["overhang_ms"][q], 0) for q in ("median", "p95")
            ),
            **{
                f"{kind} alone, openings/min": _alone(kind)
                for kind in ("keyboard", "fan", "music")
            },
            "SI-SDR gain dB, all": lambda s: _number(s["si_sdr_gain_db"], 1),
            "at 0 dB": lambda s: _number(s["by_snr"].get("0 dB", {}).get("si_sdr_gain_db"), 1),
        },
    )


def group_table(summaries: Sequence[dict[str, Any]], by: str) -> Table:
    """Balanced accuracy of every contestant in each group of mixtures."""
    names = list(summaries[0][by])
    return _table(summaries, {name: _by(by, name) for name in names})


def interval_table(one: dict[str, Any]) -> Table:
    """A contestant's figures with their intervals."""
    spans = one["intervals_95"]
    rows = [
        ("AUC", one["auc"], spans["auc"], 1, 4),
        ("balanced accuracy %", one["balanced_accuracy"], spans["balanced_accuracy"], 100, 1),
        ("false-open s/min at 5 % lost", one["false_open_s_per_min"],
         spans["false_open_s_per_min"], 1, 1),
        ("onset cut, 95th percentile, ms", one["onset_cut_ms"]["p95"],
         spans["onset_cut_ms"]["p95"], 1, 0),
        ("phrases missed %", one["missed_pct"], spans["missed_pct"], 1, 2),
        ("target lost %", one["target_lost_pct"], spans["target_lost_pct"], 1, 1),
        ("SI-SDR gain dB", one["si_sdr_gain_db"], spans["si_sdr_gain_db"], 1, 1),
    ]  # fmt: skip
    table = [["figure", "value", "95 % of draws"]]
    for name, value, (low, high), factor, digits in rows:
        cells = [_number(x, digits, factor) for x in (value, low, high)]
        table.append([name, cells[0], f"{cells[1]} to {cells[2]}"])
    return table


def markdown(table: Table) -> str:
    """A table as a document has it."""
    lines = [f"| {' | '.join(row)} |" for row in table]
    lines[0] = lines[0].replace("|  |", "| |")
    return "\n".join([lines[0], "| --- " * len(table[0]) + "|", *lines[1:]])


def _table(summaries: Sequence[dict[str, Any]], columns: dict[str, Cell]) -> Table:
    table = [["", *columns]]
    for name in dict.fromkeys(s["model"] for s in summaries):
        mine = sorted(
            (s for s in summaries if s["model"] == name), key=lambda s: s["lookahead_ms"]
        )
        cells = [_joined([cell(s) for s in mine]) for cell in columns.values()]
        table.append([name, *cells])
    return table


def _joined(cells: Sequence[str]) -> str:
    return cells[0] if len(set(cells)) == 1 else " / ".join(cells)


def _by(group: str, name: str) -> Cell:
    return lambda s: _number(s[group].get(name, {}).get("balanced_accuracy"), 1, 100)


def _alone(kind: str) -> Cell:
    return lambda s: _number(s["alone"].get(kind, {}).get("openings_per_min"), 1)


def _number(value: float | None, digits: int, factor: float = 1.0) -> str:
    return NONE if value is None or math.isnan(value) else f"{factor * value:.{digits}f}"
