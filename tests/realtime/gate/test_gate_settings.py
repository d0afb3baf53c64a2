"""The gate's settings: who is heard, what the card fills in, how mistakes are answered."""

import tomllib

import pytest

from realtime.card import Decision
from realtime.errors import CardError, UsageError
from realtime.gate.settings import GateSettings, load_options, settle


def settled(flags, card, environ=None, config=None):
    options, origins = load_options(flags, environ or {}, config)
    return settle(options, origins, card)


def test_defaults_of_the_learned_gate(kit):
    card = kit.gate_card(
        thresholds={"default": 0.4},
        decision=Decision(hysteresis=0.15, min_duration_s=0.05, confirm_score=0.7),
    )
    found, rows = settled({}, card)
    assert found == GateSettings(
        threshold=0.4, hysteresis=0.15, min_open_ms=50.0, confirm_score=0.7
    )
    assert (found.range_db, found.lookahead_ms) == (-60, 0)
    assert (found.attack_ms, found.hold_ms, found.release_ms) == (2, 0, 30)
    origins = {key: origin for key, _, origin in rows}
    for name in ("threshold", "hysteresis", "confirm_score"):
        assert origins[name] == "card loud"
    assert origins["range_db"] == origins["attack_ms"] == "default"


def test_defaults_of_the_level_gate():
    found, rows = settled({"level": True}, None)
    assert (found.threshold_db, found.close_db) == (-40, -46)
    assert (found.attack_ms, found.hold_ms, found.release_ms) == (1, 100, 100)
    assert found.range_db == -60
    assert "threshold" not in {key for key, *_ in rows}
    assert settled({"level": True, "threshold_db": "-30"}, None)[0].close_db == -36
    assert settled({"level": True, "close_db": "-50"}, None)[0].close_db == -50


def test_precedence(kit, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text("threshold = 0.7\nrange_db = -20\nhold_ms = 80\nattack_ms = 3\n")
    environ = {"RT_RANGE_DB": "-30", "RT_HOLD_MS": "90"}
    found, rows = settled({"hold_ms": "70"}, kit.gate_card(), environ, file)
    assert (found.threshold, found.range_db, found.hold_ms) == (0.7, -30, 70)
    origins = {key: origin for key, _, origin in rows}
    assert origins["threshold"] == str(file)
    assert origins["range_db"] == "RT_RANGE_DB"
    assert origins["hold_ms"] == "--hold-ms"


def test_the_score_follows_the_look_ahead(kit):
    card = kit.gate_card(thresholds={"default": 0.5, "open_20ms": 0.6})
    assert settled({}, card)[0].score == 0
    found = settled({"lookahead_ms": "20"}, card)[0]
    assert (found.score, found.threshold) == (2, 0.6)
    assert found.lookahead(44100) == 882
    assert settled({"lookahead_ms": "12.5"}, card)[0].score == 1
    assert settled({"key_slope": "24"}, card)[0].key_slope == 24


@pytest.mark.parametrize(
    ("flags", "message", "hint"),
    [
        ({"threshold": "1.5"}, "--threshold: threshold is 1.5", "use 0 to 1"),
        ({"threshold": "-0.1"}, "threshold is -0.1", "use 0 to 1"),
        ({"threshold": "nan"}, "threshold is nan", "use 0 to 1"),
        ({"threshold": "loud"}, "threshold is 'loud'", "use a number"),
        ({"hysteresis": "2"}, "hysteresis is 2", "use 0 to 1"),
        ({"range_db": "6"}, "--range-db: range_db is 6", "use -144 to 0"),
        ({"lookahead_ms": "25"}, "--lookahead-ms: lookahead_ms is 25", "use 0 to 20"),
        ({"lookahead_ms": "-1"}, "lookahead_ms is -1", "use 0 to 20"),
        ({"attack_ms": "-1"}, "attack_ms is -1", "use 0 to 10000"),
        ({"release_ms": "inf"}, "release_ms is inf", "use 0 to 10000"),
        ({"threshold_db": "3"}, "threshold_db is 3", "use -144 to 0"),
        ({"key_slope": "18"}, "key_slope is 18", "use 12 or 24"),
        ({"close_db": "-30"}, "--close-db: close_db is -30 and threshold_db -40", "under"),
        ({"key_highpass": "500", "key_lowpass": "400"}, "nothing is left between", "low-pass"),
        ({"level": True, "threshold": "0.5"}, "--threshold belongs", "--threshold-db"),
        ({"level": True, "hysteresis": "0.5"}, "--hysteresis belongs", "--close-db"),
        ({"level": True, "confirm_score": "0.5"}, "--confirm-score belongs", "leave it out"),
        ({"confirm_score": "1.5"}, "confirm_score is 1.5", "use 0 to 1"),
        ({"level": True, "model": "x"}, "--model belongs", "leave one"),
        ({"format": "s8"}, "format is 's8'", ""),
    ],
)
def test_mistakes(flags, message, hint):
    with pytest.raises(UsageError) as e:
        load_options(flags, {})
    assert message in str(e.value)
    assert hint in e.value.hint


def test_mistakes_elsewhere_name_their_place(tmp_path):
    with pytest.raises(UsageError, match=r"RT_THRESHOLD: threshold is 'yes=0\.5'"):
        load_options({}, {"RT_THRESHOLD": "yes=0.5"})
    file = tmp_path / "g.toml"
    file.write_text("treshold = 0.5\n")
    with pytest.raises(UsageError, match="there is no setting treshold") as e:
        load_options({}, {}, file)
    assert e.value.hint == "did you mean threshold?"
    file.write_text("[decision]\nconfirm = 2\n")
    with pytest.raises(UsageError, match="there is no setting decision"):
        load_options({}, {}, file)


def test_a_setting_elsewhere_does_not_clash_with_level():
    """A threshold in the environment is for the runs with a model."""
    assert load_options({"level": True}, {"RT_THRESHOLD": "0.5", "RT_MODEL": "x"})[0].level


def test_the_users_own_file(tmp_path):
    (tmp_path / "rt-tag").mkdir()
    (tmp_path / "rt-tag/rt-gate.toml").write_text("range_db = -12\n")
    (tmp_path / "rt-tag/rt-tag.toml").write_text("top = 3\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert load_options({}, environ)[0].range_db == -12


def test_a_model_that_is_no_gate(kit):
    with pytest.raises(CardError, match="model bands names sounds") as e:
        settled({}, kit.band_card())
    assert "rt-tag --model bands" in e.value.hint
    with pytest.raises(CardError, match="is for task vad"):
        settled({}, kit.band_card(task="vad"))


def test_shown_settings_are_a_settings_file(kit, tmp_path, capsys):
    from realtime.commands.listing import print_config

    card = kit.gate_card()
    flags = {"threshold": "0.25", "key": "a b.wav", "duck": True, "lookahead_ms": "7"}
    found, rows = settled(flags, card)
    print_config(rows)
    text = capsys.readouterr().out
    assert "# --duck" in text
    file = tmp_path / "again.toml"
    file.write_text(text)
    assert settled({}, card, config=file)[0] == found
    assert tomllib.loads(text)["key"] == "a b.wav"
