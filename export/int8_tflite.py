"""Float TFLite to static int8, with float or integer input and output."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from export.layers import Layer, members_of, tflite_layers
from export.quantize import Choice, Keep, Spans, spans_of
from export.quiet import quiet

Array = NDArray[np.float32]

KEEPS: tuple[Keep, ...] = ("none", "first", "last", "ends")
KEEPS_FULL: tuple[Keep, ...] = ("none",)  # what is fed integers begins with them


def tflite_spans(model: bytes, inputs: Iterable[Array]) -> Spans:
    """Run a float TFLite model and note what every tensor spans; see `onnx_spans`."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet():  # a delegate would keep the inner tensors to itself
        net = Interpreter(
            model_content=model,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        net.allocate_tensors()
    tensors = {t["name"]: t["index"] for t in net.get_tensor_details() if t["name"]}
    entry = net.get_input_details()[0]["index"]

    def run() -> Iterator[dict[str, Array]]:
        for x in inputs:
            net.set_tensor(entry, x)
            net.invoke()
            found = {}
            for name, index in tensors.items():
                try:
                    found[name] = copy.copy(net.get_tensor(index))
                except ValueError:  # fused away
                    continue
            yield found

    return spans_of(run())


def tflite_int8(model: bytes, spans: Spans, choice: Choice, full: bool = False) -> bytes:
    """A float TFLite model as an int8 one.

    Args:
        model: the float file.
        spans: of its tensors.
        choice: how.
        full: integers go in and come out, for processors that know nothing else. Otherwise an
            operator in the model turns the runner's floats into int8, faster than NumPy does.
    """
    with quiet():
        from ai_edge_quantizer import quantizer, recipe
        from ai_edge_quantizer.qtyping import TFLOperationName

        from export.to_tflite import slim

        layers = tflite_layers(model)
        everything = TFLOperationName.ALL_SUPPORTED
        if choice.only:
            quant = quantizer.Quantizer(bytearray(model))
            for name in members_of(layers, [choice.only]):
                quant.add_static_config(_exactly(name), everything, 8, 8)
        else:
            quant = quantizer.Quantizer(bytearray(model), recipe.static_wi8_ai8())
            off = [(_exactly(name), everything) for name in _kept(layers, choice)]
            if not full:
                off += [(".*", TFLOperationName.INPUT), (".*", TFLOperationName.OUTPUT)]
            for pattern, operation in off:
                quant.update_quantization_recipe(
                    pattern, operation, algorithm_key="no_quantize"
                )
        ranges = {
            name: {"min": np.array([low]), "max": np.array([high])}
            for name, (low, high) in spans.cover(choice.share).items()
        }
        result = quant.quantize(ranges, enable_progress_report=False).quantized_model
        return slim(bytes(result))


def _exactly(name: str) -> str:
    """The pattern of one operator: the names of its outputs, each with a semicolon."""
    return f"^{re.escape(name)};"


def _kept(layers: list[Layer], choice: Choice) -> list[str]:
    """Outputs of the operators that stay float.

    At the ends: up to the first operator with weights, and the last two (mean and classifier).
    """
    outputs = [name for layer in layers for name in layer.members]
    kept = members_of(layers, choice.floats)
    if layers and choice.keep in ("first", "ends"):
        kept += outputs[: outputs.index(layers[0].name) + 1]
    if choice.keep in ("last", "ends"):
        kept += outputs[-2:]
    return list(dict.fromkeys(kept))
