"""Train every row of docs/results.md that is not done yet, and write the page.

    python tests/docs/make_results.py --root DATA --manifest kws12.csv
    python tests/docs/make_results.py --sizes         # sizes and times of the networks alone
    python tests/docs/make_results.py --page          # of what is done

A day on one core. Each run is kept in build/results as it ends, and a command that was stopped
goes on there. `--tables`, `--rows` and `--budget` (minutes, looked at between runs) do a part;
results_rows.py has the rows.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent))

from make_models import amount
from make_reference import PROJECT, replaced
from results_rows import TABLES, Row
from results_run import Kept, Places, file_of, measure, weigh
from results_run import kept as kept_row

from realtime.errors import RtError
from train.metrics import wilson

PAGE = PROJECT / "docs/results.md"
KEPT = PROJECT / "build/results"
LATENCY = PROJECT / "build/latency.json"  # of make_latency.py
SAME = 0.02  # difference of MACs: the number of labels differs
LARGE = "not trained: too large for the budget"
LATER = "not measured yet"


def esc10_table(kept: Path) -> str:
    """Accuracy over the folds, the best first; then what is not trained."""
    lines = []
    for row in TABLES["esc10"]:
        found = kept_row(file_of(row, "esc10", kept))
        runs = found.runs if found else []
        hits, n = sum(r.hits for r in runs), sum(r.n for r in runs)
        said = share(hits, n) if runs else "" if row.folds else LARGE
        if row.folds and not runs:
            said = LATER
        folds = f"{len(runs)} of {len(row.folds)}" if row.folds else ""
        lines.append((hits / n if n else -1.0, [
            f"`{row.name}`", said, folds, *sizes(found), seconds(found), remark(row),
        ]))  # fmt: skip
    lines.sort(key=lambda x: -x[0])
    head = ["network", "accuracy % (95 %)", "folds", "parameters", "MACs", "CPU ms",
            "seconds a run", "note"]  # fmt: skip
    return markdown([head, *(cells for _, cells in lines)])


def keywords_table(kept: Path) -> str:
    """Accuracy and F1 of the checkpoint, of ONNX float and int8."""
    rows = [["network", "accuracy % (95 %)", "F1 %", "parameters", "MACs", "float KB, ms",
             "int8 accuracy %", "int8 F1 %", "int8 KB, ms", "seconds"]]  # fmt: skip
    for row in TABLES["keywords"]:
        found = kept_row(file_of(row, "keywords", kept))
        run = found.runs[0] if found and found.runs else None
        cells = [f"`{row.name}`"]
        cells += [share(run.hits, run.n), f"{100 * run.f1:.1f}"] if run else [
            LATER if row.folds else LARGE, ""]  # fmt: skip
        cells += sizes(found)[:2]
        edge = run.edge if run else untrained(row.name, found)
        plain, small = edge.get("float"), edge.get("int8")
        cells += [
            file_ms(plain) if plain else "",
            f"{100 * small['hits'] / small['n']:.1f}" if small and run else "",
            f"{100 * small['f1']:.1f}" if small and run else "",
            file_ms(small) if small else "",
            seconds(found),
        ]
        rows.append(cells)
    return markdown(rows)


def claims_table(kept: Path) -> str:
    """Mean and range over the seeds."""
    rows = [["variant", "network", "accuracy %, mean (range)", "seeds", "MACs", "seconds"]]
    for row in TABLES["claims"]:
        found = kept_row(file_of(row, "claims", kept))
        each = [100 * r.hits / r.n for r in found.runs] if found else []
        said = (
            f"{statistics.fmean(each):.1f} ({min(each):.1f} to {max(each):.1f})"
            if each
            else LATER
        )
        rows.append([
            row.name, f"`{row.model['network']}`", said, f"{len(each)} of {len(row.seeds)}",
            sizes(found)[1], seconds(found),
        ])  # fmt: skip
    return markdown(rows)


def share(hits: int, n: int) -> str:
    """A share with its interval."""
    low, high = wilson(hits, n)
    return f"{100 * hits / n:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def when(table: str, kept: Path) -> str:
    """The days on which a table's runs were made."""
    found = [kept_row(file_of(row, table, kept)) for row in TABLES[table]]
    days = sorted({f.date for f in found if f and f.runs and f.date})
    return f"Measured {' to '.join(dict.fromkeys([days[0], days[-1]]))}." if days else ""


