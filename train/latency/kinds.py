"""Kinds of layer, and which operator is of which kind in ONNX, TFLite and XNNPACK.

A fused operator is of the kind of its weights: a convolution with its activation inside is a
convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

CONVOLUTION: Final = "convolution"
NORMALISATION: Final = "normalisation"
ACTIVATION: Final = "activation"
POOLING: Final = "pooling"
LINEAR: Final = "linear"
ATTENTION: Final = "attention"
RECURRENT: Final = "recurrent"
ARITHMETIC: Final = "add, multiply"
QUANTISE: Final = "quantise, dequantise"
LAYOUT: Final = "layout"
OTHER: Final = "other"
KINDS: Final = (
    CONVOLUTION, NORMALISATION, ACTIVATION, POOLING, LINEAR, ATTENTION, RECURRENT, ARITHMETIC,
    QUANTISE, LAYOUT, OTHER,
)  # fmt: skip

_ONNX: Final = {
    CONVOLUTION: "Conv FusedConv NhwcFusedConv ConvTranspose QLinearConv ConvInteger",
    NORMALISATION: "BatchNormalization LayerNormalization SkipLayerNormalization "
    "SimplifiedLayerNormalization SkipSimplifiedLayerNormalization InstanceNormalization "
    "GroupNormalization RMSNormalization LpNormalization",
    ACTIVATION: "Relu LeakyRelu PRelu Sigmoid QLinearSigmoid QLinearLeakyRelu Tanh HardSigmoid "
    "HardSwish Gelu FastGelu QuickGelu BiasGelu Erf Clip Elu Selu Softplus Mish Swish Softmax "
    "QLinearSoftmax LogSoftmax",
    POOLING: "MaxPool AveragePool GlobalAveragePool GlobalMaxPool QLinearAveragePool "
    "QLinearGlobalAveragePool ReduceMean QLinearReduceMean ReduceMax ReduceSum",
    LINEAR: "Gemm FusedGemm MatMul FusedMatMul QGemm QLinearMatMul MatMulInteger "
    "MatMulIntegerToFloat DynamicQuantizeMatMul MatMulNBits",
    ATTENTION: "Attention MultiHeadAttention QAttention GroupQueryAttention",
    RECURRENT: "GRU LSTM RNN DynamicQuantizeLSTM",
    ARITHMETIC: "Add Sub Mul Div QLinearAdd QLinearMul Pow Sqrt Exp Log Neg Abs Reciprocal Sum",
    QUANTISE: "QuantizeLinear DequantizeLinear DynamicQuantizeLinear",
    LAYOUT: "Reshape Transpose Concat QLinearConcat Slice Split Squeeze Unsqueeze Gather "
    "Expand Pad ReorderInput ReorderOutput Flatten Identity Cast Tile Shape Constant "
    "ConstantOfShape",
}
_TFLITE: Final = {
    CONVOLUTION: "CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV CONV_3D",
    ACTIVATION: "RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU PRELU LOGISTIC TANH HARD_SWISH "
    "GELU ELU SOFTMAX LOG_SOFTMAX MINIMUM MAXIMUM",
    POOLING: "AVERAGE_POOL_2D MAX_POOL_2D MEAN SUM REDUCE_MAX",
    LINEAR: "FULLY_CONNECTED",
    ATTENTION: "BATCH_MATMUL",
    RECURRENT: "UNIDIRECTIONAL_SEQUENCE_LSTM LSTM SVDF",
    ARITHMETIC: "ADD SUB MUL DIV POW SQRT RSQRT SQUARED_DIFFERENCE EXP LOG NEG ABS SQUARE",
    QUANTISE: "QUANTIZE DEQUANTIZE",
    LAYOUT: "RESHAPE TRANSPOSE CONCATENATION SLICE STRIDED_SLICE SPLIT SPLIT_V PAD PADV "
    "SQUEEZE EXPAND_DIMS GATHER GATHER_ND PACK UNPACK BROADCAST_TO CAST TILE SELECT SELECT_V2",
}
# by the beginning of the name, the longer first
_XNNPACK: Final = (
    ("Batch Matrix Multiply", ATTENTION),
    ("Deconvolution", CONVOLUTION),
    ("Convolution", CONVOLUTION),
    ("Dynamic Fully Connected", ATTENTION),
    ("Fully Connected", LINEAR),
    ("Max Pooling", POOLING),
    ("Average Pooling", POOLING),
    ("Global Average Pooling", POOLING),
    ("Mean", POOLING),
    ("Sum", POOLING),
    ("Reduce", POOLING),
    ("Convert", QUANTISE),
    *((name, ACTIVATION) for name in (
        "Clamp", "Sigmoid", "HardSwish", "Hard Swish", "Tanh", "TanH", "GELU",
        "Approximate GELU", "ELU", "Leaky ReLU", "PReLU", "Softmax", "Maximum", "Minimum",
    )),
    *((name, ARITHMETIC) for name in (
        "Add", "Subtract", "Multiply", "Divide", "Square", "Reciprocal", "Negate", "Abs", "Exp",
        "Log", "Power",
    )),
    *((name, LAYOUT) for name in (
        "Static Reshape", "Static Expand", "Static Slice", "Copy", "Transpose", "Concatenate",
        "Constant Pad", "Static Constant Pad", "Slice", "Split", "Even Split", "Broadcast",
    )),
)  # fmt: skip
HEAVY_XNNPACK: Final = tuple(
    name for name, kind in _XNNPACK if kind in (CONVOLUTION, LINEAR, ATTENTION)
)
HEAVY_TFLITE: Final = (*_TFLITE[CONVOLUTION].split(), "FULLY_CONNECTED", "BATCH_MATMUL")


class Layer(msgspec.Struct, frozen=True):
    """One operator: of a file (with its work), or run by a runtime (with its time).

    Args:
        name: of the operator, as the file or the runtime calls it.
        kind: one of `KINDS`.
        macs: multiply-accumulates of one run.
        ms: milliseconds of one run.
    """

    name: str
    kind: str
    macs: int = 0
    ms: float = 0.0


Shape = Sequence[int]

QUICKEST: Final = 0.75  # share of the runs that a layer's time is the mean of


def typical(times: Sequence[float]) -> float:
    """Mean of the quickest three quarters: the others may have waited for the processor.

    Not the median: profilers count whole microseconds, and many layers take less than one.
    """
    kept = sorted(times)[: max(1, math.ceil(QUICKEST * len(times)))]
    return sum(kept) / len(kept)


def onnx_kind(op: str, inputs: Sequence[Shape]) -> str:
    """Kind of an ONNX operator, of ONNX Runtime's own ones too.

    Args:
        op: its type.
        inputs: shapes of its inputs, as far as the runtime tells them.
    """
    kind = _by_name(_ONNX).get(op, OTHER)
    deep = sum(len(shape) >= 3 for shape in inputs)
    # sound by sound, not sound by weights; and the softmax between the two such products
    if ("MatMul" in op and deep >= 2) or (op.endswith("Softmax") and deep and op[0] != "L"):
        return ATTENTION
    return kind


def onnx_macs(op: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Multiply-accumulates of an ONNX operator as a file holds it: 0 of what is no product."""
    if not inputs or not outputs:
        return 0
    made = math.prod(outputs[0])
    if op in ("Conv", "ConvInteger"):
        return made * math.prod(inputs[1][1:])
    if op in ("Gemm", "MatMul", "MatMulInteger"):
        return made * inputs[0][-1]
    if op in ("GRU", "LSTM", "RNN"):  # weights [ways, gates x units, inputs]; [.., units]
        return math.prod(inputs[0][:2]) * sum(math.prod(s) for s in inputs[1:3])
    return 0


