"""Fixtures of all rooms: scripted sound, a runner that returns given scores, an output that
remembers, and small models whose scores follow the energy of bands, so that tests can assert
real behaviour on real signals.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from realtime.card import Card, Decision, InputSpec, StateSpec
from realtime.features import FeatureSpec, mel_table
from realtime.outputs import Event, Opening, Reading
from realtime.sources import Block, DeviceChange

RATE = 16_000
BAND_LABELS = ("low", "middle", "high")
BAND_HZ = (400.0, 1500.0, 5000.0)  # a tone in each label's band

BAND_SPEC = FeatureSpec(
    kind="mel", rate=RATE, frame=400, hop=160, fft=512, mels=32, log_floor=1e-6
)


def band_card(**changes: Any) -> Card:
    """The card of `band_model`: half-second windows, five decisions a second."""
    card = Card(
        format=1,
        name="bands",
        task="tag",
        input=InputSpec(kind="features", features=BAND_SPEC, layout="bctf"),
        rate=RATE,
        window_s=0.5,
        hop_s=0.1,
        labels=BAND_LABELS,
        thresholds={"default": 0.5},
        scores="logit",
        decision=Decision(hysteresis=0.2),
        licence="CC0-1.0",
    )
    return msgspec.structs.replace(card, **changes)


def band_weights(card: Card) -> tuple[np.ndarray, np.ndarray]:
    """Weights [frames * width, labels] and bias: mean log energy of two bands at a tone, + 2.

    A tone of amplitude 0.3 has about 6 there, the faint noise of `tones` -11, silence -13.8.
    So a score passes 0.5 when somewhat more than half of the window holds the tone.
    """
    frames, width = card.window_frames, BAND_SPEC.width
    centres = mel_table(BAND_SPEC).argmax(axis=0) * RATE / BAND_SPEC.fft
    weights = np.zeros((frames, width, len(card.labels)), np.float32)
    for label, hz in enumerate(BAND_HZ):
        nearest = np.argsort(np.abs(centres - hz))[:2]
        weights[:, nearest, label] = 1.0 / (frames * 2)
    return weights.reshape(frames * width, -1), np.full(len(card.labels), 2.0, np.float32)


class ScriptedSource:
    """Blocks and device changes from a list, or one array cut into blocks."""

    def __init__(
        self,
        sound: np.ndarray | Sequence[Block | DeviceChange],
        rate: int = RATE,
        *,
        block: int = 800,
        live: bool = False,
        name: str = "scripted",
        fault: Exception | None = None,
    ) -> None:
        self.name, self.rate, self.live = name, rate, live
        self.fault = fault
        self.closed = False
        if isinstance(sound, np.ndarray):
            sound = sound.astype(np.float32)
            if sound.ndim == 1:
                sound = sound[:, None]
            self.script: list[Block | DeviceChange] = [
                Block(audio=sound[at : at + block], position=at)
                for at in range(0, len(sound), block)
            ]
        else:
            self.script = list(sound)
        first = next((b for b in self.script if isinstance(b, Block)), None)
        self.channels = first.audio.shape[1] if first is not None else 1

    def blocks(self) -> Iterator[Block | DeviceChange]:
        for block in self.script:
            if self.closed:
                return
            yield block
        if self.fault is not None:
            raise self.fault

    def close(self) -> None:
        self.closed = True


class GivenScores:
    """A runner that returns rows of given scores, the last one for ever; remembers windows."""

    runtime = "given"

    def __init__(self, card: Card, rows: Sequence[Sequence[float]]) -> None:
        self.card = card
        self.rows = np.asarray(rows, np.float32)
        self.windows: list[np.ndarray] = []
        self.resets = 0

    def run(self, window: np.ndarray) -> np.ndarray:
        self.windows.append(window.copy())
        return self.rows[min(len(self.windows), len(self.rows)) - 1]

    def reset(self) -> None:
        self.resets += 1


class Remembers:
    """An output that keeps everything."""

    def __init__(self) -> None:
        self.openings: list[Opening] = []
        self.readings: list[Reading] = []
        self.events: list[Event] = []
        self.ends: list[float] = []
        self.closed: list[bool] = []

    def open(self, opening: Opening) -> None:
        self.openings.append(opening)

    def reading(self, reading: Reading) -> None:
        self.readings.append(reading)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def end(self, t: float) -> None:
        self.ends.append(t)

    def close(self, complete: bool) -> None:
        self.closed.append(complete)


def tones(*parts: tuple[str, float], rate: int = RATE, level: float = 0.3) -> np.ndarray:
    """Sound from (label or "", seconds) parts: tones in labels' bands over faint noise."""
    out = []
    for label, seconds in parts:
        t = np.arange(round(seconds * rate)) / rate
        hz = BAND_HZ[BAND_LABELS.index(label)] if label else 0.0
        out.append(level * np.sin(2 * np.pi * hz * t) if label else np.zeros(len(t)))
    sound = np.concatenate(out)
    noise = np.random.default_rng(1).normal(0, 1e-4, len(sound))
    return (sound + noise).astype(np.float32)


