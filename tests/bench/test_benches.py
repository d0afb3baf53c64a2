"""The benches of rt-tag and of the models run as they are shipped, on every shipped model."""

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from realtime.library import names

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A bench by name; its figures go into the test's folder."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    report = import_module("report")
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "FOLDER", tmp_path)

    def by_name(name: str) -> ModuleType:
        return import_module(f"bench_{name}")

    return by_name


def test_every_model_has_its_milliseconds(bench, tmp_path: Path, capsys) -> None:
    bench("models").main(["--rounds", "1"])
    found = json.loads((tmp_path / "models.json").read_text())["models"]
    assert {Path(name).stem for name in found} == set(names())
    assert all(0 < model["ms_median"] < 1000 for model in found.values())
    assert "kws12.onnx" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_start_ends_with_the_first_score(bench, capsys) -> None:
    told = bench("tag").main(["--minutes", "1", "--live-seconds", "0", "--starts", "1"])
    for kind in ("start_warm", "start_cold"):
        assert 0 < told[kind]["cpu_s_median"] <= told[kind]["wall_s_best"] + 0.5
    assert told["file"]["audio_s"] == 60
    assert told["file"]["peak_mb"] > 20
    assert "first score" in capsys.readouterr().out
