"""ONNX models through ONNX Runtime, on the CPU."""

from __future__ import annotations

import math
import mmap
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.errors import MissingExtra, RunnerError, first_line
from realtime.runners import CARD_KEY, find_card
from realtime.runners.plan import Array, Plan, Tensor
from realtime.runners.untrusted import check_onnx

UNKNOWN = re.compile(r"([\w.:]+)\(-?\d+\) is not a registered function/op")
FATAL_ONLY = 4  # errors reach us as exceptions; the runtime need not print them as well
FLOATS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
SOUND: dict[str, Any] = FLOATS | {"tensor(int16)": np.int16, "tensor(int32)": np.int32}
NUMBERS: dict[str, Any] = SOUND | {
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}  # of constants
STATES = {"float32": "tensor(float)", "int8": "tensor(int8)"}


class OnnxRunner:
    """A model in ONNX Runtime. See `realtime.runners.Runner`.

    Attributes:
        path: the file.
        names: of the input that is no state, and of the scores.
    """

    def __init__(self, session: Any, card: Card, runtime: str, where: str) -> None:
        self.card = card
        self.path = where
        self.runtime = runtime
        self._session = session
        self._plan = Plan(card, where)
        inputs = [_tensor(t) for t in session.get_inputs()]
        sound, scores, states = self._plan.choose(
            inputs, [_tensor(t) for t in session.get_outputs()]
        )
        constants = self._plan.constants(inputs)
        for tensor, types in ((sound, SOUND), *((t, NUMBERS) for t, _ in constants)):
            if tensor.type not in types:
                raise RunnerError(
                    f"{where}: input {tensor.name} takes {tensor.type}",
                    f"this program feeds it {', '.join(types)}",
                )
        for spec, tensor, _ in states:
            if tensor.type != STATES[spec.type]:
                raise RunnerError(
                    f"{where}: state {spec.name} is {tensor.type} and card field "
                    f"states.{spec.name}.type {spec.type}",
                    "make them equal",
                )
        self._input = sound.name
        self.names = sound.name, scores.name
        self._dtype: Any = SOUND[sound.type]
        self._whole = np.iinfo(self._dtype) if sound.type not in FLOATS else None
        self._states = [spec for spec, _, _ in states]
        self._fetch = [scores.name, *(after.name for _, _, after in states)]
        self._feed: dict[str, NDArray[Any]] = {
            tensor.name: value.astype(NUMBERS[tensor.type]) for tensor, value in constants
        }
        self._bound: _Bound | None = None
        self.reset()
        self._warm_up()
        if states:
            after = {spec.name: tensor.name for spec, _, tensor in states}
            self._bound = self._bind(after)

    def run(self, window: Array) -> Array:
        """Score one window; see `Runner.run`."""
        if self._bound is not None:
            return self._plan.probabilities(self._bound.run(self._plan.arrange(window)))
        self._hear(window)
        return self._plan.probabilities(self._step())

    def reset(self) -> None:
        """Set the states to zero."""
        for spec in self._states:
            self._feed[spec.name] = np.zeros(spec.shape, dtype=spec.type)
        if self._bound is not None:
            self._bound.reset()

    def _bind(self, after: dict[str, str]) -> _Bound | None:
        """Tie the tensors of a model with states to arrays, if the runtime keeps to them.

        Nobody promises that it writes where it is told, so three steps are tried both ways.

        Args:
            after: state to the name of the output that carries its next value.
        """
        shape = self._plan.input_shape
        rows = np.linspace(-9.0, 4.0, 3 * math.prod(shape), dtype=self._dtype)
        try:
            inputs = self._feed | {self._input: np.zeros(shape, self._dtype)}
            scores = self._session.run(self._fetch[:1], inputs)[0]
            bound = _Bound(self._session, inputs, self._input, after, self._fetch[0], scores)
            for row in rows.reshape(3, *shape):
                self._feed[self._input] = row
                told = self._step()
                if not np.array_equal(bound.run(row), told, equal_nan=True):
                    return None
        except Exception:  # the runtime has a dozen classes of its own
            return None
        finally:
            self.reset()
        bound.reset()
        return bound

    def _hear(self, window: Array) -> None:
        """Put a window into `_feed`."""
        x = self._plan.arrange(window)
        if self._whole is not None:
            x = np.rint(x).clip(self._whole.min, self._whole.max)
        self._feed[self._input] = x.astype(self._dtype, copy=False)

    def _step(self) -> NDArray[Any]:
        """Run the session on what is in `_feed`; keep the states."""
        scores: NDArray[Any]
        scores, *states = self._session.run(self._fetch, self._feed)
        for spec, state in zip(self._states, states, strict=True):
            self._feed[spec.name] = state
        return scores

    def _warm_up(self) -> None:
        """Run once on zeros: open shapes show themselves, and the first score is quick."""
        try:
            self._hear(np.zeros(self._plan.window_shape, np.float32))
            raw = self._step()
        except Exception as e:  # the runtime has a dozen classes of its own
            raise RunnerError(
                f"{self._plan.where}: the model does not run: {_reason(e)}"
            ) from e
        self._plan.check_trial(raw)
        for spec in self._states:
            if self._feed[spec.name].shape != spec.shape:
                raise RunnerError(
                    f"{self._plan.where}: state {spec.name} comes back with shape "
                    f"{list(self._feed[spec.name].shape)} and card field "
                    f"states.{spec.name}.shape is {list(spec.shape)}"
                )
        self.reset()


