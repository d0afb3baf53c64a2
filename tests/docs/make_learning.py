"""The worked examples of docs/learning.md: learn three gates, and fill its table.

    python tests/data/make_learning_examples.py build/learning --data DATA
    python tests/docs/make_learning.py

A minute or two on a quiet core. What the program says of each stays in build/learning/*.json;
`--again` writes the page from it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from make_reference import PROJECT, replaced

PAGE = PROJECT / "docs/learning.md"
EXAMPLES = PROJECT / "build/learning"
SOUNDS = {
    "snare": "a snare, against the hi-hat and the kick of its kit",
    "guitar": "a guitar, against a drum kit",
    "voice": "one reader, against other people (the stretch)",
}
GATES = {"learned": "learned gate", "level": "level gate, tuned"}
WAYS = {"recorded": "as recorded", "any": "softer and louder"}


def learn(sound: str) -> dict[str, Any]:
    """What `rt-gate learn --json` says of a sound."""
    folder = EXAMPLES / sound
    code = "import sys; from realtime.commands.gate import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "learn", "--json", "--open", folder / "open",
         "--closed", folder / "closed", "-o", EXAMPLES / f"{sound}.gate"],
        check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    (EXAMPLES / f"{sound}.json").write_bytes(done.stdout)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def rows(sound: str, told: dict[str, Any]) -> list[str]:
    """Lines of the table: causal / with 20 ms of look-ahead."""
    lines = []
    for levels, way in WAYS.items():
        pair = [h for h in told["held_back"] if h["levels"] == levels]
        for gate, name in GATES.items():
            own = [h[gate] for h in pair]
            cuts = [
                f"{f['onset_cut_ms']['median']:.0f}, {f['onset_cut_ms']['p95']:.0f}"
                for f in own
            ]
            cells = [
                SOUNDS[sound] if (levels, gate) == ("recorded", "learned") else "",
                way if gate == "learned" else "",
                name,
                " / ".join(cuts),
                " / ".join(f"{f['missed']}" for f in own) + f" of {own[0]['targets']}",
                " / ".join(f"{f['false_open_s_per_min']:.1f}" for f in own),
                " / ".join(f"{f['target_lost_pct']:.0f}" for f in own),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    """Learn, or take what was learned, and write the page."""
    again = "--again" in sys.argv[1:]
    lines = [
        "| sound | levels | gate | onset cut median, p95 ms | missed | open falsely s/min | "
        "target lost % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for sound in SOUNDS:
        kept = EXAMPLES / f"{sound}.json"
        lines += rows(sound, json.loads(kept.read_bytes()) if again else learn(sound))
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), "examples", "\n".join(lines)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
