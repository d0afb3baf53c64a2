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
from export.calibrate import take_clips
from export.kinds import Kind
from export.layers import demand_modules
from export.measure import measure
from export.order import Order
from export.report import Report, metric_of
from export.rule import with_rule
from export.sensitivity import ROOM
from export.smaller import Made, smaller, static
from export.sounds import Sound, list_sounds
from export.stamp import stamp
from export.verify import Agreement
from models.checkpoint import load_model
from models.runner import TorchRunner
from models.streaming import TwinRunner, twin_of
from realtime.card import Card
from realtime.errors import UsageError
from realtime.runners import open_runner


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
    if order.data:
        _check_parts(order.kind, sounds, name)
    if order.stream is not None:
        return _twin(order, part, network, card, sounds, name)
    if card.task == "gate":
        return _gate(order, part, network, card, sounds, name)
    return _tagger(order, part, network, card, sounds, name)


def _check_parts(kind: Kind, sounds: list[Sound], name: str) -> None:
    """Refuse data that would leave calibration or comparison to the bundled sounds, unsaid.

    Raises:
        UsageError: so.
    """
    needed = {"val": "compare"} | ({"train": "calibrate"} if kind in kinds.STATIC else {})
    for part, use in needed.items():
        if not any(s.part == part for s in sounds):
            raise UsageError(
                f"{name}: no sound of part {part} to {use} with",
                "see docs/export.md; in a folder, files of one name are in one part",
            )


def _demand_layers(order: Order, network: Any) -> None:
    """Refuse names of layers that the network does not have, before any work."""
    if order.keep in ("auto", "none"):
        return
    before = "network." if order.embedding else ""  # `to_onnx.WithEmbedding` is around it
    modules = {
        before + name: any(p.ndim > 1 for p in module.parameters(recurse=False))
        for name, module in network.named_modules(remove_duplicate=False)
        if name
    }
    demand_modules(modules, order.keep.split(","))


def _tagger(
    order: Order, part: Path, network: Any, card: Card, sounds: list[Sound], name: str
) -> Report:
    """A network that hears whole windows."""
    _demand_layers(order, network)
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
        made = static(order, model, card, source, train, limits.mean * ROOM, part)
    elif order.kind != "float":
        made = smaller(order, model)
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
        made = smaller(order, model)
    elif order.kind != "float":
        small = (gate.quantize_weights if order.onnx else weights.tflite_dynamic)(model)
        words = "weights int8, "
        words += "sums and the head float" if order.onnx else "activations as they come"
        made = Made(small, words)
    frames = verify_gate.running_frames(card, sounds, order.clips, name)
    part.write_bytes(stamp(made.model, card))
    limits = order.limits(verify_gate.LIMITS)
    runner = open_runner(part, threads=1)
    agreement = verify_gate.compare_gate(network, card, runner, frames, limits.margin)
    verify.require(agreement, limits, order.out.name)
    what = f"{len(frames)} frames of {name}, part val"
    return _written(order, part, card, made, agreement, what)


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