class _Bound:
    """A session with states, whose tensors stay where they are in memory.

    A step of a small model is over in some 20 µs; making arrays of its tensors and looking for
    their names would take as long again. The states are in two sets of arrays: a step reads
    one and writes the other.

    Args:
        session: the session.
        inputs: every input, zeros, by name.
        sound: the input that is no state.
        after: state to the name of the output that carries its next value.
        output: name of the scores.
        scores: scores, for their shape.
    """

    def __init__(
        self,
        session: Any,
        inputs: dict[str, NDArray[Any]],
        sound: str,
        after: dict[str, str],
        output: str,
        scores: NDArray[Any],
    ) -> None:
        import onnxruntime as ort

        value = ort.OrtValue.ortvalue_from_numpy
        self._run = session.run_with_iobinding
        self._sound = np.zeros_like(inputs[sound])
        self._scores = np.zeros_like(scores)
        self._sets = [{n: np.zeros_like(inputs[n]) for n in after} for _ in range(2)]
        tied = [{n: value(a) for n, a in each.items()} for each in self._sets]
        fixed = {n: value(a) for n, a in inputs.items() if n not in (sound, *after)}
        sound_value, scores_value = value(self._sound), value(self._scores)
        self._steps = []
        for now, then in (tied, tied[::-1]):
            binding = session.io_binding()
            binding.bind_ortvalue_input(sound, sound_value)
            binding.bind_ortvalue_output(output, scores_value)
            for name, constant in fixed.items():
                binding.bind_ortvalue_input(name, constant)
            for name, next_name in after.items():
                binding.bind_ortvalue_input(name, now[name])
                binding.bind_ortvalue_output(next_name, then[name])
            self._steps.append(binding)
        self._turn = 0

    def run(self, sound: NDArray[Any]) -> NDArray[Any]:
        """One step; the scores, which the next step overwrites."""
        self._sound[...] = sound
        self._run(self._steps[self._turn])
        self._turn = 1 - self._turn
        return self._scores

    def reset(self) -> None:
        """Set the states to zero."""
        for each in self._sets:
            for state in each.values():
                state[...] = 0


def load(path: Path, card: Card | None, threads: int) -> OnnxRunner:
    """Open an ONNX file.

    Args:
        path: the file.
        card: a card in place of the file's own.
        threads: intra-op threads; 0 leaves it to ONNX Runtime.

    Raises:
        RunnerError: the file is corrupt, or does not fit its card.
        CardError: the file has no card, or a wrong one.
        MissingExtra: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime as ort
    except ImportError as e:
        raise MissingExtra(
            f"{path} needs ONNX Runtime ({e})", "pipx inject rt-tag onnxruntime"
        ) from e
    check_onnx(path)
    options = session_options(threads, path)
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as e:  # the runtime has a dozen classes of its own
        raise _refused(path, e) from e
    inside = session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    return OnnxRunner(
        session, find_card(path, inside, card), f"onnxruntime {ort.__version__}", str(path)
    )


def session_options(threads: int, path: Path) -> Any:
    """How a session runs here: ONNX Runtime's `SessionOptions`.

    Args:
        threads: intra-op threads; 0 leaves it to ONNX Runtime.
        path: the file.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL_ONLY
    # a spinning pool burns a core between two hops
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if _only_weights_are_small(path):  # else they would be widened anew at every step
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def _only_weights_are_small(path: Path) -> bool:
    """Whether a file has quantized weights and no quantized activations."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(b"DequantizeLinear") >= 0 and data.find(b"QuantizeLinear") < 0


def _refused(path: Path, e: Exception) -> RunnerError:
    """What is wrong with a file that the runtime does not load."""
    unknown = UNKNOWN.search(str(e))
    if unknown is not None:
        return RunnerError(
            f"{path} has the operator {unknown[1]}, which ONNX Runtime does not know",
            "export it with the standard operators; libraries of others are never loaded",
        )
    return RunnerError(f"{path} is no ONNX model that ONNX Runtime can load: {_reason(e)}")


def _tensor(node: Any) -> Tensor:
    shape = tuple(n if isinstance(n, int) else 0 for n in node.shape or ())
    return Tensor(node.name, shape, node.type)


def _reason(e: Exception) -> str:
    """The runtime's message without its code and the path in front and its stack behind."""
    said = str(e).partition(" failed:")[2] if "Load model from" in str(e) else str(e)
    return first_line(said or e).rsplit(" : ", 1)[-1]
