"""`export`: what `rt-export` does, from the checkpoint to the report.

The file is written to a temporary name and compared with its source by the runner that will run
it; `export.command` gives it its own name if that went well.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import torch

from export import kinds, verify, verify_gate, weights
from export.calibrate import Clips, Sound, list_sounds, take_clips
from export.kinds import Kind
from export.measure import measure
from export.report import Report, metric_of
from export.rule import with_rule
from export.sensitivity import ROOM, Cost, Search, marked
from export.stamp import stamp
from export.verify import Agreement, Limits
from models.checkpoint import load_model
from models.runner import TorchRunner
from models.streaming import TwinRunner, twin_of
from realtime.card import Card
from realtime.errors import UsageError
from realtime.runners import Runner, open_runner
from realtime.runners.plan import Array, Plan


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Args:
        checkpoint: `.safetensors` of rt-train.
        out: name of the file; the suffix says the format.
        kind: what the numbers in it are.
        data: a manifest or a folder, see `export.calibrate.list_sounds`.
        root: of the manifest's files.
        clips: windows to calibrate with, and to compare on.
        tolerance: mean score difference allowed, in place of the limits of `verify`.
        rule: TOML whose decision rule replaces the checkpoint's.
        embedding: give what the last linear layer takes as a second output (ONNX taggers).
        stream: make the streaming twin, of so many frames a step; 0 for as suits the model,
            None for the network as it is.
        keep: layers that stay float: "auto", "none", or names with commas.
        sensitivity: find what int8 costs in each layer, whether it must be known or not.
        command: for the card.
    """

    checkpoint: Path
    out: Path
    kind: Kind
    data: Path | None = None
    root: Path | None = None
    clips: int = 400
    tolerance: float | None = None
    rule: Path | None = None
    embedding: bool = False
    stream: int | None = None
    keep: str = "auto"
    sensitivity: bool = False
    command: str = ""

    @property
    def onnx(self) -> bool:
        """Whether it is an ONNX file."""
        return self.out.suffix == ".onnx"

    def limits(self, usual: dict[str, Limits]) -> Limits:
        """The limits of a comparison."""
        limits = usual[self.kind]
        if self.tolerance is not None:
            limits = msgspec.structs.replace(limits, mean=self.tolerance)
        return limits


class Made(msgspec.Struct, frozen=True):
    """A model file without a card, how it was quantized, and what int8 costs in its layers."""

    model: bytes
    method: str = ""
    costs: tuple[Cost, ...] = ()


def export(order: Order, part: Path) -> Report:
    """Export, compare, and write the model to `part`, its card inside.

    Raises:
        UsageError: the network does not have what was asked for.
        ModelError: no checkpoint, or a network that cannot be exported.
        AudioError: no sound could be read.
        ParityError: the result does not agree with the checkpoint.
    """
    # one window keeps one thread busy; two only wait for each other on a machine at work
    torch.set_num_threads(1)
    network, card = load_model(order.checkpoint)
    if order.rule is not None:
        card = with_rule(card, order.rule)
    if order.embedding and (card.task == "gate" or not order.onnx):
        raise UsageError(
            "--embedding is for taggers in ONNX", "leave it out, or use -o FILE.onnx"
        )
    kinds.check_states(order.kind, card)
    sounds, name = list_sounds(order.data, order.root)
    if order.kind in kinds.STATIC and order.data and not any(s.part == "train" for s in sounds):
        raise UsageError(
            f"{name}: no sound of part train to calibrate with", "see docs/export.md"
        )
    if order.stream is not None:
        return _twin(order, part, network, card, sounds, name)
    if card.task == "gate":
        return _gate(order, part, network, card, sounds, name)
    return _tagger(order, part, network, card, sounds, name)


