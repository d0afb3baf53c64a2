"""Tiny data sets in their exact layouts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Write = Callable[..., Path]


@pytest.fixture
def sound(tmp_path: Path) -> Write:
    """Writes a short sound below tmp_path."""

    def write(name: str, seconds: float = 0.05, rate: int = 8000) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = np.sin(np.arange(round(seconds * rate)) * 0.3).astype(np.float32)
        soundfile.write(path, 0.5 * tone, rate)
        return path

    return write


@pytest.fixture
def text(tmp_path: Path) -> Write:
    """Writes a text below tmp_path."""

    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        return path

    return write