def write_onnx(
    path: Path,
    card: Card | None,
    *,
    weights: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    shape: Sequence[int | str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A linear model over the flattened window as ONNX, with its card inside."""
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    shown = card or band_card()
    if weights is None or bias is None:
        weights, bias = band_weights(shown)
    if shape is None:
        shape = [1, 1, shown.window_frames, BAND_SPEC.width]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["flat"], axis=1),
            helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
        ],
        "bands",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, weights.shape[1]])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    return _save(onnx, graph, path, card, metadata)


def write_stateful_onnx(path: Path, card: Card) -> Path:
    """score = sigmoid-less running sum: state' = state + mean(sound); one label."""
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper

    frames, width = card.window_frames, BAND_SPEC.width
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["sound"], ["mean"], keepdims=0),
            helper.make_node("Add", ["sum", "mean"], ["next"]),
            helper.make_node("Identity", ["next"], ["scores"]),
        ],
        "sums",
        [
            helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, 1, frames, width]),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
    )
    return _save(onnx, graph, path, card, None)


def sum_card(**changes: Any) -> Card:
    """The card of `write_stateful_onnx`."""
    return band_card(
        **{
            "labels": ("sum",),
            "scores": "sigmoid",
            "window_s": 0.02,
            "hop_s": 0.02,
            "states": (StateSpec(name="sum", shape=(1,)),),
            **changes,
        }
    )


GATE_SPEC = FeatureSpec(
    kind="mel", rate=RATE, frame=400, hop=160, fft=512, mels=40, log_floor=1e-8
)


def gate_card(**changes: Any) -> Card:
    """The card of `write_gate_onnx`: one frame in, three scores out, two states."""
    card = Card(
        format=1,
        name="loud",
        task="gate",
        input=InputSpec(kind="features", features=GATE_SPEC, layout="btf"),
        rate=RATE,
        window_s=0.01,
        hop_s=0.01,
        labels=("open", "open_10ms", "open_20ms"),
        thresholds={"default": 0.5},
        scores="sigmoid",
        states=(
            StateSpec(name="mean", shape=(1, 1), output="next_mean"),
            StateSpec(name="count", shape=(1, 1, 2), output="next_count"),
        ),
        output="scores",
        decision=Decision(hysteresis=0.1),
        licence="CC0-1.0",
        lookahead_ms=(0.0, 10.0, 20.0),
    )
    return msgspec.structs.replace(card, **changes)


def write_gate_onnx(path: Path, card: Card) -> Path:
    """A gate that opens when the mean log energy of the bands, smoothed, is over -9.

    White noise of amplitude 0.1 has about -1 there, of 0.001 about -10, silence -18. The second
    and third score are a little readier to open. `embedding` is neither score nor state.
    """
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    mels = GATE_SPEC.mels
    constants = {
        "w": np.full((mels, 1), 1.0 / mels),
        "keep": np.array([[0.5]]),
        "slope": np.array([[1.0]]),
        "floor": np.array([[18.0]]),  # so that states of zero are silence
        "bias": np.array([[-9.0, -8.5, -8.0]]),
        "one": np.array([[[1.0, 0.0]]]),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["flat"], axis=1),
            helper.make_node("Gemm", ["flat", "w", "floor"], ["level"]),
            helper.make_node("Add", ["mean", "level"], ["both"]),
            helper.make_node("Mul", ["both", "keep"], ["next_mean"]),
            helper.make_node("Mul", ["next_mean", "slope"], ["steep"]),
            helper.make_node("Add", ["steep", "bias"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
            helper.make_node("Add", ["count", "one"], ["next_count"]),
            helper.make_node("Concat", ["level", "next_mean"], ["embedding"], axis=1),
        ],
        "loud",
        [
            helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, 1, mels]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("count", TensorProto.FLOAT, [1, 1, 2]),
        ],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 2]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info("next_mean", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("next_count", TensorProto.FLOAT, [1, 1, 2]),
        ],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
    )
    return _save(onnx, graph, path, card, None)


