"""What came of a lesson, in a sentence and in figures."""

import pytest

from gui.lanes import parted
from gui.trial import level_settings
from gui.verdict import columns, figures, verdict


def test_the_level_gate_is_the_one_of_the_report(report):
    assert level_settings(report()) == {
        "threshold_db": -42.0, "close_db": -48.0, "hold_ms": 20.0, "key_lowpass": 500.0,
    }  # fmt: skip
    assert level_settings({"old_examples": {}}) == {}


@pytest.mark.parametrize(
    ("use", "advice", "text", "good"),
    [
        ("learned", "better one at any level: rt-gate", "and at others.", True),
        ("learned", "better one at your levels: rt-gate", "at others they tie", True),
        ("level", "at your levels; should levels change much, the", "Should levels", False),
        ("either", "(neither is good yet: record more)", "Neither is good yet", False),
    ],
)
def test_the_verdict_is_that_of_the_program(report, use, advice, text, good):
    head, words, worth = verdict(report(use, advice))
    assert text in words
    assert worth is good
    assert ("Your gate is the better one" in head) is good


def test_the_figures_say_which_is_better(report):
    rows = dict(figures(report()))
    assert rows["Missed altogether"] == [("0 of 80", True), ("3 of 80", False)] * 2
    assert rows["Beginning cut off"] == [("10 ms", False)] * 4
    assert rows["– in the worst 5 %"][0] == ("20 ms", False)
    assert rows["Wanted sound lost"][:2] == [("5.0 %", True), ("20.0 %", False)]
    assert len(columns(report())) == 4


def test_what_learning_more_did(figures_of):
    more = {
        "old_examples": {
            "before": {"right_pct": 97.0}, "after": {"right_pct": 96.9}, "worse": False,
        },
        "new_examples": {"before": figures_of(0.3), "after": figures_of(0.1)},
    }  # fmt: skip
    head, text, good = verdict(more)
    assert head == "It has learned, and forgotten nothing."
    assert "96.9 %" in text
    assert good
    assert len(figures(more)[0][1]) == len(columns(more)) == 2
    for figures_ in more["new_examples"].values():  # only of what shall stay out
        figures_ |= {"targets": 0, "target_lost_pct": None}
        figures_["onset_cut_ms"] = {"median": None, "p95": None}
    assert [name for name, _ in figures(more)] == ["Wrongly open, in a minute"]
    more["old_examples"]["worse"] = True
    assert "keep the old gate" in verdict(more)[0]


def test_openings_that_are_wrong_are_told_from_right_ones():
    right, wrong = parted(((0.0, 0.5), (0.95, 3.0)), ((1.0, 2.0),))
    assert right == ((0.95, 2.1),)
    assert wrong == ((0.0, 0.5), (2.1, 3.0))
    assert parted((), ((1.0, 2.0),)) == ((), ())
