"""What the tag page costs: drawing, and the engine in its thread.

    python tests/bench/bench_panel_tag.py

The page in a window of a virtual screen (Xvfb), listening to the bundled recording as slowly as
it sounds; with the page shown, and with another one shown while it goes on or rests.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bench_panel
import report

SECONDS = 12.0
DEMO = report.ROOT / "realtime" / "sounds" / "demo.flac"


def main() -> None:
    args = report.arguments(__doc__, SECONDS) if hasattr(report, "arguments") else None
    seconds = getattr(args, "seconds", SECONDS)
    with tempfile.TemporaryDirectory() as room, bench_panel.screen():
        for name in ("CONFIG", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(room) / name.lower())
        measure(Path(room), seconds)


def measure(room: Path, seconds: float) -> None:
    from PyQt6.QtTest import QTest
    from PyQt6.QtWidgets import QApplication

    from gui.driver import GateDriver
    from gui.status import Status
    from gui.store import Store
    from gui.theme import Theme
    from gui.window import Window

    app = QApplication(sys.argv[:1])
    store, driver = Store(room / "panel.json"), GateDriver()
    store.put("page tag", {"listens": False})
    window = Window(driver, Status(driver), store, Theme("dark"))
    page = window.pages["tag"]
    frames = [0]
    draw = page.view.picture.paintEvent  # type: ignore[attr-defined]

    def counted(event: object) -> None:
        frames[0] += 1
        draw(event)

    page.view.picture.paintEvent = counted  # type: ignore[attr-defined]
    window.resize(1040, 680)
    window.show()

    def share(name: str) -> None:
        """Let a while pass and say what it cost."""
        page.choose_sound(DEMO)  # type: ignore[attr-defined]
        QTest.qWait(2500)
        frames[0] = 0
        began, all_s, own_s = time.monotonic(), time.process_time(), time.thread_time()
        QTest.qWait(round(1000 * seconds))
        passed = time.monotonic() - began
        whole = 100 * (time.process_time() - all_s) / passed
        drawing = 100 * (time.thread_time() - own_s) / passed
        print(
            f"{name}: {frames[0] / passed:.0f} frames a second, {whole:.1f} % of a core, "
            f"{drawing:.1f} % of it Qt's thread"
        )

    window.open_page("tag")
    share("shown, 1040 x 680")
    window.resize(800, 480)
    share("shown, 800 x 480")
    page.view.on.setChecked(True)  # type: ignore[attr-defined]
    window.open_page("settings")
    share("another page, and it goes on")
    page.view.on.setChecked(False)  # type: ignore[attr-defined]
    page.tagger.stop()  # type: ignore[attr-defined]
    page.finish()
    app.processEvents()


if __name__ == "__main__":
    main()
