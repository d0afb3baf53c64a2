"""TFLite models through LiteRT (`ai_edge_litert`), or `tflite_runtime` in its absence."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.card import MOST_BYTES, Card
from realtime.errors import MissingExtra, RunnerError, first_line
from realtime.runners import CARD_FILE, find_card
from realtime.runners.plan import Array, Plan, Tensor

# how the runtime names an operator that it has not: of TensorFlow, custom, or too new
UNKNOWN = re.compile(
    r"\((Flex\w+)\) failed to prepare|custom op: (\w+)|builtin opcode '(\w+)'|\b(Flex\w+)"
)
RUNTIMES = ("ai_edge_litert", "tflite_runtime")

log = logging.getLogger("rt.realtime.litert")


class Port:
    """One tensor of the interpreter; integers are met as the real numbers they stand for."""

    def __init__(self, name: str, details: dict[str, Any], where: str) -> None:
        self.name = name
        self.index: int = details["index"]
        self.dtype = np.dtype(details["dtype"])
        self.shape = tuple(int(n) for n in details["shape"])
        parameters = details["quantization_parameters"]
        scales, zeros = parameters["scales"], parameters["zero_points"]
        self.free = tuple(
            0 if n < 0 else int(n) for n in details.get("shape_signature", self.shape)
        )
        self.integer = self.dtype.kind in "iu"
        # wider integers without a scale are whole numbers: samples, lengths
        plain = len(scales) == 0 and self.dtype.itemsize > 1
        if self.integer and not plain and len(scales) != 1:
            raise RunnerError(
                f"{where}: tensor {name} is {self.dtype} with {len(scales)} scales",
                "it needs exactly one",
            )
        scaled = self.integer and not plain
        if scaled and not (np.isfinite(scales[0]) and scales[0] > 0):
            raise RunnerError(
                f"{where}: tensor {name} has the scale {scales[0]:g}",
                "a scale is a number over 0; export the model anew",
            )
        self._scale = np.float32(scales[0]) if scaled else np.float32(1)
        self._zero = int(zeros[0]) if scaled else 0

    def encode(self, x: NDArray[Any]) -> NDArray[Any]:
        """Real numbers to the tensor's type."""
        if not self.integer:
            return x.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        steps: NDArray[Any] = np.rint(x / self._scale) + self._zero
        return steps.clip(limits.min, limits.max).astype(self.dtype)

    def decode(self, q: NDArray[Any]) -> Array:
        """The tensor's type to real numbers."""
        if not self.integer:
            return q.astype(np.float32, copy=False)
        return (q.astype(np.float32) - np.float32(self._zero)) * self._scale


class LiteRTRunner:
    """A model in LiteRT. See `realtime.runners.Runner`."""

    def __init__(self, interpreter: Any, card: Card, runtime: str, where: str) -> None:
        self.card = card
        self.runtime = runtime
        self._interpreter = interpreter
        self._plan = Plan(card, where)
        inputs, outputs = _ports(interpreter, where)
        heard = [Tensor(p.name, p.shape, str(p.dtype)) for p in inputs.values()]
        sound, scores, states = self._plan.choose(
            heard, [Tensor(p.name, p.free, str(p.dtype)) for p in outputs.values()]
        )
        self._constants = [
            (inputs[t.name].index, value.astype(inputs[t.name].dtype))
            for t, value in self._plan.constants(heard)
        ]
        for spec, tensor, _ in states:
            if spec.type == "int8" and tensor.type != "int8":
                raise RunnerError(
                    f"{where}: state {spec.name} is {tensor.type} and card field "
                    f"states.{spec.name}.type int8",
                    "make them equal",
                )
        self._sound, self._scores = inputs[sound.name], outputs[scores.name]
        self._states = [(inputs[a.name], outputs[b.name]) for _, a, b in states]
        self._held: list[Array] = []
        self.reset()
        try:
            self.run(np.zeros(self._plan.window_shape, np.float32))
        except (RuntimeError, ValueError) as e:
            raise RunnerError(f"{where}: the model does not run: {first_line(e)}") from e
        self._plan.check_trial(self._scores.decode(interpreter.get_tensor(self._scores.index)))
        self.reset()

    def run(self, window: Array) -> Array:
        """Score one window; see `Runner.run`."""
        net = self._interpreter
        net.set_tensor(self._sound.index, self._sound.encode(self._plan.arrange(window)))
        for (port, _), state in zip(self._states, self._held, strict=True):
            net.set_tensor(port.index, port.encode(state))
        for index, constant in self._constants:  # a run may write over its inputs
            net.set_tensor(index, constant)
        net.invoke()
        self._held = [after.decode(net.get_tensor(after.index)) for _, after in self._states]
        return self._plan.probabilities(self._scores.decode(net.get_tensor(self._scores.index)))

    def reset(self) -> None:
        """Set the states to zero."""
        self._held = [np.zeros(port.shape, np.float32) for port, _ in self._states]


