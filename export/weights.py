"""Smaller weights without calibration: dynamic int8, and float16.

Dynamic int8: weights are int8, one scale a channel; activations stay float and are quantized
as they come. In ONNX that is for matrices only: a convolution took 11 times as long so
(ConvInteger has no fast kernel). LiteRT does it for convolutions too.

**Weights of ONNX have seven bits.** On x86-64 without VNNI pairs of products of 8 bits
are added in 16, and saturate. Measured there on two blocks of an AST with random weights: mean
score difference 0.060 with eight bits per channel, 0.013 with seven, which cannot saturate; on
the gate voice-tiny 0.0099 and 0.0012.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence

from export.quiet import quiet

log = logging.getLogger("rt.export.weights")

MATRICES = ["MatMul", "Gemm"]
WORTH = 0.9  # of the float size; a dynamic model over it has hardly any matrices


def onnx_dynamic(model: bytes, floats: Sequence[str] = ()) -> bytes:
    """The matrices of an ONNX model to int8.

    Args:
        model: the float file.
        floats: names of nodes that stay float.
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
            # a Gemm becomes a MatMul of this name on the way
            nodes_to_exclude=[*floats, *(f"{name}_MatMul" for name in floats)],
        )
    return out.getvalue()


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
