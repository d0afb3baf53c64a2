"""Float ONNX to static int8: QDQ pairs around what is quantized.

**Activations are unsigned**, the weights signed. ONNX Runtime has fast kernels for that on
x86-64 and Arm; with signed activations the same model took three times as long on AVX2 (no
VNNI), and is no more precise anywhere.

**The first layer stays float.** On x86-64 without VNNI the u8 x s8 kernel adds pairs of
products in 16 bits, which saturate where large inputs meet large weights. Inside a network the
inputs are mostly near zero and it hardly ever happens; log-mel frames are not. Measured on a
DS-CNN: 35 dB of signal to quantisation noise by the arithmetic, 20 dB by that kernel, 35 dB
with the first layer (1 % of the work) in float.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.layers import members_of, onnx_layers
from export.quantize import Choice, Keep, Spans, spans_of
from export.quiet import quiet
from export.to_onnx import INPUT, slim

Array = NDArray[np.float32]

KEEPS: tuple[Keep, ...] = ("first", "ends")
QUANTIZED = ["Conv", "Add", "Relu", "Gemm", "MatMul", "ReduceMean", "GlobalAveragePool"]
TAIL = ("Gemm", "MatMul", "ReduceMean", "GlobalAveragePool")


def onnx_spans(model: bytes, inputs: Iterable[Array]) -> Spans:
    """Run a float ONNX model and note what every tensor spans.

    Args:
        model: the file's bytes.
        inputs: float32, each of the input's shape.
    """
    import onnx
    import onnxruntime as ort

    proto = onnx.load_from_string(model)
    have = {o.name for o in proto.graph.output}
    for node in proto.graph.node:
        for name in node.output:
            if name not in have and node.op_type != "Constant":
                proto.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [o.name for o in session.get_outputs()]

    def run() -> Iterator[dict[str, Array]]:
        for x in inputs:
            yield {INPUT: x, **dict(zip(names, session.run(names, {INPUT: x}), strict=True))}

    return spans_of(run())


def onnx_int8(model: bytes, spans: Spans, choice: Choice) -> bytes:
    """A float ONNX model as a slim static QDQ model."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    proto = onnx.shape_inference.infer_shapes(onnx.load_from_string(model))
    layers = onnx_layers(model) if choice.only or choice.floats else []
    kept = _kept_nodes(proto.graph.node, choice.keep) + members_of(layers, choice.floats)
    ranges = TensorsData(
        CalibrationMethod.MinMax,
        {
            name: TensorData(lowest=low, highest=high)
            for name, (low, high) in spans.cover(choice.share).items()
        },
    )
    with quiet():
        quantizer = QDQQuantizer(
            proto,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=ranges,
            nodes_to_quantize=members_of(layers, [choice.only]),
            nodes_to_exclude=[] if choice.only else kept,
            op_types_to_quantize=QUANTIZED,
            # Float biases would save 8 bytes a channel, but ONNX Runtime 1.20 does not fuse
            # such convolutions: 28 ms in place of 0.8 (1.31 does).
            extra_options={"QuantizeBias": True},
        )
        quantizer.quantize_model()
    result = quantizer.model.model
    slim(result)
    data: bytes = result.SerializeToString()
    return data


def _kept_nodes(nodes: Any, keep: Keep) -> list[str]:
    """Names of the ONNX nodes that stay float."""
    heavy = [n.name for n in nodes if n.op_type in ("Conv", "Gemm", "MatMul")]
    convolutions = [i for i, n in enumerate(nodes) if n.op_type == "Conv"]
    after = convolutions[-1] + 1 if convolutions else 0
    tail = [n.name for n in nodes[after:] if n.op_type in TAIL]
    first = heavy[:1] if keep in ("first", "ends") else []
    return first + (tail if keep in ("last", "ends") else [])