def remark(row: Row) -> str:
    """What one should know of a row; fewer steps than the others' are said."""
    steps = row.fields.get("fit.steps", 0)
    return ", ".join(filter(None, [row.note, f"{steps} steps" if steps > 1 else ""]))


def sizes(found: Kept | None) -> list[str]:
    """Parameters, MACs, milliseconds."""
    if not found:
        return ["", "", ""]
    places = 1 if found.ms >= 1 else 2
    return [amount(found.parameters), amount(found.macs), f"{found.ms:.{places}f}"]


def untrained(name: str, found: Kept | None) -> dict[str, dict[str, float]]:
    """Sizes and times of a network's files with random weights, where docs/latency.md has them
    for the same input."""
    if not found or not LATENCY.exists():
        return {}
    edge = {}
    for one in json.loads(LATENCY.read_bytes())["latencies"]:
        known = one["found"]
        if one["name"] == name and abs(known["macs"] / found.macs - 1.0) < SAME:
            ms = known["cpu_ms"] or known["ms"]
            edge[one["numbers"]] = {"kb": known["model_bytes"] / 1000, "ms": ms}
    return edge


def seconds(found: Kept | None) -> str:
    """Processor time of a run, the mean."""
    each = [r.seconds for r in found.runs if r.seconds] if found else []
    return f"{statistics.fmean(each):.0f}" if each else ""


def file_ms(edge: dict[str, float]) -> str:
    """Size and time of a model file."""
    return f"{edge['kb']:.0f}, {edge['ms']:.2f}"


def markdown(rows: list[list[str]]) -> str:
    """A table; its first row is the head."""
    head, *body = [f"| {' | '.join(cells)} |".replace("  ", " ") for cells in rows]
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *body])


def write_page(kept: Path) -> None:
    """docs/results.md with its tables made anew."""
    text = PAGE.read_text("utf-8")
    for name, make in (("esc10", esc10_table), ("keywords", keywords_table),
                       ("claims", claims_table)):  # fmt: skip
        text = replaced(text, name, f"{make(kept)}\n\n{when(name, kept)}")
    PAGE.write_text(text, "utf-8")


def only(row: Row, folds: str) -> Row:
    """The row with those of its folds."""
    wanted = {int(x) for x in folds.split(",")}
    return msgspec.structs.replace(row, folds=tuple(f for f in row.folds if f in wanted))


def main() -> None:
    """Train what is missing, then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--manifest", type=Path, default=Path("kws12.csv"))
    parser.add_argument("--kept", type=Path, default=KEPT)
    parser.add_argument("--tables", default="esc10,keywords,claims")
    parser.add_argument("--rows", default="", help="names, with commas between them")
    parser.add_argument("--folds", default="1,2,3,4", help="the same; of rows with several")
    parser.add_argument("--budget", type=float, default=1e9, metavar="MINUTES")
    parser.add_argument(
        "--sizes", action="store_true", help="measure networks (again), train nothing"
    )
    parser.add_argument("--page", action="store_true", help="write the page, train nothing")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    until = time.monotonic() + 60 * args.budget
    wanted = set(filter(None, args.rows.split(",")))
    places = Places(data=args.root, manifest=args.manifest, kept=args.kept)
    for table in [] if args.page else args.tables.split(","):
        for row in TABLES[table]:
            if wanted and row.name not in wanted:
                continue
            try:
                if args.sizes:
                    weigh(row, table, places)
                else:
                    measure(only(row, args.folds), table, places, until)
            except (RtError, RuntimeError) as e:  # the other rows can still be had
                logging.getLogger("rt.results").warning("%s: %s", row.name, e)
    write_page(args.kept)


if __name__ == "__main__":
    main()
