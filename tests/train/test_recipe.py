"""Recipes: what is read, and what is said of a wrong one."""

from pathlib import Path

import pytest

from realtime.errors import RtError, UsageError
from train.gate.recipe import GateRecipe
from train.masked import MaskedRecipe
from train.ranges import check_ranges
from train.recipe import Recipe, convert_recipe, read_recipe, read_tables
from train.tables import Fit

RECIPES = Path(__file__).parents[2] / "train" / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_is_valid(path: Path) -> None:
    tables = read_tables(path)
    kinds = {"gate": GateRecipe, "masked": MaskedRecipe}
    kind = kinds.get(tables.get("task"), Recipe)
    recipe = convert_recipe(tables, kind, path)
    assert recipe.name == path.stem
    assert recipe.fit.steps > 0
    assert recipe.features.rate == 16_000


def test_fields_are_changed_by_set() -> None:
    path = RECIPES / "kws12.toml"
    recipe = read_recipe(path, ("fit.steps=7", "augment.noise=0.25", "data.root=/tmp/x y"))
    assert (recipe.fit.steps, recipe.augment.noise, recipe.data.root) == (7, 0.25, "/tmp/x y")


def test_no_path_of_this_machine_gets_into_a_card() -> None:
    changes = (
        "data.root=/home/me/data",
        "fit.init=/home/me/a.safetensors",
        "data.manifest=/x/m.csv",
    )
    changes += ('loss.teachers=["/home/me/runs/big/best.safetensors"]',)
    plain = read_recipe(RECIPES / "kws12.toml", changes).to_dict()
    assert (plain["data"]["root"], plain["data"]["manifest"]) == ("data", "m.csv")
    assert plain["fit"]["init"] == "a.safetensors"
    assert plain["loss"]["teachers"] == ["big/best.safetensors"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("fit.step=7", "did you mean steps"),
        ("fit.steps=many", "steps"),
        ("fit.steps", "no value"),
        ("features.hop=0", "hop"),
        ("name.x=1", "no table"),
        ("fit.steps=0", "fit.steps is 0: use 1 or more"),
        ("fit.rate=nan", "fit.rate is nan: use 0 or more"),
        ("fit.seed=-1", "fit.seed is -1"),
        ("mix.batch=0", "mix.batch is 0"),
        ("mix.talk=2", "mix.talk is 2: use 0 to 1"),
        ("mix.silence=0.99", "make 1.06 together"),
        ("augment.level_db=[nan, 0]", "augment.level_db"),
        ("window_s=0", "window_s is 0"),
        ("model.dropout=nan", "model.dropout is nan: use a number"),
        ("thresholds.yes=2", "thresholds.yes is 2: use 0 to 1"),
        ("name=../../x", "a folder has to bear it"),
        ("name=", "a folder has to bear it"),
    ],
)
def test_a_wrong_change_is_said(change: str, said: str) -> None:
    with pytest.raises(RtError, match=said):
        read_recipe(RECIPES / "kws12.toml", (change,))


def test_a_table_alone_has_no_name() -> None:
    check_ranges(Fit(steps=1), "a table")
    with pytest.raises(UsageError, match="rate is nan"):
        check_ranges(Fit(steps=1, rate=float("nan")), "a table")


def test_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"a = [\xff")
    with pytest.raises(UsageError, match="no TOML"):
        read_recipe(tmp_path / "x.toml")
