"""The panel without a display, with settings of its own."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

pytest.importorskip("PyQt6.QtWidgets", reason="the extra gui is not installed")

from gui import i18n
from gui.corrections import Corrections
from gui.driver import GateDriver
from gui.page import Context
from gui.store import Store
from gui.theme import Theme


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Nothing of the user's is read or written; English."""
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    i18n.use("en")


@pytest.fixture
def store(tmp_path, qapp):
    return Store(tmp_path / "panel.json")


@pytest.fixture
def context(store, qapp):
    """What a page gets; `said` and `opened` hold what it said, and which pages it opened."""
    said, opened = [], []
    found = Context(
        GateDriver(), store, Theme("dark"), Corrections(store), said.append, opened.append
    )
    object.__setattr__(found, "said", said)
    object.__setattr__(found, "opened", opened)
    return found
