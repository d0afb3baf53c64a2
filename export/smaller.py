"""A float model becomes a smaller one, of the kind that was ordered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from export import verify, weights
from export.calibrate import Clips
from export.order import Order
from export.sensitivity import Cost, Search, marked
from realtime.card import Card
from realtime.runners import Runner, open_runner
from realtime.runners.plan import Array, Plan


class Made(msgspec.Struct, frozen=True):
    """A model file without a card, how it was quantized, and what int8 costs in its layers."""

    model: bytes
    method: str = ""
    costs: tuple[Cost, ...] = ()


def smaller(order: Order, model: bytes) -> Made:
    """Weights of fewer bits, without calibration."""
    if order.kind == "float16":
        made = Made(weights.tflite_float16(model), "weights float16")
    elif order.onnx:
        from export.to_onnx import slimmed

        made = Made(slimmed(weights.onnx_dynamic(model)), "matrices int8 of seven bits")
    else:
        made = Made(weights.tflite_dynamic(model), "weights int8")
    weights.warn_if_large(order.kind, len(model), len(made.model))
    if order.kind == "dynamic":
        made = msgspec.structs.replace(made, method=f"{made.method}, activations as they come")
    return made


def static(
    order: Order, model: bytes, card: Card, source: Runner, clips: Clips, bound: float,
    scratch: Path,
) -> Made:  # fmt: skip
    """The int8 model: half of the clips calibrate, the others choose.

    While the mean score difference is over `bound`, layers are left in float. Candidates are
    written to `scratch`.
    """
    from export.quantize import Choice, choices, choose

    spans_of, layers_of, quantize, keeps = _tools(order)
    calibrating, choosing = clips.halves()
    plan = Plan(card, card.name)
    spans = spans_of(model, [plan.arrange(w) for w in calibrating.windows])
    want = verify.scores_of(source, choosing.windows)

    def make(choice: Choice) -> bytes:
        candidate: bytes = quantize(model, spans, choice)
        return candidate

    def gaps(candidate: bytes) -> Array:
        scratch.write_bytes(candidate)
        have = verify.scores_of(open_runner(scratch, card=card, threads=1), choosing.windows)
        return verify.gaps(want, have)

    layers = layers_of(model)
    search = Search(layers, make, gaps)
    floats: tuple[str, ...] = ()
    if order.keep not in ("auto", "none"):
        from export.layers import named

        floats = named(layers, order.keep.split(","))
    best, choice, error = choose(make, search.error, choices(keeps, floats))
    costs: list[Cost] = []
    too_much = error > bound and order.keep == "auto"
    if order.sensitivity or too_much:
        costs = search.costs(choice.share)
    if too_much:
        found, trial, less = search.keep_worst(choice, costs, bound)
        if less < error:
            best, choice = found, trial
    return Made(best, f"{choice}; {clips.what}", marked(costs, choice, layers))


def _tools(order: Order) -> Any:
    """Of the format: ranges of tensors, layers, the quantizer, and what may stay float."""
    from export import layers

    if order.onnx:
        from export import int8_onnx as on

        return on.onnx_spans, layers.onnx_layers, on.onnx_int8, on.KEEPS
    from functools import partial

    from export import int8_tflite as tf

    full = order.kind == "int8-full"
    make = partial(tf.tflite_int8, full=full)
    return tf.tflite_spans, layers.tflite_layers, make, tf.KEEPS_FULL if full else tf.KEEPS
