"""Float model files to int8: what activations span, which layers stay float, and the choice.

Weights are int8 per channel, activations 8 bits per tensor, in ONNX as QDQ pairs. A tensor's
range covers the extremes of a share of the calibration windows: 1.0 is min-max; a little less
gives up the few loudest windows for finer steps everywhere else. Which share, and whether the
first and the last layers stay float, is chosen by measured agreement (`choose`).

**ONNX activations are unsigned**, the weights signed. ONNX Runtime has fast kernels for that on
x86-64 and Arm; with signed activations the same model took three times as long on AVX2 (no
VNNI), and is no more precise anywhere.

**The first layer stays float in ONNX.** On x86-64 without VNNI the u8 x s8 kernel adds pairs of
products in 16 bits, which saturate where large inputs meet large weights. Inside a network the
inputs are mostly near zero and it hardly ever happens; log-mel frames are not. Measured on a
DS-CNN: 35 dB of signal to quantisation noise by the arithmetic, 20 dB by that kernel, 35 dB
with the first layer (1 % of the work) in float.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.quiet import quiet
from export.to_onnx import INPUT, slim

Array = NDArray[np.float32]
Keep = Literal["none", "first", "last", "ends"]

SHARES = (1.0, 0.995, 0.99, 0.97)
KEEP_ONNX: tuple[Keep, ...] = ("first", "ends")
KEEP_TFLITE: tuple[Keep, ...] = ("none", "first", "last", "ends")
QUANTIZED = ["Conv", "Add", "Relu", "Gemm", "MatMul", "ReduceMean", "GlobalAveragePool"]
WORTH = 0.95  # float layers cost size: they must lower the error by a twentieth
TAIL = ("Gemm", "MatMul", "ReduceMean", "GlobalAveragePool")

log = logging.getLogger("rt.export.quantize")


class Choice(msgspec.Struct, frozen=True):
    """One way to quantise: the share of windows that ranges cover, and what stays float."""

    share: float
    keep: Keep

    def __str__(self) -> str:
        kept = {"none": "", "first": ", first layer float", "last": ", last layer float"}
        words = kept.get(self.keep, ", first and last layer float")
        return f"ranges of {100 * self.share:g} % of windows{words}"


class Spans(msgspec.Struct, frozen=True):
    """Each tensor's least and greatest value in each calibration window, float32 [windows]."""

    low: dict[str, Array]
    high: dict[str, Array]

    def cover(self, share: float) -> dict[str, tuple[np.float32, np.float32]]:
        """Ranges that hold all values of a share of the windows."""
        return {
            name: (
                np.float32(np.quantile(low, 1 - share)),
                np.float32(np.quantile(self.high[name], share)),
            )
            for name, low in self.low.items()
        }


def choose(
    make: Callable[[Choice], bytes],
    error: Callable[[bytes], float],
    keeps: Iterable[Keep],
) -> tuple[bytes, Choice]:
    """The best of all choices; more float layers only where that is worth it.

    Args:
        make: quantises.
        error: mean difference from the float model on windows that calibrated nothing.
        keeps: what may stay float.
    """
    best: tuple[float, bytes, Choice] | None = None
    for keep, share in product(keeps, SHARES):
        choice = Choice(share, keep)
        model = make(choice)
        e = error(model)
        log.info("%s: mean score difference %.5f, %d bytes", choice, e, len(model))
        gain = 1.0 if best is None or best[2].keep == keep else WORTH
        if best is None or e < best[0] * gain:
            best = e, model, choice
    if best is None:
        raise ValueError("nothing to choose from")
    return best[1], best[2]


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

    return _spans(run())


def onnx_int8(model: bytes, spans: Spans, choice: Choice) -> bytes:
    """A float ONNX model as a slim static QDQ model."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    proto = onnx.shape_inference.infer_shapes(onnx.load_from_string(model))
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
            nodes_to_quantize=[],
            nodes_to_exclude=_kept_nodes(proto.graph.node, choice.keep),
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

    return _spans(run())


def tflite_int8(model: bytes, spans: Spans, choice: Choice) -> bytes:
    """A float TFLite model as an int8 one with float input and output.

    The runner hands over floats, and one operator in the model turns them into int8 faster
    than NumPy does.
    """
    with quiet():
        from ai_edge_quantizer import quantizer, recipe
        from ai_edge_quantizer.qtyping import TFLOperationName
        from ai_edge_quantizer.utils import tfl_flatbuffer_utils

        from export.to_tflite import slim as slim_tflite

        quant = quantizer.Quantizer(bytearray(model), recipe.static_wi8_ai8())
        off = [(".*", TFLOperationName.INPUT), (".*", TFLOperationName.OUTPUT)]
        graph = tfl_flatbuffer_utils.read_model(bytearray(model)).subgraphs[0]
        kept = _kept_outputs(graph, choice.keep)
        off.extend((f"^{name};", TFLOperationName.ALL_SUPPORTED) for name in kept)
        for pattern, operation in off:
            quant.update_quantization_recipe(pattern, operation, algorithm_key="no_quantize")
        ranges = {
            name: {"min": np.array([low]), "max": np.array([high])}
            for name, (low, high) in spans.cover(choice.share).items()
        }
        result = quant.quantize(ranges, enable_progress_report=False).quantized_model
        return slim_tflite(bytes(result))


def _spans(runs: Iterable[dict[str, Array]]) -> Spans:
    low: dict[str, list[np.float32]] = {}
    high: dict[str, list[np.float32]] = {}
    for tensors in runs:
        for name, value in tensors.items():
            if value.dtype == np.float32 and value.size:
                low.setdefault(name, []).append(value.min())
                high.setdefault(name, []).append(value.max())
    return Spans(
        {k: np.array(v, np.float32) for k, v in low.items()},
        {k: np.array(v, np.float32) for k, v in high.items()},
    )


def _kept_nodes(nodes: Any, keep: Keep) -> list[str]:
    """Names of the ONNX nodes that stay float."""
    heavy = [n.name for n in nodes if n.op_type in ("Conv", "Gemm", "MatMul")]
    convolutions = [i for i, n in enumerate(nodes) if n.op_type == "Conv"]
    after = convolutions[-1] + 1 if convolutions else 0
    tail = [n.name for n in nodes[after:] if n.op_type in TAIL]
    first = heavy[:1] if keep in ("first", "ends") else []
    return first + (tail if keep in ("last", "ends") else [])


def _kept_outputs(graph: Any, keep: Keep) -> list[str]:
    """Names of the outputs of the TFLite operators that stay float.

    Up to the first operator with weights, and from the last two (mean and classifier) on.
    """
    with_weights = [
        i
        for i, op in enumerate(graph.operators)
        if len(op.inputs) > 2  # input, weights, bias
    ]
    first = range(with_weights[0] + 1) if with_weights else range(0)
    count = len(graph.operators)
    chosen: set[int] = set()
    if keep in ("first", "ends"):
        chosen |= set(first)
    if keep in ("last", "ends"):
        chosen |= set(range(max(0, count - 2), count))
    return [graph.tensors[graph.operators[i].outputs[0]].name.decode() for i in sorted(chosen)]
