"""An archive as a table: hours of sound in a minute, by one process and by several.

    nice -n -5 python tests/bench/bench_archive.py --page
    python tests/bench/bench_archive.py --hours 0.2 --model kws12 --jobs 1,2,4

`--page` writes the table into docs/archives.md, for which the machine has to be quiet.

The archive is the bundled sound again and again, each time at another level, as FLAC files of a
minute. It is tagged by `rt-tag FILES --json`, one file after the other in one process, then by
`rt-tag DIR --recursive -o` with each number of workers. Wall times are of whole commands, start
and table included; processor times are of the command and its workers. All give the same rows,
or the bench fails.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import realtime
from realtime.library import names

sys.path.insert(0, str(Path(__file__).parent))
import report

DEMO = Path(realtime.__file__).parent / "sounds" / "demo.flac"
RT_TAG = Path(sysconfig.get_path("scripts")) / "rt-tag"
MODELS = ("kws12", "household")  # those of them that are shipped
FILE_S = 60
PAGE = report.ROOT / "docs" / "archives.md"
BEGIN, END = "<!-- made: speed -->\n", "<!-- end -->"  # what `--page` fills
HEAD = (
    "model", "way", "hours of sound a minute", "times one process", "times one worker",
    "processor s for an hour",
)  # fmt: skip


def write_archive(folder: Path, hours: float) -> float:
    """Files of a minute; the hours they make."""
    sound, rate = soundfile.read(DEMO, dtype="float32")
    rng = np.random.default_rng(0)
    count = max(2, round(hours * 3600 / FILE_S))  # of one alone no line names the file
    for number in range(count):
        left = FILE_S * rate
        with soundfile.SoundFile(folder / f"{number:05}.flac", "w", rate, 1, "PCM_16") as file:
            while left > 0:
                part = sound[:left] * np.float32(10 ** (rng.uniform(-20, 0) / 20))
                file.write(part)
                left -= len(part)
    return count * FILE_S / 3600


def timed(command: Sequence[object], out: Path) -> tuple[float, float]:
    """Seconds by the clock, and of the processor, of a command whose stdout goes to a file."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with out.open("wb") as stream:
        subprocess.run(
            [str(x) for x in command], check=True, stdout=stream, stderr=subprocess.DEVNULL
        )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows_of_events(path: Path) -> list[list[str]]:
    """JSON lines of events as rows of the table."""
    rows: list[list[str]] = []
    start: dict[tuple[str, str], float] = {}
    for line in path.read_text().splitlines():
        event = json.loads(line)
        key = event["file"], event["label"]
        if event["event"] == "start":
            start[key] = event["t"]
        elif event["event"] == "stop":
            rows.append([*key, str(start.pop(key)), str(event["t"]), str(event["peak"])])
    return rows


def measure(model: str, archive: Path, hours: float, jobs: Sequence[int]) -> dict[str, Any]:
    """Every way of one model."""
    events, table = archive.parent / "events.jsonl", archive.parent / "tags.csv"
    files = sorted(archive.iterdir())
    command = [RT_TAG, "--model", model]
    wall, cpu = timed([*command, "--json", *files], events)
    wanted = sorted(rows_of_events(events))
    ways = {"one process, file after file": (wall, cpu)}
    for count in jobs:
        table.unlink(missing_ok=True)
        more = [archive, "--recursive", "-o", table, "--jobs", count]
        ways[f"-o, {count} worker{'s' if count > 1 else ''}"] = timed([*command, *more], events)
        with table.open(newline="") as stream:
            if sorted(list(csv.reader(stream))[1:]) != wanted:
                raise SystemExit(f"{model}: {count} workers give other rows than one process")
    first = next(iter(ways.values()))[0]
    return {
        "model": model,
        "rows": len(wanted),
        "ways": {
            name: {
                "wall_s": wall,
                "cpu_s": cpu,
                "hours_per_minute": 60 * hours / wall,
                "cpu_s_per_hour": cpu / hours,
                "times_one_process": first / wall,
            }
            for name, (wall, cpu) in ways.items()
        },
    }


def page_of(figures: dict[str, Any]) -> str:
    """The figures as the page shows them."""
    lines = [f"| {' | '.join(HEAD)} |", f"| {' | '.join('---' for _ in HEAD)} |"]
    for found in figures["models"]:
        one = found["ways"].get("-o, 1 worker", {}).get("wall_s")
        for name, way in found["ways"].items():
            cells = [
                f"`{found['model']}`", name, way["hours_per_minute"], way["times_one_process"],
                one / way["wall_s"] if one and name.startswith("-o") else None,
                way["cpu_s_per_hour"],
            ]  # fmt: skip
            lines.append(f"| {' | '.join(report.text(cell) for cell in cells)} |")
    m = figures["machine"]
    lines += [
        "",
        f"{figures['files']} files of a minute. {m['cpu']}, {m['cores']} cores, {m['system']},",
        f"Python {m['python']}, {m['date']}; load before: {m['load']}.",
    ]
    return "\n".join(lines) + "\n"


def write_page(figures: dict[str, Any]) -> None:
    text = PAGE.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE}: nowhere to write: no {BEGIN.strip()}")
    PAGE.write_text(before + begin + page_of(figures) + end + after, "utf-8")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--model", action="append", help="kws12, and household once shipped")
    parser.add_argument("--page", action="store_true", help="write docs/archives.md")
    parser.add_argument("--jobs", default=None, metavar="N,...", help="1 to all cores")
    args = report.parse(parser, argv)
    models = args.model or [name for name in MODELS if name in names()]
    jobs = [int(x) for x in args.jobs.split(",")] if args.jobs else range(1, report.cores() + 1)
    figures: dict[str, Any] = {"machine": report.machine(), "models": []}
    report.show_machine(figures["machine"])
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        archive.mkdir()
        figures["hours"] = write_archive(archive, args.hours)
        figures["files"] = len(list(archive.iterdir()))
        for model in models:
            found = measure(model, archive, figures["hours"], jobs)
            figures["models"].append(found)
            report.show_table(
                f"{model}: {figures['files']} files, {figures['hours']:.2f} hours, "
                f"{found['rows']} rows",
                ("way", "wall s", "hours a minute", "times one process", "CPU s an hour"),
                [
                    (
                        name, way["wall_s"], way["hours_per_minute"], way["times_one_process"],
                        way["cpu_s_per_hour"],
                    )
                    for name, way in found["ways"].items()
                ],
            )  # fmt: skip
    report.save("archive", figures)
    if args.page:
        write_page(figures)
    return figures


if __name__ == "__main__":
    main()
