"""`Card`: what a model says about itself. JSON, in its file or beside it; checked before use.

Read by the runners, written by `export.stamp` and `models.checkpoint`. The fields are a
public surface (docs/card.md): a change raises `FORMAT`. Unknown fields, missing fields and
contradictions are errors that name the field.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from realtime.errors import CardError
from realtime.features import HIGHEST_RATE, LOWEST_RATE, FeatureSpec

FORMAT = 1
MOST_BYTES = 1 << 20  # of JSON
AXES = "bcntf"  # of a model's input

Unit = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=3600.0)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)]


class StateSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One state tensor of a stateful model: zeros first, then the output handed in again.

    Args:
        name: name of the model's input.
        shape: fixed shape.
        type: element type.
        output: name of the output that carries the next state; empty means outputs follow the
            scores in the order of the states.
    """

    name: str
    shape: tuple[int, ...]
    type: Literal["float32", "int8"] = "float32"
    output: str = ""


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the model is fed.

    Args:
        kind: "features" (frames of `features`) or "waveform" (samples).
        features: the front end; required for kind "features", absent for "waveform".
        layout: axes of the model's input, each once and in any order: t time (frames or
            samples), f feature, and b, c, n of length one (batch, channel, clips). Waveforms
            have no f.
        name: name of the model's input tensor; empty takes the first that is no state.
        scale: factor on the samples of a waveform model (32768 for integer sample values).
    """

    kind: Literal["features", "waveform"]
    features: FeatureSpec | None = None
    layout: str = "bctf"
    name: str = ""
    scale: float = 1.0


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How scores become events. See `realtime.decide` for the exact meaning.

    Args:
        smoothing_s: time constant of the exponential smoothing of the scores; 0 is none.
        average: windows in the moving average of the scores; 1 is none.
        hysteresis: an open label closes when its score is under threshold - hysteresis.
        confirm: windows in a row over the threshold before an event starts (patience).
        confirm_score: of a gate: it opens at once when its score reaches this, and otherwise
            when two in a row are over the threshold; 0 is off.
        min_duration_s: an event lasts at least this long.
        refractory_s: after an event's start the same label cannot start again for this long.
        exclusive: at most one label open at a time: the best (single-label models).
        background: labels that never make an event (silence, unknown).
    """

    smoothing_s: Seconds = 0.0
    average: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    hysteresis: Unit = 0.1
    confirm: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    confirm_score: Unit = 0.0
    min_duration_s: Seconds = 0.0
    refractory_s: Seconds = 0.0
    exclusive: bool = False
    background: tuple[str, ...] = ()


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model's own description.

    Args:
        format: version of the card.
        name: short name of the model.
        task: "tag", "gate" or "vad".
        input: what the model is fed.
        rate: sampling rate in Hz the model hears.
        window_s: seconds of audio one run of the model sees (for a stateful model, that one
            step adds).
        hop_s: seconds between two runs.
        labels: names of the scores, in order.
        thresholds: score at which a label starts; `default` for labels not named.
        scores: what the outputs are: probabilities ("sigmoid", "softmax") or raw ("logit":
            sigmoid applied by the runner, "logit_softmax": softmax applied by the runner).
        states: state tensors, empty for whole windows.
        output: name of the score tensor; empty takes the first that is no state.
        constants: further inputs of the model, by name, and the number that each is filled with
            (a length, a flag).
        decision: how scores become events.
        licence: licence of the weights.
        trained_on: data sets, with their licences.
        measured: figures: {"figure", "data", "command", ...} each.
        recipe: the recipe the model was trained with.
        digest: digest of the front end's spec and tables; empty is not checked.
        lookahead_ms: of a gate: how long before the newest sample heard each score speaks of,
            milliseconds, one for each label, ascending; empty means all speak of the present.
    """

    format: int
    name: str
    task: Literal["tag", "gate", "vad"]
    input: InputSpec
    rate: int
    window_s: Annotated[float, msgspec.Meta(gt=0.0, le=120.0)]
    hop_s: Annotated[float, msgspec.Meta(gt=0.0, le=120.0)]
    labels: tuple[str, ...]
    thresholds: dict[str, Unit] = msgspec.field(default_factory=dict)
    scores: Literal["sigmoid", "softmax", "logit", "logit_softmax"] = "sigmoid"
    states: tuple[StateSpec, ...] = ()
    output: str = ""
    constants: dict[str, float] = msgspec.field(default_factory=dict)
    decision: Decision = Decision()
    licence: str = ""
    trained_on: tuple[str, ...] = ()
    measured: tuple[dict[str, Any], ...] = ()
    recipe: dict[str, Any] = msgspec.field(default_factory=dict)
    digest: str = ""
    lookahead_ms: tuple[Milliseconds, ...] = ()

    def __post_init__(self) -> None:
        """Refuse contradictions, naming the field."""
        if self.format != FORMAT:
            raise CardError(
                f"card field format is {self.format}", f"this version reads format {FORMAT}"
            )
        if not self.labels:
            raise CardError("card field labels is empty", "name every score")
        twice = sorted(x for x, n in Counter(self.labels).items() if n > 1)
        if twice:
            raise CardError(
                f"card field labels names {', '.join(twice)} twice", "labels are unique"
            )
        for where, names in (
            ("thresholds", [k for k in self.thresholds if k != "default"]),
            ("decision.background", self.decision.background),
        ):
            stray = sorted(set(names) - set(self.labels))
            if stray:
                raise CardError(
                    f"card field {where} names {', '.join(stray)}", "that is none of the labels"
                )
        for state in self.states:
            if min(state.shape, default=1) < 1:
                raise CardError(
                    f"card field states.{state.name}.shape is {list(state.shape)}",
                    "shapes are fixed: use 1 or more",
                )
        if self.decision.confirm_score and self.task != "gate":
            raise CardError(
                f"card field decision.confirm_score is given and task is {self.task}",
                "it is a gate's; others have confirm",
            )
        self._check_lookahead()
        self._check_input()

    def _check_lookahead(self) -> None:
        given = self.lookahead_ms
        if not given:
            return
        if self.task != "gate":
            raise CardError(
                f"card field lookahead_ms is given and task is {self.task}",
                "only a gate's scores look back",
            )
        if len(given) != len(self.labels):
            raise CardError(
                f"card field lookahead_ms has {len(given)} numbers and labels "
                f"{len(self.labels)}",
                "give one for each label",
            )
        if any(b <= a for a, b in pairwise(given)):
            raise CardError(
                f"card field lookahead_ms is {list(given)}",
                "sort the scores, the present first",
            )

    def _check_input(self) -> None:
        spec = self.input.features
        if (self.input.kind == "features") != (spec is not None):
            raise CardError(
                f"card field input.kind is {self.input.kind} and input.features is "
                f"{'missing' if spec is None else 'given'}",
                "features belong to kind features",
            )
        if self.hop_s > self.window_s and not self.states:
            raise CardError(
                f"card field hop_s ({self.hop_s}) is longer than window_s ({self.window_s})",
                "windows may overlap but leave no gap",
            )
        layout = self.input.layout
        if "t" not in layout or set(layout) - set(AXES) or len(set(layout)) < len(layout):
            raise CardError(
                f"card field input.layout is {layout!r}",
                f"use t and other letters of {AXES}, each once, such as bctf",
            )
        if ("f" in self.input.layout) != (spec is not None and spec.kind != "waveform"):
            raise CardError(
                f"card field input.layout is {self.input.layout}", "f is for features only"
            )
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise CardError(
                f"card field rate is {self.rate}", f"use {LOWEST_RATE} to {HIGHEST_RATE} Hz"
            )
        if spec is None:
            return
        if spec.rate != self.rate:
            raise CardError(
                f"card field rate is {self.rate} and input.features.rate {spec.rate}",
                "make them equal",
            )
        if abs(self.hop_frames * spec.hop - self.hop_s * self.rate) > 1e-6 * self.rate:
            raise CardError(
                f"card field hop_s ({self.hop_s}) is no whole number of frames of {spec.hop} "
                "samples",
                f"use a multiple of {spec.hop / self.rate:g}",
            )
        if self.digest and self.digest != spec.digest():
            raise CardError(
                f"card field digest is {self.digest} and the front end here gives "
                f"{spec.digest()}",
                "the model was made with another version of the features: export it again",
            )

    @property
    def window_frames(self) -> int:
        """Frames in one window (features only)."""
        spec = self._features()
        samples = round(self.window_s * self.rate)
        if self.states or spec.center or spec.kind == "waveform":
            return round(samples / spec.hop)
        return spec.frames_in(samples)

    @property
    def hop_frames(self) -> int:
        """Frames between two windows (features only)."""
        return max(1, round(self.hop_s * self.rate / self._features().hop))

    def _features(self) -> FeatureSpec:
        if self.input.features is None:
            raise ValueError("a waveform model has no frames")
        return self.input.features

    def threshold(self, label: str) -> float:
        """Score at which `label` starts."""
        return self.thresholds.get(label, self.thresholds.get("default", 0.5))

    def to_json(self, indent: int = 0) -> str:
        """The card as JSON text. Readers of before `constants` take a card that has none."""
        fields = msgspec.to_builtins(self)
        if not self.constants:
            del fields["constants"]
        data = msgspec.json.encode(fields)
        return (msgspec.json.format(data, indent=indent) if indent else data).decode()


def parse_card(text: str | bytes, where: str) -> Card:
    """Read a card from JSON.

    Args:
        text: JSON.
        where: file name for messages.

    Raises:
        CardError: not JSON, or a field is unknown, missing, of the wrong type or contradicts
            another.
    """
    try:
        return msgspec.json.decode(text, type=Card)
    except msgspec.ValidationError as e:
        # msgspec raises CardError's text through ValidationError when __post_init__ fails
        if isinstance(e.__cause__, CardError):
            raise CardError(f"{where}: {e.__cause__}", e.__cause__.hint) from e
        raise CardError(f"{where}: the card is wrong: {e}", "see docs/card.md") from e
    except msgspec.DecodeError as e:
        raise CardError(f"{where}: the card is no JSON: {e}", "see docs/card.md") from e
    except RecursionError as e:
        raise CardError(f"{where}: the card is nested without end", "simplify it") from e
    except CardError as e:
        raise CardError(f"{where}: {e}", e.hint) from e


def read_card(path: Path) -> Card:
    """Read a card file.

    Raises:
        CardError: as `parse_card`, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as e:
        raise CardError(f"{path}: {e.strerror}", "give the card's file with --card") from e
    if len(text) > MOST_BYTES:
        raise CardError(f"{path} has more than {MOST_BYTES} bytes", "this is no card")
    return parse_card(text, str(path))
