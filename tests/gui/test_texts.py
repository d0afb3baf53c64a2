"""Words: every text is translated, and formatted as in English."""

import string
from pathlib import Path

import pytest
from kit_files import load

from gui import i18n

ROOT = Path(__file__).parents[2]
make_texts = load(ROOT / "tests/docs/make_texts.py")

LANGUAGES = sorted(set(i18n.NAMES) - {"en"})


def fields(text):
    return sorted(
        f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_of_the_panel_is_translated(code):
    known = i18n.read(i18n.HERE / f"{code}.po")
    used = make_texts.texts()
    assert [text for text in used if not known.get(text)] == []
    assert sorted(known.keys() - used.keys()) == [], "run tests/docs/make_texts.py"


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_translation_has_the_same_values_in_it(code):
    for text, translated in i18n.read(i18n.HERE / f"{code}.po").items():
        assert fields(text) == fields(translated), text


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_translation_keeps_the_keys_of_menus(code):
    for text, translated in i18n.read(i18n.HERE / f"{code}.po").items():
        assert text.count("&") == translated.count("&"), text


def test_no_two_of_the_gate_page_have_one_key():
    names = ("chooser", "presets", "mistakes", "bar")
    for code in ("en", *LANGUAGES):
        i18n.use(code)
        keys = []
        for name in names:
            for text in make_texts.texts_of((ROOT / f"gui/{name}.py").read_text()):
                found = i18n.tr(text)
                if "&" in found:
                    keys.append(found[found.index("&") + 1].lower())
        assert len(keys) == len(set(keys)), (code, sorted(keys))


def test_the_system_says_which_language(qapp):
    assert i18n.use("de_AT.UTF-8") == "de"
    assert i18n.tr("Mute") == "Stumm"
    assert i18n.use("tlh") == "en"
    assert i18n.tr("Mute") == "Mute"


def test_what_is_no_po_file_is_said_with_its_line(tmp_path):
    path = tmp_path / "xx.po"
    path.write_text('msgid "a"\nmsgstr "b"\n\nnonsense\n')
    with pytest.raises(ValueError, match=r"xx\.po:4"):
        i18n.read(path)


def test_one_and_many():
    i18n.use("en")
    assert i18n.trn("One short gap", "{n} short gaps", 1) == "One short gap"
    assert i18n.trn("One short gap", "{n} short gaps", 3) == "3 short gaps"
