"""Make the pictures of docs/panel.md: a real panel, a real gate, the bundled recording played.

    python tests/docs/make_panel.py [FOLDER]

It needs jackd2 and Xvfb. With FOLDER every page is drawn there as well in light and dark, at
800 x 480, at 200 % and in German, to be looked at.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))
import bench_panel  # noqa: E402

DOCS = ROOT / "docs"
WIDE, SMALL = (1040, 640), (800, 448)  # 480 less a title bar
PAGES = ("gate", "tag", "teach", "settings")


def shots(folder: Path, scale: str, language: str, docs: bool) -> None:
    """Draw every page, in a process of its own: Qt's scale is chosen at its start."""
    live = bench_panel.live_fixtures()
    with contextlib.ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= live.private(room)
        os.environ["QT_SCALE_FACTOR"] = scale
        for name in ("CONFIG", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = str(room / name.lower())
        stack.enter_context(bench_panel.screen("2200x1400"))
        card = stack.enter_context(contextlib.closing(live.JackCard(room, 1024)))
        bench = bench_panel.Bench(room, None, language)
        stack.callback(bench.panel.quit)
        bench.wait_for_sound()
        stack.enter_context(bench_panel.playing(card, live.PLAYER, room, 600))
        window, theme = bench.panel.window, bench.panel.theme
        tag = f"{language}-{scale}x"

        def draw(name: str, size: tuple[int, int], look: str, where: Path) -> None:
            theme.choose(look)  # type: ignore[arg-type]
            window.resize(*size)
            bench.wait(0.6)
            window.grab().save(str(where / f"{name}.png"), "PNG")

        bench.wait(11)
        if docs:
            draw("panel-gate", WIDE, "dark", DOCS)
            draw("panel-gate-light", WIDE, "light", DOCS)
            window.pages["gate"].more.unfold(True)  # type: ignore[attr-defined]
            draw("panel-more", (1040, 760), "dark", DOCS)
            window.pages["gate"].more.unfold(False)  # type: ignore[attr-defined]
            draw("panel-small", SMALL, "dark", DOCS)
            bench.panel.driver.bypass(True)
            bench.wait(1.5)
            draw("panel-bypass", WIDE, "dark", DOCS)
            bench.panel.driver.bypass(False)
            return
        for page in PAGES:
            window.open_page(page)
            bench.wait(2.0 if page == "gate" else 0.5)
            for look in ("dark", "light"):
                draw(f"{page}-{look}-{tag}", WIDE, look, folder)
            draw(f"{page}-small-{tag}", SMALL, "dark", folder)


def main() -> None:
    if len(sys.argv) == 5:
        shots(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "docs")
        return
    runs = [(DOCS, "1", "en", "docs")]
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        runs = [
            (folder, "1", "en", "all"),
            (folder, "2", "en", "all"),
            (folder, "1", "de", "all"),
        ]
    for run in runs:
        began = time.monotonic()
        subprocess.run([sys.executable, __file__, *map(str, run)], check=True)
        print(*run, f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
