"""What the benches share: options, the machine's line, tables, and figures as JSON.

A bench is a script with `main(argv=None) -> dict`; it is run by its path, so it puts its own
folder on the path to find this file.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "bench"
PACKAGES = (
    "rt-tag",
    "numpy",
    "numba",
    "onnxruntime",
    "ai-edge-litert",
    "kaldi-native-fbank",
    "torchaudio",
)
MISSING = "-"  # in a table: there is none, or it was not measured


def options(description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """`make bench ARGS=...` gives all benches the same options: each takes its own."""
    return parser.parse_known_args(argv)[0]


def machine() -> dict[str, Any]:
    """What the figures were made on. The load says whether the machine had other work."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def show_machine(m: dict[str, Any]) -> None:
    print(f"{m['cpu']}, {m['cores']} cores, {m['system']}, Python {m['python']}, {m['date']}")
    print(", ".join(f"{name} {version}" for name, version in m["versions"].items()))
    if m["load"] is not None and m["load"] > m["cores"] / 2:
        print(
            f"load {m['load']}: other work was running, so trust ratios and CPU seconds more "
            "than wall times"
        )


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [[*head], *([text(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print(f"\n{title}")
    for i, row in enumerate(cells):
        first, *rest = row
        line = [first.ljust(widths[0])]
        line += [v.rjust(w) for v, w in zip(rest, widths[1:], strict=True)]
        print("  " + "  ".join(line))
        if i == 0:
            print("  " + "  ".join("-" * w for w in widths))


def text(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def save(name: str, figures: dict[str, Any]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\nAll figures: {path.relative_to(ROOT)}\n")