def tflite_kind(op: str, inputs: Sequence[Shape]) -> str:
    """Kind of a TFLite operator.

    A pointwise convolution may be written as a FULLY_CONNECTED over a picture.
    """
    if op == "FULLY_CONNECTED" and inputs and len(inputs[0]) == 4:
        return CONVOLUTION
    if op == "SOFTMAX" and inputs and len(inputs[0]) >= 3:
        return ATTENTION
    return _by_name(_TFLITE).get(op, OTHER)


def tflite_macs(op: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Multiply-accumulates of a TFLite operator."""
    if op not in HEAVY_TFLITE or len(inputs) < 2 or not outputs:
        return 0
    made, weights = math.prod(outputs[0]), inputs[1]
    if op == "DEPTHWISE_CONV_2D":  # [1, height, width, channels]
        return made * math.prod(weights[1:3])
    if op == "CONV_2D":  # [channels, height, width, inputs]
        return made * math.prod(weights[1:])
    return made * (inputs[0] if op == "BATCH_MATMUL" else weights)[-1]


def xnnpack_kind(name: str) -> str:
    """Kind of an operator of XNNPACK, which LiteRT hands its work to."""
    return next((kind for start, kind in _XNNPACK if name.startswith(start)), OTHER)


def _by_name(table: dict[str, str]) -> dict[str, str]:
    return {op: kind for kind, ops in table.items() for op in ops.split()}
