"""Other people's voice detectors, heard on the same mixtures: an optional extra, `rivals`.

Each gives a score whenever it has heard a frame, and a hop's score is the last one known by
then, so that nobody hears the future. Their sound is resampled in one go beforehand, which is
exact and not counted in their cost. Nothing is downloaded: a package that is not installed is
left out and named.

    package           licence                                      what is used
    pyrnnoise         Apache-2.0; RNNoise itself BSD-3             RNNoise's speech probability
    silero-vad        MIT                                          its ONNX, 32 ms a frame
    ten-vad           Apache-2.0 with conditions: not in competition   its probability, 10 ms
    webrtcvad-wheels  MIT; WebRTC itself BSD-3                     the four modes, 10 ms

TEN VAD's conditions forbid to ship it in a product that competes with its maker's; it is run
here to be measured, and no part of the project needs it or brings it along.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from realtime.errors import MissingExtra
from realtime.gate.ideal import HOPS_PER_S

Array = NDArray[np.float32]

AHEAD_HOPS = 2  # scores go on for the longest look-ahead, 20 ms
TAIL_S = 0.1  # of silence after the end, so that the last frames are whole


class Listener(Protocol):
    """A detector that is about to hear one recording."""

    def __call__(self, frame: Any) -> float:
        """The score of the next frame."""
        ...


class Rival(msgspec.Struct, frozen=True):
    """A voice detector of somebody else's.

    Attributes:
        name: as in the tables.
        package: its distribution.
        rate: Hz that it hears.
        frame: samples of a frame at that rate.
        wants: float32 [samples], -1 to 1, to what it is fed with.
        listener: makes one with a fresh state.
        parts: detectors that one listener runs; the cost is that of one of them.
    """

    name: str
    package: str
    rate: int
    frame: int
    wants: Callable[[Array], Any]
    listener: Callable[[], Listener]
    parts: int = 1

    @property
    def version(self) -> str:
        """Of the package."""
        return importlib.metadata.version(self.package)

    def scores(self, audio: Array, rate: int) -> tuple[Array, float]:
        """Scores float32 [hops + AHEAD_HOPS] of a recording, and the CPU seconds they took."""
        padded = np.concatenate([audio, np.zeros(round(TAIL_S * rate), np.float32)])
        if rate != self.rate:
            padded = soxr.resample(padded, rate, self.rate, quality="HQ").astype(np.float32)
        sound, listener, frame = self.wants(padded), self.listener(), self.frame
        began = time.process_time()
        found = [
            listener(sound[at : at + frame]) for at in range(0, len(sound) - frame + 1, frame)
        ]
        spent = (time.process_time() - began) / self.parts
        hops = -(-len(audio) * HOPS_PER_S // rate) + AHEAD_HOPS
        return known_at_hops(np.array(found, np.float32), frame / self.rate, hops), spent


def known_at_hops(values: Array, frame_s: float, hops: int) -> Array:
    """The last value known at each hop, float32 [hops]; value i is known after i + 1 frames."""
    known = np.floor(np.arange(hops) / HOPS_PER_S / frame_s + 1e-9).astype(int) - 1
    out = values[np.clip(known, 0, len(values) - 1)]
    return np.where(known >= 0, out, np.float32(0.0))


def installed() -> tuple[list[Rival], list[str]]:
    """The rivals that can run here, and for each other one why it cannot."""
    there, missing = [], []
    for make in (rnnoise, silero, ten, webrtc):
        try:
            there.append(make())
        except MissingExtra as e:
            missing.append(e.line())
    return there, missing


def rnnoise() -> Rival:
    """RNNoise's speech probability.

    Raises:
        MissingExtra: not installed.
    """
    found = sorted(_folder("pyrnnoise", "pyrnnoise").glob("*rnnoise.*[lo]*"))
    library = _library(next(p for p in found if p.suffix in (".so", ".dylib", ".dll")))
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
    library.rnnoise_process_frame.restype = ctypes.c_float

    class Hears:
        def __init__(self) -> None:
            self.state = library.rnnoise_create(None)
            self.out = np.empty(480, np.float32)

        def __call__(self, frame: Array) -> float:
            return float(
                library.rnnoise_process_frame(
                    self.state, self.out.ctypes.data, frame.ctypes.data
                )
            )

        def __del__(self) -> None:
            library.rnnoise_destroy(self.state)

    return Rival("RNNoise", "pyrnnoise", 48_000, 480, lambda x: x * np.float32(32768.0), Hears)


def silero() -> Rival:
    """silero-vad, by its ONNX file and without torch.

    Raises:
        MissingExtra: not installed.
    """
    path = _folder("silero_vad", "silero-vad") / "data" / "silero_vad.onnx"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    rate = np.array(16_000, np.int64)

    class Hears:
        def __init__(self) -> None:
            self.state = np.zeros((2, 1, 128), np.float32)
            self.sound = np.zeros((1, 64 + 512), np.float32)  # 64 samples of before

        def __call__(self, frame: Array) -> float:
            self.sound[0, :64] = self.sound[0, -64:]
            self.sound[0, 64:] = frame
            feeds = {"input": self.sound, "state": self.state, "sr": rate}
            score, self.state = session.run(None, feeds)
            return float(score[0, 0])

    return Rival("silero-vad", "silero-vad", 16_000, 512, lambda x: x, Hears)


def ten() -> Rival:
    """TEN VAD's probability.

    Raises:
        MissingExtra: not installed, or a library that it needs.
    """
    folder = _folder("ten_vad", "ten-vad")
    try:
        from ten_vad import TenVad

        TenVad(160)
    except (OSError, NotImplementedError, ImportError) as e:
        raise MissingExtra(
            f"TEN VAD cannot be loaded from {folder.name} ({e})",
            "it needs LLVM's C++ library: apt install libc++1",
        ) from e

    class Hears:
        def __init__(self) -> None:
            self.vad = TenVad(160)

        def __call__(self, frame: NDArray[np.int16]) -> float:
            score: float = self.vad.process(frame)[0]
            return score

    return Rival("TEN VAD", "ten-vad", 16_000, 160, _int16, Hears)


def webrtc() -> Rival:
    """WebRTC's detector: how many of its four modes say speech.

    Raises:
        MissingExtra: not installed.
    """
    _folder("webrtcvad", "webrtcvad-wheels")
    import webrtcvad

    class Hears:
        def __init__(self) -> None:
            self.modes = [webrtcvad.Vad(mode) for mode in range(4)]

        def __call__(self, frame: NDArray[np.int16]) -> float:
            sound = frame.tobytes()
            return float(sum(mode.is_speech(sound, 16_000) for mode in self.modes))

    return Rival("webrtcvad", "webrtcvad-wheels", 16_000, 160, _int16, Hears, parts=4)


def _folder(module: str, package: str) -> Path:
    """The folder of an installed package, which is not imported."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise MissingExtra(f"{package} is not installed", "pip install 'rt-tag[rivals]'")
    return Path(found.origin).parent


def _library(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as e:
        raise MissingExtra(f"{path.name} cannot be loaded ({e})", "reinstall it") from e


def _int16(audio: Array) -> NDArray[np.int16]:
    return np.clip(np.round(audio * 32768.0), -32768, 32767).astype(np.int16)