def learnable_card(**changes: Any) -> Card:
    """The card of `write_learnable_onnx`."""
    spec = msgspec.structs.replace(GATE_SPEC, mean=-8.0, std=4.0)
    states = (StateSpec(name="slow", shape=(1, spec.mels), output="next_slow"),)
    return gate_card(
        **{
            "name": "ears",
            "input": InputSpec(kind="features", features=spec, layout="btf", name="sound"),
            "scores": "logit",
            "states": states,
            "trained_on": ("nothing at all",),
            **changes,
        }
    )


def write_learnable_onnx(
    path: Path, card: Card, hidden: int = 16, turned: bool = False
) -> Path:
    """A gate whose head can be learned: it hears the frame, and the frame less its past.

    Its own head is random. `turned` stores the head's matrices the other way round, as
    quantizing does.
    """
    onnx = pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    bands, scores = GATE_SPEC.mels, len(card.labels)
    rng = np.random.default_rng(5)
    constants = {
        "keep": np.array([[0.9]]),
        "take": np.array([[0.1]]),
        "head.hidden.weight": rng.normal(0, 0.1, (hidden, 2 * bands)),
        "head.hidden.bias": np.zeros(hidden),
        "head.score.weight": rng.normal(0, 0.3, (scores, hidden)),
        "head.score.bias": np.zeros(scores),
    }
    if turned:
        for name in ("head.hidden.weight", "head.score.weight"):
            constants[name] = np.ascontiguousarray(constants[name].T)
    gemm = {"transB": 0 if turned else 1}
    hidden_of, score_of = (
        ["head.hidden.weight", "head.hidden.bias"], ["head.score.weight", "head.score.bias"],
    )  # fmt: skip
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["now"], axis=1),
            helper.make_node("Sub", ["now", "slow"], ["change"]),
            helper.make_node("Mul", ["slow", "keep"], ["kept"]),
            helper.make_node("Mul", ["now", "take"], ["taken"]),
            helper.make_node("Add", ["kept", "taken"], ["next_slow"]),
            helper.make_node("Concat", ["now", "change"], ["embedding"], axis=1),
            helper.make_node("Gemm", ["embedding", *hidden_of], ["before"], **gemm),
            helper.make_node("Relu", ["before"], ["hidden"]),
            helper.make_node("Gemm", ["hidden", *score_of], ["scores"], **gemm),
        ],
        "ears",
        [
            helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, 1, bands]),
            helper.make_tensor_value_info("slow", TensorProto.FLOAT, [1, bands]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, scores]),
            helper.make_tensor_value_info("next_slow", TensorProto.FLOAT, [1, bands]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 2 * bands]),
        ],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
    )
    return _save(onnx, graph, path, card, {"of": "a test"})


