"""Write the figures of the test parts, as the documents have them, into the shipped cards.

    python tests/docs/make_cards.py

They come first: what was chosen on the val part says little of recordings never heard.
"""

from __future__ import annotations

import msgspec

from export.stamp import stamp
from realtime.library import WEIGHTS
from realtime.outputs.replace import write_whole
from realtime.runners import open_runner

WORDS = "1,190 clips of speakers in no other part, and 40 of silence"
SOUNDS = "208 clips of recordings in no other part"
MIXTURES = "120 mixtures of speakers and sounds in no other part"
ON_WORDS = "rt-eval tag {} kws12.csv --root DATA --split test"
ON_SOUNDS = "rt-eval tag {} household.csv --root DATA --split test"
ON_MIXTURES = "rt-eval gate {}"
HELD_OUT = {  # file: figure, data, command, date
    "kws12.onnx": (
        "accuracy 95.6 %, without silence 95.5 % (94.1 to 96.5)", WORDS, ON_WORDS, "2026-11-21"
    ),
    "kws12.tflite": (
        "accuracy 95.6 %, without silence 95.5 % (94.1 to 96.5)", WORDS,
        ON_WORDS + " --runtime litert", "2026-11-21",
    ),
    "kws12-float.onnx": (
        "accuracy 95.5 %, without silence 95.4 % (94.0 to 96.4)", WORDS, ON_WORDS, "2026-11-21"
    ),
    "kws12-tiny.onnx": (
        "accuracy 93.8 %, without silence 93.6 % (92.1 to 94.9)", WORDS, ON_WORDS, "2026-11-21"
    ),
    "kws12-tiny.tflite": (
        "accuracy 94.1 %, without silence 93.9 % (92.4 to 95.1)", WORDS,
        ON_WORDS + " --runtime litert", "2026-11-21",
    ),
    "ast_q.onnx": (
        "accuracy 89.5 %, without silence 89.2 % (87.3 to 90.8)", WORDS, ON_WORDS, "2026-11-22"
    ),
    "household.onnx": (
        "accuracy 85.6 % (80.2 to 89.7), mAP 0.797; ESC-10's 40 clips alone 75.0 %", SOUNDS,
        ON_SOUNDS, "2026-11-21",
    ),
    "household.tflite": (
        "accuracy 85.6 % (80.2 to 89.7), mAP 0.804; ESC-10's 40 clips alone 77.5 %", SOUNDS,
        ON_SOUNDS + " --runtime litert", "2026-11-21",
    ),
    "voice.onnx": (
        "AUC 0.968, balanced accuracy 90.5 %; with 20 ms of look-ahead 0.975, 91.4 %", MIXTURES,
        ON_MIXTURES, "2026-11-22",
    ),
    "voice-base.onnx": (
        "AUC 0.966, balanced accuracy 90.0 %; with 20 ms of look-ahead 0.973, 90.9 %", MIXTURES,
        ON_MIXTURES, "2026-11-22",
    ),
    "voice-tiny.onnx": (
        "AUC 0.950, balanced accuracy 87.6 %; with 20 ms of look-ahead 0.957, 88.5 %", MIXTURES,
        ON_MIXTURES, "2026-11-22",
    ),
}  # fmt: skip


def main() -> None:
    """Stamp them all."""
    for name, (figure, data, command, date) in HELD_OUT.items():
        path = WEIGHTS / name
        card = open_runner(path).card
        said = {
            "figure": figure, "data": data, "command": command.format(card.name), "date": date,
        }  # fmt: skip
        old = [m for m in card.measured if m["data"] not in (WORDS, SOUNDS, MIXTURES)]
        changed = msgspec.structs.replace(card, measured=(said, *old))
        write_whole(path, stamp(path.read_bytes(), changed))
        print(name, figure)


if __name__ == "__main__":
    main()
