"""Cards: what is read is what was written, and every mistake names its field."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.card import Card, Decision, parse_card, read_card
from realtime.errors import CardError


def fields(kit, **changes):
    return json.loads(kit.band_card().to_json()) | changes


def read(data):
    return parse_card(json.dumps(data), "m.onnx")


def test_round_trip(kit):
    card = kit.band_card(
        measured=({"figure": 0.97, "data": "x"},), recipe={"epochs": 3}, trained_on=("a", "b")
    )
    assert parse_card(card.to_json(), "x") == card
    assert parse_card(card.to_json(indent=2), "x") == card
    assert "\n" in card.to_json(indent=2)


@given(
    decision=st.builds(
        Decision,
        smoothing_s=st.floats(0, 10),
        average=st.integers(1, 100),
        hysteresis=st.floats(0, 1),
        confirm=st.integers(1, 9),
        exclusive=st.booleans(),
    ),
    labels=st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True),
)
def test_round_trip_of_any_decision(kit, decision, labels):
    card = kit.band_card(labels=tuple(labels), decision=decision)
    assert parse_card(card.to_json(), "x") == card


def test_sizes(kit):
    card = kit.band_card()
    assert (card.window_frames, card.hop_frames) == (48, 10)
    assert card.threshold("low") == 0.5
    assert kit.band_card(thresholds={"low": 0.9, "default": 0.3}).threshold("high") == 0.3
    assert kit.band_card(thresholds={}).threshold("high") == 0.5


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"format": 2}, "format is 2"),
        ({"labels": []}, "labels is empty"),
        ({"labels": ["low", "low", "x"]}, "labels names low twice"),
        ({"thresholds": {"loud": 0.5}}, "thresholds names loud"),
        ({"thresholds": {"low": 1.5}}, r"thresholds"),
        ({"window_s": 0.0}, r"window_s"),
        ({"window_s": "long"}, r"window_s"),
        ({"hop_s": 0.6}, "hop_s"),
        ({"hop_s": 0.105}, "whole number of frames"),
        ({"rate": 8000}, "rate is 8000"),
        ({"licens": "MIT"}, "licens"),
        ({"digest": "0" * 12}, "digest is 000000000000"),
        ({"scores": "probability"}, r"scores"),
        ({"decision": {"background": ["hum"]}}, r"decision\.background names hum"),
        ({"decision": {"confirm": 0}}, r"decision\.confirm"),
        ({"decision": {"debounce": 1}}, "debounce"),
        ({"input": {"kind": "features"}}, "features is missing"),
        ({"input": {"kind": "waveform", "layout": "btf"}}, "layout is btf"),
        ({"states": [{"name": "s"}]}, "shape"),
        ({"states": [{"name": "s", "shape": [1, -1]}]}, r"states\.s\.shape"),
        ({"rate": 0, "input": {"kind": "waveform", "layout": "bt"}}, "rate is 0"),
    ],
)
def test_every_mistake_names_its_field(kit, changes, names):
    with pytest.raises(CardError, match=names) as e:
        read(fields(kit, **changes))
    assert str(e.value).startswith("m.onnx: ")
    assert "\n" not in e.value.line()


@pytest.mark.parametrize(
    "field", ["format", "name", "task", "input", "rate", "window_s", "labels"]
)
def test_missing_fields_are_named(kit, field):
    data = fields(kit)
    del data[field]
    with pytest.raises(CardError, match=field):
        read(data)


def test_a_wrong_front_end_names_its_field(kit):
    data = fields(kit)
    data["input"]["features"]["hop"] = 0
    with pytest.raises(CardError, match=r"features\.hop is 0"):
        read(data)


def test_digest_matches(kit):
    card = kit.band_card()
    digest = card.input.features.digest()
    assert read(fields(kit, digest=digest)).digest == digest


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\xff", '{"recipe":' + '{"a":' * 100_000]
)
def test_no_json(text):
    with pytest.raises(CardError):
        parse_card(text.encode("latin-1"), "x.json")


def test_files(kit, tmp_path):
    path = tmp_path / "c.json"
    with pytest.raises(CardError, match="No such file"):
        read_card(path)
    path.write_text(kit.band_card().to_json())
    assert isinstance(read_card(path), Card)
    with pytest.raises(CardError, match="directory"):
        read_card(tmp_path)


def test_a_card_is_frozen(kit):
    with pytest.raises(AttributeError):
        kit.band_card().name = "x"
    assert msgspec.structs.replace(kit.band_card(), name="x").name == "x"


def test_a_gate_says_of_which_instant_its_scores_speak(kit):
    card = kit.gate_card()
    assert parse_card(card.to_json(), "x").lookahead_ms == (0.0, 10.0, 20.0)
    assert kit.gate_card(lookahead_ms=()).lookahead_ms == ()


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"lookahead_ms": [0, 10]}, "lookahead_ms has 2 numbers and labels 3"),
        ({"lookahead_ms": [0, 20, 10]}, "lookahead_ms is"),
        ({"lookahead_ms": [0, 10, 10]}, "lookahead_ms is"),
        ({"lookahead_ms": [-1, 0, 10]}, "lookahead_ms"),
        ({"lookahead_ms": [0, 10, 2000]}, "lookahead_ms"),
        ({"task": "tag"}, "lookahead_ms is given and task is tag"),
    ],
)
def test_a_gates_look_ahead_fits_its_scores(kit, changes, names):
    data = json.loads(kit.gate_card().to_json()) | changes
    with pytest.raises(CardError, match=r"m\.onnx") as e:
        read(data)
    assert names in str(e.value)
