"""What the tests of export have their checkpoints hear, and the card of those."""

from typing import Any

import msgspec

from realtime.card import FORMAT, Card, InputSpec
from realtime.features import FeatureSpec

SPEC = FeatureSpec(
    kind="mel", rate=16_000, frame=480, mels=40, log_floor=1e-5, mean=-4.0, std=4.0
)
LABELS = ("yes", "no", "up", "unknown")


def trial_card(spec: FeatureSpec = SPEC, **changes: Any) -> Card:
    """Of a tagger of four labels that hears a second."""
    card = Card(
        format=FORMAT,
        name="trial",
        task="tag",
        input=InputSpec(
            kind="features", features=spec, layout="bct" if spec.kind == "waveform" else "bctf"
        ),
        rate=spec.rate,
        window_s=1.0,
        hop_s=0.1,
        labels=LABELS,
        scores="logit_softmax",
        licence="CC0",
        measured=({"figure": "none"},),
        recipe={"name": "trial"},
        digest=spec.digest(),
    )
    return msgspec.structs.replace(card, **changes)
