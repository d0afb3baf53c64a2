"""The shipped models: found by name, listed with their cards, and never confused with files."""

import json
from pathlib import Path

import pytest

from realtime import library
from realtime.commands.listing import print_models
from realtime.errors import UsageError
from realtime.library import find_model, names, shipped


@pytest.fixture
def folder(kit, tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    card = kit.band_card(
        name="kws12", measured=({"figure": "97.6 %", "data": "held out", "command": "x"},)
    )
    for name in ("aaa.onnx", "kws12.onnx", "kws12-float.onnx"):
        kit.write_onnx(folder / name, card)
    kit.write_tflite(folder / "kws12.tflite", card)
    (folder / "README.md").write_text("not a model")
    return folder


def test_names_and_files(folder, tmp_path, monkeypatch):
    assert names(folder) == ["kws12", "aaa", "kws12-float"]
    assert find_model("kws12", "", folder) == folder / "kws12.onnx"
    assert find_model("kws12", "onnx", folder) == folder / "kws12.onnx"
    assert find_model("kws12", "litert", folder) == folder / "kws12.tflite"
    assert find_model("kws12-float", "", folder) == folder / "kws12-float.onnx"
    own = tmp_path / "own"
    own.write_bytes(b"x")
    assert find_model(str(own), "", folder) == own
    assert find_model("kws12.tflite", "", folder) == folder / "kws12.tflite"
    assert find_model("no/such.onnx", "", folder).name == "such.onnx"


def test_unknown_names_list_what_there_is(folder):
    with pytest.raises(UsageError, match="no model is called kws21") as e:
        find_model("kws21", "", folder)
    assert e.value.hint == "did you mean kws12? there is kws12, aaa, kws12-float"
    with pytest.raises(UsageError, match="not shipped for runtime litert"):
        find_model("kws12-float", "litert", folder)
    with pytest.raises(UsageError) as e:
        find_model("kws12", "", folder / "empty")
    assert "give the path" in e.value.hint


def test_cards_and_broken_files(folder, capsys, monkeypatch):
    (folder / "bad.onnx").write_bytes(b"junk")
    found = {model.name: model for model in shipped(folder)}
    assert set(found["kws12"].files) == {"onnx", "litert"}
    assert found["kws12"].card is not None
    assert found["bad"].card is None
    assert "neither an ONNX" in found["bad"].fault
    monkeypatch.setattr("realtime.commands.listing.shipped", lambda: shipped(folder))
    assert print_models(as_json=False) == 0
    out = capsys.readouterr().out
    assert "kws12  (onnx" in out
    for text in ("low middle high", "16000 Hz", "CC0-1.0", "97.6 %  (held out)"):
        assert text in out
    assert print_models(as_json=True) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["name"] == "kws12"
    assert first["bytes"]["litert"] > 1000


def test_every_shipped_model_opens():
    if not names():
        pytest.skip("no model is shipped yet")
    for model in shipped():
        assert model.card is not None, model.fault
        assert model.card.licence, f"{model.name} states its licence"
    assert names()[0] == library.DEFAULT_MODEL


def test_a_file_of_ones_own_comes_before_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, here = tmp_path / "weights", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    (folder / "ast_q.onnx").touch()
    assert find_model("ast_q.onnx", "", folder) == folder / "ast_q.onnx"
    assert find_model("ast_q.tflite", "", folder) == Path("ast_q.tflite")  # and fails, by name
    (here / "ast_q.onnx").touch()
    assert find_model("ast_q.onnx", "", folder) == Path("ast_q.onnx")
