"""docs/models.md is what tests/docs/make_models.py makes of the code."""

import re
from pathlib import Path
from types import ModuleType

import pytest
from kit_files import load

pytest.importorskip("torch", reason="needs the train extra")

PROJECT = Path(__file__).resolve().parents[2]
COUNTED = ("cnn-multi", "dscnn-s", "bcresnet-1", "m5", "crnn", "linear")  # the others take long


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    return load(PROJECT / "tests/docs/make_models.py")


def test_the_page_is_up_to_date(maker: ModuleType) -> None:
    now = maker.PAGE.read_text("utf-8")
    networks = re.search(r"<!-- made: networks -->\n(.*?)\n<!-- end -->", now, re.DOTALL)
    assert networks is not None
    assert maker.page(networks[1]) == now, "run python tests/docs/make_models.py"
    names = re.findall(r"^\| `([\w-]+)` \| \[", networks[1], re.MULTILINE)
    assert names == list(maker.CATALOGUE)
    for line in maker.table(list(COUNTED)).splitlines()[2:]:
        assert line in networks[1], "run python tests/docs/make_models.py"


def test_amounts(maker: ModuleType) -> None:
    assert [maker.amount(n) for n in (7, 9_232, 23_180, 4_837_455, 86_594_063, 13.3e9)] == [
        "7", "9.23 K", "23.2 K", "4.84 M", "86.6 M", "13.3 G"
    ]  # fmt: skip
