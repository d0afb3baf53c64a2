"""The tables of docs/wake.md say what their brackets are said to be."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from kit_files import load

PROJECT = Path(__file__).resolve().parents[2]
HOURS = 0.626


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    before = list(sys.path)
    yield load(PROJECT / "tests/docs/make_wake.py")
    sys.path[:] = before


def entries(*draws: tuple[int, int, int]) -> dict:
    """What was measured: found, sought and false alarms of each draw."""
    told = [
        {"target": "happy", "count": 5, "draw": i}
        | {who: {"found": [f], "sought": [n], "false": a} for who in ("ours", "centroid")}
        for i, (f, n, a) in enumerate(draws)
    ]
    return {"unknown_h": HOURS, "date": "2026-11-22", "targets": told}


def cells(maker: ModuleType, *draws: tuple[int, int, int]) -> list[str]:
    (row,) = maker.targets_table(entries(*draws), ("happy",))[2:]
    return row.strip("| ").split(" | ")[-4:-2]


def test_draws_of_the_same_clips_do_not_add_up(maker: ModuleType) -> None:
    # Clopper and Pearson of 1 of 10, and Garwood of 3, by their tables
    one = cells(maker, (1, 10, 3))
    assert one == ["10 (0 to 45)", f"4.8 ({0.619 / HOURS:.1f} to {8.767 / HOURS:.1f})"]
    assert cells(maker, *[(1, 10, 3)] * 5) == one


def test_nothing_found_and_no_false_alarm_are_not_certain(maker: ModuleType) -> None:
    assert cells(maker, (0, 5, 0), (0, 5, 0)) == ["0 (0 to 52)", "0.0 (0.0 to 4.8)"]
    assert cells(maker, (5, 5, 0), (5, 5, 0)) == ["100 (48 to 100)", "0.0 (0.0 to 4.8)"]


def test_means_that_are_no_whole_numbers_are_rounded_outwards(maker: ModuleType) -> None:
    wide = cells(maker, (1, 10, 0), (2, 10, 1))
    low, high = cells(maker, (1, 10, 0)), cells(maker, (2, 10, 1))
    for mean, one, other in zip(wide, low, high, strict=True):
        assert re.findall(r"\((\S+) to", mean) == re.findall(r"\((\S+) to", one)
        assert re.findall(r"to (\S+)\)", mean) == re.findall(r"to (\S+)\)", other)


def test_the_page_has_the_machine_and_the_bound(maker: ModuleType) -> None:
    page = maker.PAGE.read_text("utf-8")
    for name in ("same", "targets"):
        part = re.search(rf"<!-- made: {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
        assert part is not None
        assert re.search(r"Machine A of \[figures\.md\]\(figures\.md\), \d{4}-", part[1])
    assert "0.0 (0.0 to 0.0)" not in page.split("## Tried on five sounds", 1)[1]