def _tagger(
    order: Order, part: Path, network: Any, card: Card, sounds: list[Sound], name: str
) -> Report:
    """A network that hears whole windows."""
    source = TorchRunner(network, card)
    limits = order.limits(verify.LIMITS)
    if order.onnx:
        from export.to_onnx import to_onnx

        model, card = to_onnx(network, card, order.embedding)
    else:
        from export.to_tflite import to_tflite

        model, card = to_tflite(network, card)
    made = Made(model)
    if order.kind in kinds.STATIC:
        train = take_clips(card, sounds, "train", order.clips, name)
        made = _static(order, model, card, source, train, limits.mean * ROOM, part)
    elif order.kind != "float":
        made = _smaller(order, model)
    judged = take_clips(card, sounds, "val", order.clips, name)
    part.write_bytes(stamp(made.model, card))
    agreement = verify.compare(source, open_runner(part, threads=1), judged, limits.margin)
    verify.require(agreement, limits, order.out.name)
    return _written(order, part, card, made, agreement, judged.what)


def _twin(
    order: Order, part: Path, network: Any, card: Card, sounds: list[Sound], name: str
) -> Report:
    """A tagger's streaming twin: compared step by step over running sound."""
    from export import twin as twins

    if order.kind != "float" or card.task == "gate" or order.embedding:
        raise UsageError("--stream makes float taggers", "leave out --type and --embedding")
    twin, card = twin_of(network, card, order.stream or 0)
    model, card = (twins.twin_to_onnx if order.onnx else twins.twin_to_tflite)(twin, card)
    steps = twins.running_steps(card, sounds, order.clips, name)
    part.write_bytes(stamp(model, card))
    limits = order.limits(verify.LIMITS)
    runner = open_runner(part, threads=1)
    agreement = verify.compare(TwinRunner(twin, card), runner, steps, limits.margin)
    verify.require(agreement, limits, order.out.name)
    return _written(order, part, card, Made(model), agreement, steps.what)


def _gate(
    order: Order, part: Path, network: Any, card: Card, sounds: list[Sound], name: str
) -> Report:
    """A network that hears one frame a step: compared frame by frame over running sound."""
    from export import gate

    if order.sensitivity or order.keep != "auto":
        option = "--sensitivity" if order.sensitivity else "--keep-float"
        raise UsageError(f"{option} with the gate {card.name}", "only its weights are int8")
    model, card = (gate.gate_to_onnx if order.onnx else gate.gate_to_tflite)(network, card)
    made = Made(model)
    if order.kind == "float16":
        made = _smaller(order, model)
    elif order.kind != "float":
        small = (gate.quantize_weights if order.onnx else weights.tflite_dynamic)(model)
        words = "weights int8, activations as they come"
        made = Made(small, f"{words}, the head float" if order.onnx else words)
    frames = verify_gate.running_frames(card, sounds, order.clips)
    part.write_bytes(stamp(made.model, card))
    limits = order.limits(verify_gate.LIMITS)
    runner = open_runner(part, threads=1)
    agreement = verify_gate.compare_gate(network, card, runner, frames, limits.margin)
    verify.require(agreement, limits, order.out.name)
    what = f"{len(frames)} frames of {name}, part val"
    return _written(order, part, card, made, agreement, what)


def _smaller(order: Order, model: bytes) -> Made:
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


def _static(
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


def _written(
    order: Order, part: Path, card: Card, made: Made, agreement: Agreement, data: str
) -> Report:
    """Stamp the final card, which holds the report, which holds the size with the card."""
    report = Report(
        file=order.out.name,
        kind=f"{kinds.FORMATS[order.out.suffix]} {order.kind}",
        method=made.method,
        model_bytes=part.stat().st_size,
        data=data,
        metric=metric_of(agreement),
        agreement=agreement,
        speed=measure(part),
        command=order.command,
        tools=_versions(order.onnx),
        layers=made.costs,
    )
    for _ in range(3):
        final = msgspec.structs.replace(card, measured=(*card.measured, report.entry()))
        stamped = stamp(made.model, final)
        same = len(stamped) == report.model_bytes
        report = msgspec.structs.replace(report, model_bytes=len(stamped))
        if same:
            break
    part.write_bytes(stamped)
    return report


def _versions(onnx: bool) -> str:
    ours = ("onnx", "onnxruntime") if onnx else ("litert-torch", "ai-edge-quantizer")
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", *ours))
