"""The panel without a display, with settings of its own."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

pytest.importorskip("PyQt6.QtWidgets", reason="the extra gui is not installed")

from PyQt6.QtTest import QTest

from gui import i18n
from gui.corrections import Corrections
from gui.driver import GateDriver
from gui.page import Context
from gui.store import Store
from gui.theme import Theme

PATIENCE_MS = 60_000


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Nothing of the user's is read or written; English."""
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    i18n.use("en")


@pytest.fixture
def qtbot(qtbot):
    """Waits long enough for a busy machine: what they wait for comes, or never does."""

    def patient(plain):
        def wait(*args, timeout=0, **kwargs):
            return plain(*args, timeout=max(timeout, PATIENCE_MS), **kwargs)

        return wait

    for name in ("waitUntil", "waitSignal", "waitSignals"):
        setattr(qtbot, name, patient(getattr(qtbot, name)))
    return qtbot


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


@pytest.fixture
def no_sound(tmp_path, monkeypatch):
    """No sound device and no sound server of this machine is seen."""
    for name, value in silence(tmp_path).items():
        monkeypatch.setenv(name, value)


def silence(room):
    """Environment without any sound."""
    (room / "asound.conf").write_text("</usr/share/alsa/alsa.conf>\n")
    return {
        "ALSA_CONFIG_PATH": str(room / "asound.conf"),
        "PULSE_RUNTIME_PATH": str(room / "pulse"),
        "JACK_DEFAULT_SERVER": "none",
        "JACK_NO_START_SERVER": "1",
    }


def end(panel):
    """As `quit`, but the application goes on."""
    for page in panel.window.pages.values():
        page.finish()
    panel.window.save()
    panel.window.hide()
    panel.tray.hide()
    panel.minder.stop()


@pytest.fixture
def panels(no_sound, tmp_path, qtbot):
    """Makes whole panels, each with a real gate of its own; ends them."""
    from gui.app import Panel

    made = []

    def make(name="panel.json", **wanted):
        made.append(Panel(tmp_path / name, **wanted))
        return made[-1]

    yield make
    for panel in made:
        end(panel)


@pytest.fixture(scope="module")
def one_panel(tmp_path_factory, qapp):
    """A panel whose gate answers and waits for a device; one for all tests of a file."""
    from gui.app import Panel

    with pytest.MonkeyPatch.context() as patch:
        room = tmp_path_factory.mktemp("panel")
        (room / "run").mkdir(mode=0o700)
        for name in ("CONFIG", "DATA", "CACHE"):
            patch.setenv(f"XDG_{name}_HOME", str(room / name.lower()))
        patch.setenv("XDG_RUNTIME_DIR", str(room / "run"))
        for name, value in silence(room).items():
            patch.setenv(name, value)
        found = Panel(room / "panel.json")
        for _ in range(600):
            QTest.qWait(100)
            if found.status.lamp == "waiting":
                break
        found.room = room
        yield found
        end(found)


@pytest.fixture
def panel(one_panel):
    """It, as a person would find it."""
    one_panel.window.hide()
    one_panel.window.open_page("gate")
    assert one_panel.status.lamp == "waiting"
    return one_panel


@pytest.fixture
def figures_of():
    """Makes figures of a trial as rt-gate learn gives them."""

    def make(cost, missed=0):
        return {
            "onset_cut_ms": {"median": 10.0, "p95": 20.0}, "targets": 80, "missed": missed,
            "false_open_s_per_min": 10 * cost, "target_lost_pct": 100 * cost, "cost": cost,
        }  # fmt: skip

    return make


@pytest.fixture
def report(figures_of):
    """Makes a report as rt-gate learn gives it."""

    def make(
        use="learned", advice="Use the learned gate, which is the better one at any level"
    ):
        level = {
            "threshold_db": -42, "close_db": -48.0, "hold_ms": 20.0, "key_highpass": 0.0,
            "key_lowpass": 500.0,
        }  # fmt: skip
        return {
            "use": use,
            "advice": advice,
            "audition": {"file": "x.wav", "open": [[1.0, 2.0]]},
            "held_back": [
                {
                    "levels": levels, "lookahead_ms": ahead, "learned": figures_of(0.05),
                    "level": figures_of(0.2, 3), "level_settings": level,
                }
                for levels in ("recorded", "any")
                for ahead in (0.0, 20.0)
            ],
        }  # fmt: skip

    return make
