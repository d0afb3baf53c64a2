"""A decision rule chosen after training: tables `[decision]` and `[thresholds]` of a recipe.

`rt-eval tune` finds the rule on the finished model; the checkpoint cannot hold it yet.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from realtime.card import Card, parse_card
from realtime.errors import UsageError
from realtime.toml import read_toml


def with_rule(card: Card, path: Path) -> Card:
    """The card with the rule of a TOML file, whose other tables are not looked at.

    A field of `[decision]` that is not named keeps the card's value; `[thresholds]` replaces.

    Raises:
        UsageError: not readable, no TOML, or without both tables.
        CardError: the rule does not fit the card.
    """
    data = read_toml(path, "name a recipe: see docs/recipes.md")
    found = {name: data[name] for name in ("decision", "thresholds") if name in data}
    if isinstance(data.get("threshold"), float):  # of a gate's recipe
        found["thresholds"] = {"default": data["threshold"]}
    if not found:
        raise UsageError(f"{path}: neither [decision] nor [thresholds]", "see docs/recipes.md")
    fields = msgspec.to_builtins(card)
    if "decision" in found:
        found["decision"] = fields["decision"] | found["decision"]
    fields |= found
    return parse_card(msgspec.json.encode(fields), str(path))
