"""Smaller weights without calibration: dynamic int8, int8 weights alone, and float16.

Dynamic int8: weights are int8, one scale a channel; activations stay float and are quantized
as they come. In ONNX that is for matrices only: a convolution took 11 times as long so
(ConvInteger has no fast kernel). LiteRT does it for convolutions too.

**Weights of ONNX have seven bits.** On x86-64 without VNNI pairs of products of 8 bits
are added in 16, and saturate. Measured there on two blocks of an AST with random weights: mean
score difference 0.060 with eight bits per channel, 0.013 with seven, which cannot saturate.

Weights alone: int8 with one scale a row, everything computed in float. For gates, whose states
return at every step; it takes as long as float, or less where the program of
`realtime.runners.steps` serves, in a quarter of the memory.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

from export.quiet import quiet

log = logging.getLogger("rt.export.weights")

MATRICES = ["MatMul", "Gemm"]
WORTH = 0.9  # of the float size; a dynamic model over it has hardly any matrices


def onnx_dynamic(model: bytes) -> bytes:
    """The matrices of an ONNX model to int8.

    Args:
        model: the float file.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    proto = onnx.load_from_string(model)
    out = io.BytesIO()
    with quiet():
        quantize_dynamic(
            proto,
            out,
            op_types_to_quantize=MATRICES,
            per_channel=True,
            reduce_range=True,  # seven bits
            weight_type=QuantType.QInt8,
        )
    return out.getvalue()


def onnx_weights(model: bytes, chosen: Callable[[str], bool]) -> bytes:
    """Weights of an ONNX model's Gemms to int8, one scale a row; all else stays float.

    A row's largest weight is 127 of its steps, 0 is 0. A runtime computes with the floats that
    they stand for, so nothing saturates and no activation is rounded.

    Args:
        model: the float file; its Gemms take their weights transposed, as torch has them.
        chosen: whether the weights of a name are meant.
    """
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    proto = onnx.load_from_string(model)
    graph = proto.graph
    floats = {w.name: w for w in graph.initializer}
    widened = []
    for node in graph.node:
        turned = any(a.name == "transB" and a.i for a in node.attribute)
        if node.op_type != "Gemm" or not turned or not chosen(node.input[1]):
            continue
        name = node.input[1]
        if name not in floats:  # it has been taken already
            continue
        rows = numpy_helper.to_array(found := floats.pop(name))
        scale = (np.abs(rows).max(1) / 127).astype(np.float32)
        scale[scale == 0] = 1.0
        whole = np.rint(rows / scale[:, None]).astype(np.int8)
        graph.initializer.remove(found)
        for values, part in ((whole, "whole"), (scale, "scale")):
            graph.initializer.append(numpy_helper.from_array(values, f"{name}.{part}"))
        parts = [f"{name}.whole", f"{name}.scale"]
        widened.append(helper.make_node("DequantizeLinear", parts, [name], axis=0))
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    made: bytes = proto.SerializeToString()
    return made


def tflite_dynamic(model: bytes) -> bytes:
    """The weights of a TFLite model to int8."""
    with quiet():
        from ai_edge_quantizer import quantizer, recipe

        from export.to_tflite import slim

        quant = quantizer.Quantizer(bytearray(model), recipe.dynamic_wi8_afp32())
        return slim(bytes(quant.quantize(enable_progress_report=False).quantized_model))


def tflite_float16(model: bytes) -> bytes:
    """The weights of a TFLite model to float16; LiteRT widens them when it loads the file."""
    with quiet():
        from ai_edge_quantizer import quantizer
        from ai_edge_quantizer.algorithm_manager import AlgorithmName
        from ai_edge_quantizer.qtyping import TFLOperationName

        from export.to_tflite import slim

        quant = quantizer.Quantizer(bytearray(model))
        quant.add_weight_only_config(
            ".*", TFLOperationName.ALL_SUPPORTED, 16, algorithm_key=AlgorithmName.FLOAT_CASTING
        )
        return slim(bytes(quant.quantize(enable_progress_report=False).quantized_model))


def warn_if_large(kind: str, before: int, after: int) -> None:
    """Say it when a type has hardly made a file smaller."""
    if after > WORTH * before:
        log.warning(
            "--type %s leaves %d of %d KB: the weights are in convolutions; --type int8 "
            "takes those too",
            kind,
            after // 1000,
            before // 1000,
        )
