"""Running the network that is kept as it is: a session from bytes, and work in turn.

Shared by `realtime.learn.backbone` and `realtime.wake.ears`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime.errors import MissingExtra, RunnerError

Floats = NDArray[np.float32]

EMBEDDING: Final = "embedding"  # the output in question
THREADS: Final = 4  # at most; each runs a sound of its own


def open_session(model: bytes, where: str) -> Any:
    """A session of ONNX Runtime, one thread a run.

    Args:
        model: bytes of an ONNX file.
        where: its name, for messages.

    Raises:
        RunnerError: it cannot be loaded.
        MissingExtra: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime as ort
    except ImportError as e:
        raise MissingExtra(
            f"learning needs ONNX Runtime ({e})", "pipx inject rt-tag onnxruntime"
        ) from e
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # the runtime has a dozen classes of its own
        raise RunnerError(f"{where} is no ONNX model that can be loaded: {e}") from e


def in_turn(work: Callable[[Floats], Floats], sounds: Iterable[Floats]) -> Iterator[Floats]:
    """Do the work for many sounds, several at a time; the same on every machine.

    Sounds are taken as they are needed, and not all at once.
    """
    workers = min(THREADS, os.cpu_count() or 1)
    waiting: deque[Future[Floats]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for sound in sounds:
                waiting.append(pool.submit(work, sound))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
