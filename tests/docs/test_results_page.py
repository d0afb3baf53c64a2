"""docs/results.md has every row of tests/docs/results_rows.py, and what was measured of it."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from kit_files import load

pytest.importorskip("torch", reason="needs the train extra")

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    before = list(sys.path)
    yield load(PROJECT / "tests/docs/make_results.py")
    sys.path[:] = before


def test_the_page_has_every_row(maker: ModuleType) -> None:
    page = maker.PAGE.read_text("utf-8")
    for name, rows in maker.TABLES.items():
        part = re.search(rf"<!-- made: {name} -->\n(.*?)\n<!-- end -->", page, re.DOTALL)
        assert part is not None
        found = re.findall(r"^\| `?([^|`]+?)`? \|", part[1], re.MULTILINE)[2:]
        assert Counter(found) == Counter(r.name for r in rows)
        assert len({maker.file_of(r, name, Path()) for r in rows}) == len(rows)


def test_figures_are_those_of_the_runs(maker: ModuleType, tmp_path: Path) -> None:
    kept = (
        '{"name": "gmm", "parameters": 22240, "macs": 3069120, "ms": 0.61, "runs": ['
        '{"fold": 1, "seed": 1, "hits": 46, "n": 80, "f1": 0.5, "seconds": 2, "steps": 1},'
        '{"fold": 2, "seed": 1, "hits": 54, "n": 80, "f1": 0.6, "seconds": 4, "steps": 1}]}'
    )
    (tmp_path / "esc10").mkdir()
    (tmp_path / "esc10" / "gmm.json").write_text(kept)
    first = maker.esc10_table(tmp_path).splitlines()[2]
    assert first == "| `gmm` | 62.5 (54.8 to 69.6) | 2 of 4 | 22.2 K | 3.07 M | 0.61 | 3 | |"
    assert "cnn14` | not trained" in maker.esc10_table(tmp_path)
    assert "kws12-tiny` | not measured yet" in maker.keywords_table(tmp_path)


def test_recipes_of_all_rows_can_be_read(maker: ModuleType) -> None:
    run = sys.modules["results_run"]
    for table, rows in maker.TABLES.items():
        for row in rows:
            recipe = run.recipe_of(row, table, ())
            assert recipe.fit.steps == recipe.fit.validate  # nothing is picked
