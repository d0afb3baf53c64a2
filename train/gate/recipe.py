"""Recipes of gates: one TOML file describes a run completely."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from realtime.card import Decision
from realtime.features import FeatureSpec
from train.tables import Fit, Listed, plain


class GateMix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How mixtures are made. Probabilities 0 to 1; levels in dB.

    Args:
        rows: mixtures in a batch.
        seconds: length of a mixture.
        empty: probability of a mixture without the target.
        alone: probability of a target without any other sound.
        second: probability of a second background.
        snr_db: level of the target over the first background, from and to.
        level_db: level of the loudest parts of a mixture, dBFS.
        hiss_db: level of the white noise under everything, dBFS.
        phrase_s: length of a phrase of the target.
        pause_s: pause between phrases.
        favour: kinds of other sounds to hear more often (or less), by this factor.
        speeds: playing speeds of every recording, chosen evenly.
        room: probability that the target is heard in a room.
        whisper: probability that the target is whispered: its harmonics become noise.
        drive: probability that the target is saturated, as shouting into a microphone.
        shape: probability that a sound's spectrum is bent before anything else, each sound's in
            its own way, as other voices, rooms and machines would have it.
        tilt_db: random spectral tilt and bumps, as microphones have.
        band: probability that the upper or lower end of the spectrum is missing.
        mute: probability that the input is digital silence for a while, as before a stream
            begins or while a microphone is switched off.
    """

    rows: int = 80
    seconds: float = 5.0
    empty: float = 0.1
    alone: float = 0.1
    second: float = 0.4
    snr_db: tuple[float, float] = (-7.0, 25.0)
    level_db: tuple[float, float] = (-55.0, -8.0)
    hiss_db: tuple[float, float] = (-100.0, -65.0)
    phrase_s: tuple[float, float] = (0.25, 3.0)
    pause_s: tuple[float, float] = (0.15, 2.0)
    favour: dict[str, float] = msgspec.field(default_factory=dict)
    speeds: tuple[float, ...] = (1.0,)
    room: float = 0.5
    whisper: float = 0.04
    drive: float = 0.1
    shape: float = 0.0
    tilt_db: float = 5.0
    band: float = 0.15
    mute: float = 0.0


class GateLoss(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is minimised; a weight of 0 switches a part off.

    Args:
        label: weight of the cross-entropy of open and closed.
        onset: how much more the first `onset_s` of an opening count in it.
        onset_s: seconds.
        signal: weight of the difference between the gated and the ideally gated signal.
        kinds: weight of telling kinds of sound apart on the side.
    """

    label: float = 1.0
    onset: float = 4.0
    onset_s: float = 0.08
    signal: float = 0.5
    kinds: float = 0.1


class GateRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run.

    Args:
        task: "gate".
        name: of the model, and of the run's folder.
        lookahead_ms: one score for each.
        threshold: score at which the gate opens, for the card.
        decision: hysteresis and minimum hold (`min_duration_s`), for the card.
        data: what is learned from: the roles target, other and room.
        features: the front end; goes into the card.
        model: "network" and the fields of its configuration.
        fit: the optimisation.
        mix: how mixtures are made.
        loss: what is minimised.
    """

    task: Literal["gate"]
    name: str
    data: Listed
    features: FeatureSpec
    model: dict[str, Any]
    fit: Fit
    lookahead_ms: tuple[float, ...] = (0.0, 10.0, 20.0)
    threshold: float = 0.5
    decision: Decision = Decision()
    mix: GateMix = GateMix()
    loss: GateLoss = GateLoss()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the card, with names in place of paths: a card travels."""
        return plain(self)
