"""Settings: who is heard when several speak, and what a mistake is answered with."""

import tomllib

import pytest

from realtime.card import Decision
from realtime.errors import UsageError
from realtime.fields import parse_thresholds
from realtime.settings import load_settings, settle


def test_precedence(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(
        'model = "file"\ndevice = "file"\nrate = 48000\n'
        "[thresholds]\nyes = 0.7\n[decision]\nconfirm = 2\naverage = 3\n"
    )
    environ = {"RT_MODEL": "env", "RT_DEVICE": "env", "RT_DECISION_CONFIRM": "4"}
    found = load_settings({"model": "flag"}, environ, file)
    values, origins = found.values, found.origins
    assert (values.model, values.device, values.rate, values.threads) == (
        "flag",
        "env",
        48000,
        1,
    )
    assert (values.decision.confirm, values.decision.average) == (4, 3)
    assert values.thresholds == {"yes": 0.7}
    assert origins == {
        "model": "--model", "device": "RT_DEVICE", "rate": str(file),
        "thresholds.yes": str(file), "decision.confirm": "RT_DECISION_CONFIRM",
        "decision.average": str(file),
    }  # fmt: skip


def test_defaults():
    assert load_settings({}, {}).values.model == "kws12"
    assert load_settings({}, {}).origins == {}


def test_user_file(tmp_path):
    (tmp_path / "rt-tag").mkdir()
    (tmp_path / "rt-tag/rt-tag.toml").write_text("top = 9\n")
    assert load_settings({}, {"XDG_CONFIG_HOME": str(tmp_path)}).values.top == 9
    (tmp_path / ".config").symlink_to(tmp_path)
    assert load_settings({}, {"HOME": str(tmp_path)}).values.top == 9


def test_config_by_environment(tmp_path):
    (tmp_path / "c.toml").write_text("top = 7\n")
    assert load_settings({}, {"RT_CONFIG": str(tmp_path / "c.toml")}).values.top == 7


def test_a_threshold_for_all_replaces_what_was_said_before(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text("[thresholds]\nyes = 0.7\nno = 0.8\n")
    assert load_settings({"threshold": "0.6"}, {}, file).values.thresholds == {"default": 0.6}
    both = load_settings({"threshold": "yes=0.5"}, {"RT_THRESHOLD": "0.9"}, file).values
    assert both.thresholds == {"default": 0.9, "yes": 0.5}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.6", {"default": 0.6}),
        ("yes=0.7,no=.5", {"yes": 0.7, "no": 0.5}),
        ("0.6, yes = 1", {"default": 0.6, "yes": 1.0}),
        ("a=b=0.5", {"a=b": 0.5}),
    ],
)
def test_thresholds(text, found):
    assert parse_thresholds(text, "--threshold") == found


@pytest.mark.parametrize("text", ["", "yes", "yes=", "yes=high", "1.5", "yes=-0.1", "nan", ","])
def test_wrong_thresholds(text):
    with pytest.raises(UsageError, match="--threshold"):
        parse_thresholds(text, "--threshold")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('modell = "x"', "there is no setting modell", "did you mean model?"),
        ("[decision]\nconfirn = 2", "no setting decision.confirn", "did you mean confirm?"),
        ("[decisions]\nconfirm = 2", "no setting decisions", "did you mean decision?"),
        ("decision = 2", "decision is no table", "write [decision]"),
        ("threads = 1.5", "threads is 1.5", "use a whole number"),
        ('threads = "many"', "threads is 'many'", ""),
        ("threads = -1", "threads is -1", "use 0 or more"),
        ("top = 0", "top is 0", "use 1 or more"),
        ('format = "s8"', "format is 's8'", "use s16 or s24 or s32 or f32"),
        ("model = 3", "model is 3", "use a text"),
        ("[decision]\nbackground = [1]", "background is [1]", "a list of texts"),
        ("[thresholds]\nyes = 2", "thresholds.yes is 2", "use 0 to 1"),
        ("[decision]\nhysteresis = 3", "hysteresis is 3", "use 0 to 1"),
        ("model = ", "s.toml: ", "a settings file is TOML"),
        ("[decision]\nexclusive = 1", "exclusive is 1", "true or false"),
    ],
)
def test_mistakes_in_a_file_name_the_file(tmp_path, text, message, hint):
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as e:
        load_settings({}, {}, file)
    assert str(file) in str(e.value)
    assert message in str(e.value)
    assert hint in e.value.hint


def test_mistakes_elsewhere_name_their_place(tmp_path):
    with pytest.raises(UsageError, match="RT_THREADS: threads is 'x'"):
        load_settings({}, {"RT_THREADS": "x"})
    with pytest.raises(UsageError, match=r"--confirm: decision\.confirm is 0"):
        load_settings({"decision.confirm": "0"}, {})
    with pytest.raises(UsageError, match="No such file"):
        load_settings({}, {}, tmp_path / "no.toml")
    (tmp_path / "w.toml").write_bytes(b"\xef\xbb\xbftop = 3\r\n")  # as Windows writes it
    assert load_settings({}, {}, tmp_path / "w.toml").values.top == 3
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        load_settings({}, {}, tmp_path / "b.toml")


def test_the_card_fills_in_the_rest(kit):
    card = kit.band_card(
        thresholds={"default": 0.4, "low": 0.9}, decision=Decision(confirm=3, average=2)
    )
    settings = load_settings({"threshold": "middle=0.8", "decision.average": "5"}, {})
    decision, thresholds, rows = settle(settings, card)
    assert (decision.confirm, decision.average) == (3, 5)
    assert thresholds == {"low": 0.9, "middle": 0.8, "high": 0.4}
    origins = {key: origin for key, _, origin in rows}
    assert origins["thresholds.low"] == "card bands"
    assert origins["thresholds.middle"] == "--threshold"
    assert origins["decision.average"] == "--average"
    assert origins["model"] == "default"


def test_unknown_labels_name_the_nearest(kit):
    card = kit.band_card()
    with pytest.raises(UsageError, match="model bands has no label lov") as e:
        settle(load_settings({"threshold": "lov=0.5"}, {}), card)
    assert e.value.hint == "did you mean low?"
    settings = load_settings({}, {"RT_DECISION_BACKGROUND": "low,hgih"})
    with pytest.raises(UsageError, match="no label hgih"):
        settle(settings, card)


def test_shown_settings_are_a_settings_file(kit, tmp_path, capsys):
    from realtime.commands.listing import print_config

    card = kit.band_card(
        labels=("low", "mid dle", "hoch ß"), decision=Decision(background=("low",))
    )
    settings = load_settings({"decision.confirm": "2", "threshold": "mid dle=0.25"}, {})
    print_config(settle(settings, card)[2])
    text = capsys.readouterr().out
    assert "# --confirm" in text
    file = tmp_path / "again.toml"
    file.write_text(text)
    again = load_settings({}, {}, file)
    assert settle(again, card)[:2] == settle(settings, card)[:2]
    assert tomllib.loads(text)["thresholds"] == {"mid dle": 0.25, "hoch ß": 0.5}
