"""ONNX models through ONNX Runtime, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.card import Card
from realtime.errors import MissingExtra, RunnerError
from realtime.runners import CARD_KEY, find_card
from realtime.runners.plan import Array, Plan, Tensor

FATAL_ONLY = 4  # errors reach us as exceptions; the runtime need not print them as well
FLOATS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
STATES = {"float32": "tensor(float)", "int8": "tensor(int8)"}


class OnnxRunner:
    """A model in ONNX Runtime. See `realtime.runners.Runner`."""

    def __init__(self, session: Any, card: Card, runtime: str, where: str) -> None:
        self.card = card
        self.runtime = runtime
        self._session = session
        self._plan = Plan(card, where)
        sound, scores, states = self._plan.choose(
            [_tensor(t) for t in session.get_inputs()],
            [_tensor(t) for t in session.get_outputs()],
        )
        if sound.type not in FLOATS:
            raise RunnerError(
                f"{where}: input {sound.name} takes {sound.type}",
                "an ONNX model is fed float numbers",
            )
        for spec, tensor, _ in states:
            if tensor.type != STATES[spec.type]:
                raise RunnerError(
                    f"{where}: state {spec.name} is {tensor.type} and card field "
                    f"states.{spec.name}.type {spec.type}",
                    "make them equal",
                )
        self._input = sound.name
        self._dtype = FLOATS[sound.type]
        self._states = [spec for spec, _, _ in states]
        self._fetch = [scores.name, *(after.name for _, _, after in states)]
        self._feed: dict[str, NDArray[Any]] = {}
        self.reset()
        self._warm_up()

    def run(self, window: Array) -> Array:
        """Score one window; see `Runner.run`."""
        self._feed[self._input] = self._plan.arrange(window).astype(self._dtype, copy=False)
        scores, *states = self._session.run(self._fetch, self._feed)
        for spec, state in zip(self._states, states, strict=True):
            self._feed[spec.name] = state
        return self._plan.probabilities(scores)

    def reset(self) -> None:
        """Set the states to zero."""
        for spec in self._states:
            self._feed[spec.name] = np.zeros(spec.shape, dtype=spec.type)

    def _warm_up(self) -> None:
        """Run once on zeros: open shapes show themselves, and the first score is quick."""
        try:
            scores = self.run(np.zeros(self._plan.window_shape, np.float32))
        except Exception as e:  # the runtime has a dozen classes of its own
            raise RunnerError(
                f"{self._plan.where}: the model does not run: {_first_line(e)}"
            ) from e
        self._plan.check_scores(scores.size)
        for spec in self._states:
            if self._feed[spec.name].shape != spec.shape:
                raise RunnerError(
                    f"{self._plan.where}: state {spec.name} comes back with shape "
                    f"{list(self._feed[spec.name].shape)} and card field "
                    f"states.{spec.name}.shape is {list(spec.shape)}"
                )
        self.reset()


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
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL_ONLY
    # a spinning pool burns a core between two hops
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as e:  # the runtime has a dozen classes of its own
        raise RunnerError(
            f"{path} is no ONNX model that ONNX Runtime can load: {_first_line(e)}"
        ) from e
    inside = session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    return OnnxRunner(
        session, find_card(path, inside, card), f"onnxruntime {ort.__version__}", str(path)
    )


def _tensor(node: Any) -> Tensor:
    shape = tuple(n if isinstance(n, int) else 0 for n in node.shape or ())
    return Tensor(node.name, shape, node.type)


def _first_line(e: Exception) -> str:
    """A runtime's message without its code prefix and stack."""
    text = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
    return text.rsplit(" : ", 1)[-1][:200]
