"""Fixtures of all rooms. What they are made of is in `tests/kit`: scripted sound, a runner that
returns given scores, an output that remembers, and small models whose scores follow the energy
of bands, so that tests can assert real behaviour on real signals.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit_bands import BAND_LABELS, RATE, band_card, band_weights, tones
from kit_gates import gate_card, learnable_card, write_gate_onnx, write_learnable_onnx
from kit_onnx import sum_card, write_onnx, write_stateful_onnx
from kit_standins import GivenScores, Remembers, ScriptedSource
from kit_tflite import write_tflite

pytest.register_assert_rewrite("kit_command", "kit_pages")
with contextlib.suppress(ImportError):
    from hypothesis import settings

    settings.load_profile("ci")  # no deadlines, which a busy machine misses; equal examples


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


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings of the person who runs the tests; loggers as they were."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [n for n in os.environ if n.startswith("RT_") and n != "RT_CACHE"]:
        monkeypatch.delenv(name)
    yield
    logger = logging.getLogger("rt")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
