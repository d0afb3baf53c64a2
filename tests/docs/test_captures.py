"""What the README shows is what comes out."""

import json
import re
from pathlib import Path

import pytest
from kit_pages import PROJECT, run

pytestmark = pytest.mark.slow
MOST_BYTES = 250_000  # of the picture


def capture_of(name: str) -> str:
    text = (PROJECT / "README.md").read_text("utf-8")
    found = re.search(
        rf"<!-- made: {name} -->\n```\w+\n(.*?)```\n<!-- end -->", text, re.DOTALL
    )
    assert found
    assert found[1].startswith("$ "), "run: python tests/docs/make_reference.py --capture"
    return found[1]


def test_the_table_in_the_readme_is_what_comes_out(place: Path) -> None:
    row = re.compile(r"│ +([\d.]+) │ +([\d.]+) │ (\w+) +│")
    command, _, shown = capture_of("table").partition("\n")
    out = run(f"{command[2:]} --table", place)
    for one, other in zip(row.findall(shown), row.findall(out), strict=True):
        assert one[2] == other[2]  # another processor may decide a window earlier or later
        assert float(one[0]) == pytest.approx(float(other[0]), abs=0.11)
        assert float(one[1]) == pytest.approx(float(other[1]), abs=0.31)


def test_the_lines_in_the_readme_are_what_comes_out(place: Path) -> None:
    command, _, shown = capture_of("lines").partition("\n")
    out = run(command[2:], place)
    for one, other in zip(shown.splitlines(), out.splitlines(), strict=True):
        was, now = json.loads(one), json.loads(other)
        assert list(was) == list(now)
        assert (was["event"], was["label"]) == (now["event"], now["label"])


@pytest.mark.parametrize("name", ["demo.png", "gate-demo.png"])
def test_the_picture(name: str) -> None:
    picture = PROJECT / "docs" / name
    assert picture.exists(), "run: python tests/docs/make_reference.py --capture"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert 10_000 < picture.stat().st_size < MOST_BYTES