def load(path: Path, card: Card | None, threads: int) -> LiteRTRunner:
    """Open a TFLite file.

    Args:
        path: the file.
        card: a card in place of the file's own.
        threads: threads of the interpreter; 0 leaves it to LiteRT.

    Raises:
        RunnerError: the file is corrupt, or does not fit its card.
        CardError: the file has no card, or a wrong one.
        MissingExtra: neither runtime is installed.
    """
    module, runtime = _runtime(path)
    found = find_card(path, _card_inside(path), card)
    try:
        with _chatter_to_log():
            interpreter = module.Interpreter(model_path=str(path), num_threads=threads or None)
            _set_free_lengths(interpreter, Plan(found, str(path)).input_shape)
            interpreter.allocate_tensors()
            return LiteRTRunner(interpreter, found, runtime, str(path))
    except (ValueError, RuntimeError, SystemError) as e:
        raise _refused(path, runtime, e) from e


def _set_free_lengths(interpreter: Any, shape: tuple[int, ...]) -> None:
    """Give the sound's input its shape where the model leaves lengths open (as YAMNet does)."""
    for details in interpreter.get_input_details():
        free = tuple(int(n) for n in details.get("shape_signature", ()))
        fits = len(free) == len(shape) and all(
            n in (-1, m) for n, m in zip(free, shape, strict=True)
        )
        if -1 in free and fits:
            interpreter.resize_tensor_input(details["index"], shape)


def _refused(path: Path, runtime: str, e: BaseException) -> RunnerError:
    """What is wrong with a file that the runtime does not load."""
    unknown = UNKNOWN.search(str(e))
    if unknown is not None:
        name = next(n for n in unknown.groups() if n)
        return RunnerError(
            f"{path} has the operator {name}, which {runtime} does not know",
            "convert it with the built-in operators alone, without select TensorFlow ops",
        )
    return RunnerError(f"{path} is no TFLite model that {runtime} can load: {first_line(e)}")


def _runtime(path: Path) -> tuple[Any, str]:
    """The first of `RUNTIMES` that imports: its module, and its name with version."""
    reasons = []
    for name in RUNTIMES:
        try:
            module = importlib.import_module(f"{name}.interpreter")
        except ImportError as e:
            reasons.append(str(e))
            continue
        log.debug("TFLite models run in %s", name)
        try:
            return module, f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            return module, name
    raise MissingExtra(
        f"{path} needs LiteRT ({'; '.join(reasons)})", "pipx inject rt-tag ai-edge-litert"
    )


def _card_inside(path: Path) -> bytes | None:
    """The associated file `rt.card.json`, or None.

    Source: tensorflow.org/lite/models/convert/metadata: associated files are a zip archive at
    the file's end, which interpreters ignore.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if CARD_FILE not in archive.namelist():
                return None
            with archive.open(CARD_FILE) as file:  # it may say any size, and unpack to more
                text = file.read(MOST_BYTES + 1)
    except Exception as e:  # of a damaged archive zipfile's unpackers raise a dozen classes
        raise RunnerError(
            f"{path}: its associated files cannot be read: {first_line(e)}", "export it anew"
        ) from e
    if len(text) > MOST_BYTES:
        raise RunnerError(
            f"{path}: its card has more than {MOST_BYTES} bytes", "export it anew"
        )
    return text


def _ports(interpreter: Any, where: str) -> tuple[dict[str, Port], dict[str, Port]]:
    """Inputs and outputs, by a signature's names if there is one: tensors' own are mangled."""
    signatures = interpreter.get_signature_list()
    if signatures:
        key = "serving_default" if "serving_default" in signatures else next(iter(signatures))
        runner = interpreter.get_signature_runner(key)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
    else:
        inputs = {d["name"]: d for d in interpreter.get_input_details()}
        outputs = {d["name"]: d for d in interpreter.get_output_details()}
    return (
        {name: Port(name, inputs[name], where) for name in sorted(inputs, key=_natural)},
        {name: Port(name, outputs[name], where) for name in sorted(outputs, key=_natural)},
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts output_10 after output_9: a signature has no order of its own."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


@contextlib.contextmanager
def _chatter_to_log() -> Iterator[None]:
    """Send what the C library writes to file descriptor 2 to our log.

    LiteRT announces its delegates there ("INFO: Created TensorFlow Lite XNNPACK delegate for
    CPU.") and has no switch for it. Only while a model is loaded: nothing of ours writes then.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr at all, as some services start us
        yield
        return
    with tempfile.TemporaryFile() as spool:
        os.dup2(spool.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            spool.seek(0)
            for line in spool.read().decode(errors="replace").splitlines():
                log.debug("%s", line)
