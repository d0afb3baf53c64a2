"""A decision rule found after training goes into the card, and nothing else does."""

from pathlib import Path

import msgspec
import pytest

from export.rule import with_rule
from realtime.card import Card, Decision, InputSpec
from realtime.errors import CardError, UsageError

CARD = Card(
    format=1,
    name="x",
    task="tag",
    input=InputSpec(kind="waveform", layout="bt"),
    rate=16_000,
    window_s=1.0,
    hop_s=0.1,
    labels=("yes", "no", "silence"),
    decision=Decision(background=("silence",)),
)


def test_a_recipe_gives_its_rule(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(
        'name = "other"\n[decision]\naverage = 3\nconfirm = 2\n[thresholds]\ndefault = 0.9\n'
    )
    card = with_rule(CARD, path)
    want = Decision(background=("silence",), average=3, confirm=2)
    assert card == msgspec.structs.replace(CARD, decision=want, thresholds={"default": 0.9})


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("[fit]\nsteps = 3\n", UsageError, "neither"),
        ("[decision\n", UsageError, "no TOML"),
        ("[decision]\naverages = 3\n", CardError, "averages"),
        ("[thresholds]\nyse = 0.5\n", CardError, "yse"),
    ],
)
def test_a_wrong_rule_is_said(
    tmp_path: Path, text: str, error: type[Exception], said: str
) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(error, match=said):
        with_rule(CARD, path)
