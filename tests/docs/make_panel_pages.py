"""Make the pictures of the tag page and the teach page for docs/panel.md.

    python tests/docs/make_panel_pages.py [tag]

No screen and no sound card is needed. The tag page listens to the bundled recording; the teach
page learns spoken words against claps, which takes a minute or more; with `tag` it is left out.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

os.environ["QT_QPA_PLATFORM"] = "offscreen"
ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "realtime/sounds/demo.flac"
WORDS = ROOT / "tests/data/words"
DOCS = ROOT / "docs"
SIZE = (960, 620)
RATE = 16_000
COLOURS = 192
VOICES = ("slt", "rms", "awb", "kal", "hts", "ked")
LISTEN_S = 18.4
PATIENCE_S = 1800.0


def main() -> None:
    with tempfile.TemporaryDirectory() as room:
        for name in ("CONFIG", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(room) / name.lower())
        draw(Path(room))


def draw(room: Path) -> None:
    from PIL import Image
    from PyQt6.QtWidgets import QApplication

    from gui.driver import GateDriver
    from gui.page import Page
    from gui.status import Status
    from gui.store import Store
    from gui.theme import Theme
    from gui.window import Window

    app = QApplication(sys.argv[:1])

    def wait(ready: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
        until = time.monotonic() + limit_s
        while not ready() and time.monotonic() < until:
            app.processEvents()
            time.sleep(0.01)

    store = Store(room / "panel.json")
    store.put("page tag", {"listens": False})
    driver, theme = GateDriver(), Theme("dark")
    window = Window(driver, Status(driver), store, theme)
    window.resize(*SIZE)
    window.show()

    def keep(name: str, page: Page) -> None:
        wait(lambda: False, 0.3)
        path = DOCS / f"{name}.png"
        page.grab().save(str(path), "PNG")
        with Image.open(path) as picture:  # fewer colours are enough, in half the space
            picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)

    window.open_page("tag")
    tag = window.pages["tag"]
    tag.choose_sound(DEMO)  # type: ignore[attr-defined]
    wait(lambda: False, LISTEN_S)
    keep("panel-tag", tag)
    tag.finish()
    if sys.argv[1:] == ["tag"]:
        return
    theme.choose("light")
    window.open_page("teach")
    teach = window.pages["teach"]
    opens, closeds = sounds(room)
    sides = teach.examples.sides  # type: ignore[attr-defined]
    sides["open"].add(opens)
    sides["closed"].add(closeds)
    wait(lambda: not any(s.judging for s in sides.values()), 60)
    keep("panel-teach", teach)
    teach.learn()  # type: ignore[attr-defined]
    wait(lambda: teach.compare.outcome is not None)  # type: ignore[attr-defined]
    keep("panel-compare", teach)
    teach.finish()


def sounds(room: Path) -> tuple[list[Path], list[Path]]:
    """Recordings of words, and of claps."""
    rng = np.random.default_rng(1)
    t = np.arange(1280) / RATE
    opens, closeds = [], []
    for name in ("words", "claps"):
        (room / name).mkdir()
    for i, voice in enumerate(VOICES):
        words = [soundfile.read(p)[0] for p in sorted(WORDS.glob(f"*/{voice}.flac"))]
        opens.append(room / "words" / f"voice-{i + 1}.wav")
        soundfile.write(opens[-1], np.concatenate(words), RATE)
        claps = rng.normal(0, 1e-4, 9 * RATE)
        for at in range(RATE // 2, len(claps) - 1280, round(0.37 * RATE)):
            clap = rng.normal(size=1280) * np.exp(-40 * t)
            claps[at : at + 1280] += rng.uniform(0.05, 0.2) * clap
        closeds.append(room / "claps" / f"claps-{i + 1}.wav")
        soundfile.write(closeds[-1], claps, RATE)
    return opens, closeds


if __name__ == "__main__":
    main()
