"""What a run writes down: its recipe, its numbers, events for TensorBoard, pictures."""

import csv
import json
import logging
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("matplotlib", reason="needs the plot extra")

from train.journal import Journal, to_toml
from train.pictures import told, write_pictures
from train.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "train" / "recipes"
LABELS = ("dog", "rain", "sea")


def test_a_journal_goes_on_and_forgets_what_was_lost(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the train extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = read_recipe(RECIPES / "kws12.toml")
    with Journal(tmp_path, recipe) as journal:
        for step in (10, 20, 30):
            journal.add(step=step, loss=1 / step, val_accuracy=0.5)
    with Journal(tmp_path, step=20) as journal:  # the weights of step 30 were never kept
        journal.add(step=30, loss=0.25, val_accuracy=0.75, val_map=0.5)
    with (tmp_path / "metrics.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["step"] for r in rows] == ["10", "20", "30"]
    assert [r["loss"] for r in rows] == ["0.10000", "0.05000", "0.25000"]
    assert [r["val_map"] for r in rows] == ["", "", "0.50000"]
    assert json.loads((tmp_path / "metrics.json").read_text())[-1]["val_accuracy"] == 0.75
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, round(e.value, 3)) for e in events.Scalars("loss")][-1] == (30, 0.25)
    # the recipe as it was run is a recipe
    assert read_recipe(tmp_path / "recipe.toml") == recipe
    assert json.loads((tmp_path / "recipe.json").read_text())["fit"]["steps"] == 5200


def test_without_tensorboard_there_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with caplog.at_level(logging.INFO, "rt.train.journal"), Journal(tmp_path) as journal:
        journal.add(step=1, loss=0.5)
    assert "TensorBoard" in caplog.text
    assert (tmp_path / "metrics.csv").read_text() == "step,loss\n1,0.50000\n"


def test_toml_of_tables() -> None:
    tables = {
        "name": 'a "b"', "none": None, "on": True, "small": 1e-7,
        "model": {"stages": [[1, 2], [3, 4]], "empty": {}},
        "thresholds": {"default": 0.5, "a label; odd": 0.25},
    }  # fmt: skip
    back = tomllib.loads(to_toml(tables))
    del tables["none"]
    assert back == tables


def test_pictures_of_rows_with_one_label(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(-1, 3, 60)  # -1: nobody knows
    scores = rng.random((60, 3)) + np.eye(4)[targets][:, :3]
    with Journal(tmp_path) as journal:
        journal.add(step=1, loss=2.0, val_loss=2.5, val_accuracy=0.3)
        journal.add(step=2, loss=1.0, val_loss=1.5, val_accuracy=0.6)
    made = write_pictures(tmp_path, LABELS, targets, scores)
    assert [p.name for p in made] == [
        "curves.png", "confusion.png", "roc.png", "pr.png", "ap.png"
    ]  # fmt: skip
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in made)


def test_pictures_of_rows_with_several_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random((40, 100)) < 0.1).astype(float)
    targets[:, 7] = 0.0  # a label that no row has
    targets[3, 4] = np.nan
    labels = [f"label {i}" for i in range(100)]
    made = write_pictures(tmp_path, labels, targets, rng.random((40, 100)))
    assert [p.name for p in made] == ["roc.png", "pr.png", "ap.png"]
    assert write_pictures(tmp_path, LABELS, np.zeros((4, 3)), np.zeros((4, 3))) == []


def test_targets_of_either_kind() -> None:
    truth, single = told(np.array([2, -1]), 3)
    assert single
    assert truth[0].tolist() == [0, 0, 1]
    assert np.isnan(truth[1]).all()
    assert told(np.array([[0, 1], [1, 0]]), 2)[1]
    assert not told(np.array([[0, 1], [1, 1]]), 2)[1]


def test_without_matplotlib_there_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with caplog.at_level(logging.INFO, "rt.train.pictures"):
        assert write_pictures(tmp_path, LABELS, np.array([0, 1]), np.eye(3)[:2]) == []
    assert "matplotlib" in caplog.text