def write_tflite(
    path: Path, card: Card | None, *, integer: bool = False, beside: Card | None = None
) -> Path:
    """The model of `band_model` as TFLite: one fully connected layer, float or int8."""
    pytest.importorskip("ai_edge_litert", reason="making TFLite models needs ai-edge-litert")
    pytest.importorskip("flatbuffers", reason="making TFLite models needs flatbuffers")
    import flatbuffers
    from ai_edge_litert import schema_py_generated as tfl

    shown = card or beside or band_card()
    weights, bias = band_weights(shown)
    rows = weights.T.copy()  # [labels, frames * width]

    def tensor(
        name: str, shape: Sequence[int], buffer: int, kind: int, scale: float, zero: int
    ):
        t = tfl.TensorT()
        t.name, t.shape, t.buffer, t.type = name.encode(), list(shape), buffer, kind
        if scale:
            t.quantization = tfl.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [scale], [zero]
        return t

    whole = [1, 1, shown.window_frames, BAND_SPEC.width]
    if integer:
        byte, word = tfl.TensorType.INT8, tfl.TensorType.INT32
        scale_w = float(np.abs(rows).max()) / 127
        data = [
            np.rint(rows / scale_w).astype(np.int8).tobytes(),
            np.rint(bias / (0.1 * scale_w)).astype(np.int32).tobytes(),
        ]
        kinds = [(byte, 0.1, 0), (byte, scale_w, 0), (word, 0.1 * scale_w, 0), (byte, 0.12, 10)]
    else:
        data = [rows.tobytes(), bias.tobytes()]
        kinds = [(tfl.TensorType.FLOAT32, 0.0, 0)] * 4
    graph = tfl.SubGraphT()
    named = [("sound", whole, 0), ("w", rows.shape, 1), ("b", bias.shape, 2)]
    named.append(("scores", [1, len(bias)], 0))
    graph.tensors = [tensor(*n, *k) for n, k in zip(named, kinds, strict=True)]
    graph.inputs, graph.outputs = [0], [3]
    operator = tfl.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    operator.builtinOptionsType = tfl.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = tfl.FullyConnectedOptionsT()
    graph.operators = [operator]
    code = tfl.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = tfl.BuiltinOperator.FULLY_CONNECTED
    code.version = 4 if integer else 1
    model = tfl.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = []
    for content in [b"", *data]:
        buffer = tfl.BufferT()
        buffer.data = np.frombuffer(content, np.uint8) if content else None
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    if card is not None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("rt.card.json", card.to_json())
    if beside is not None:
        path.with_name(path.name + ".card.json").write_text(beside.to_json())
    return path


def _save(
    onnx: Any, graph: Any, path: Path, card: Card | None, metadata: dict[str, str] | None
) -> Path:
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
    )
    found = dict(metadata or {})
    if card is not None:
        found["rt.card"] = card.to_json()
    onnx.helper.set_model_props(model, found)
    path.write_bytes(model.SerializeToString())
    return path


class Kit:
    """What tests make things with; the fixture `kit`."""

    band_card = staticmethod(band_card)
    sum_card = staticmethod(sum_card)
    band_weights = staticmethod(band_weights)
    tones = staticmethod(tones)
    write_onnx = staticmethod(write_onnx)
    write_stateful_onnx = staticmethod(write_stateful_onnx)
    gate_card = staticmethod(gate_card)
    write_gate_onnx = staticmethod(write_gate_onnx)
    learnable_card = staticmethod(learnable_card)
    write_learnable_onnx = staticmethod(write_learnable_onnx)
    write_tflite = staticmethod(write_tflite)
    Source = ScriptedSource
    Given = GivenScores
    Remembers = Remembers
    labels = BAND_LABELS
    rate = RATE


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    """Builders of cards, models, sounds and stand-ins."""
    return Kit


@pytest.fixture(scope="session")
def band_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX model that names tones: low, middle, high."""
    return write_onnx(tmp_path_factory.mktemp("models") / "bands.onnx", band_card())


@pytest.fixture(scope="session")
def gate_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX gate with the tensors of the shipped ones, which opens for what is loud."""
    return write_gate_onnx(tmp_path_factory.mktemp("models") / "loud.onnx", gate_card())


@pytest.fixture(scope="session")
def learnable_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX gate with an embedding and a head that `rt-gate learn` can replace."""
    folder = tmp_path_factory.mktemp("models")
    return write_learnable_onnx(folder / "ears.onnx", learnable_card())


@pytest.fixture
def write_wav(tmp_path: Path) -> Callable[..., Path]:
    """Write a sound file into the test's folder."""
    soundfile = pytest.importorskip("soundfile")

    def write(name: str, sound: np.ndarray, rate: int = RATE, **kwargs: Any) -> Path:
        path = tmp_path / name
        soundfile.write(path, sound, rate, **kwargs)
        return path

    return write
