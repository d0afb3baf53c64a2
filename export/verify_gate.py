"""Does an exported gate agree with its network? Frame by frame, over running sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from export.sounds import DEMO, Sound, read_all, read_mono
from export.verify import Agreement, Found, Limits, gaps
from models.gate import GateNetwork
from realtime.card import Card
from realtime.frontend import one_shot
from realtime.gate.ideal import runs
from realtime.runners import Runner

Array = NDArray[np.float32]

INT8 = Limits(mean=0.01, worst=0.5, lost=0.0, margin=0.2)
LIMITS = {
    "float": Limits(mean=1e-5, worst=1e-3, lost=0.0, margin=0.02),
    "float16": Limits(mean=1e-3, worst=0.05, lost=0.0, margin=0.05),
    "int8": INT8,
    "dynamic": INT8,
}
SHIFT_FRAMES = 10  # openings this close to each other are one opening
LONGEST_S = 10.0  # of each recording


def running_frames(
    card: Card, sounds: Sequence[Sound], count: int, name: str, seed: int = 0
) -> Array:
    """Frames of recordings of part val, one after the other, float32 [frames, mels].

    The bundled recording comes first; a hop between two recordings is where they are joined.

    Args:
        card: what the model is fed.
        sounds: where to take them from.
        count: recordings beside the bundled one, at most.
        name: of the data, for messages.
        seed: of the drawing.

    Raises:
        AudioError: not one of the sounds could be read.
    """
    spec = card.input.features
    if spec is None:
        raise ValueError("a gate hears features")
    rng = np.random.default_rng(seed)
    held = [s for s in sounds if s.part == "val" and s.role in ("target", "other", "clip")]
    chosen = [held[i] for i in rng.permutation(len(held))[:count]]
    longest = round(LONGEST_S * card.rate)
    pieces = [read_mono(DEMO, card.rate)]
    pieces += [audio[:longest] for _, audio in read_all(chosen, card.rate, name)]
    return one_shot(spec, np.concatenate(pieces))


def compare_gate(
    network: GateNetwork, card: Card, export: Runner, frames: Array, margin: float
) -> Agreement:
    """Run both over the same frames and compare scores and openings.

    Args:
        network: the source.
        card: its threshold decides what is open.
        export: the exported model.
        frames: of running sound, float32 [frames, mels].
        margin: an opening whose best score passes the threshold by less may come or go.
    """
    with torch.inference_mode():
        want = network.eval()(torch.from_numpy(frames)[None])[0][0].sigmoid().numpy()
    export.reset()
    have = np.stack([export.run(frame[None]) for frame in frames])
    gap = gaps(want, have)
    line = card.threshold(card.labels[0])
    ours, theirs = _openings(have, card, line), _openings(want, card, line)
    first = len(read_mono(DEMO, card.rate)) / card.rate  # the bundled recording
    strays = [
        f"open at {e.t:.2f} s only {where}"
        for some, others, where in ((theirs, ours, "before"), (ours, theirs, "after"))
        for e in some
        if e.peak >= line + margin and not _among(e, others, SHIFT_FRAMES * card.hop_s)
    ]
    return Agreement(
        windows=len(frames),
        mean=float(gap.mean()),
        worst=float(gap.max()),
        top=float(((want > line) == (have > line)).mean()),
        labelled=0,
        before=None,
        after=None,
        events=tuple(e for e in ours if e.t < first),
        strays=tuple(strays),
    )


def _openings(scores: Array, card: Card, line: float) -> list[Found]:
    return [
        Found(
            card.labels[0], a * card.hop_s, b * card.hop_s, float(scores[a:b, 0].max(initial=0))
        )
        for a, b in runs(scores[:, 0] > line)
    ]


def _among(event: Found, others: Sequence[Found], shift: float) -> bool:
    return any(o.t - shift <= event.stop and event.t <= o.stop + shift for o in others)
