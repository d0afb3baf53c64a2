"""Make the sounds that ship with the project: the demo recording and single words for tests.

Run by hand, seldom; what it made is committed. Everything comes from Debian packages whose
licences let the result be shipped (realtime/sounds/PROVENANCE.md lists them), so anyone can run
it again:

    apt-get install flite festival festvox-us-slt-hts festvox-kdlpc16k \\
        sonic-pi-samples minetest-data
    python tests/data/make_sounds.py

It writes realtime/sounds/demo.flac and demo.csv, and tests/data/words/<word>/<voice>.flac. The
same package versions give the same samples: the speech programs are deterministic, and the only
chance here has a fixed seed.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # mono, RATE

RATE = 16_000
SEED = 20_261_121
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = ("hello", "window", "seven", "marvin")

# voice: the program that speaks it, with its own name for the voice
VOICES = {
    "slt": ("flite", "slt"),  # woman, US
    "rms": ("flite", "rms"),  # man, US
    "awb": ("flite", "awb"),  # man, Scottish
    "kal": ("flite", "kal16"),  # man, US, diphones
    "ked": ("festival", "ked_diphone"),  # man, US, diphones
    "hts": ("festival", "cmu_us_slt_arctic_hts"),  # woman, US, statistical
}

SAMPLES = Path("usr/share/sonic-pi/samples")
MODS = Path("usr/share/games/minetest/games/minetest_game/mods")
SOUNDS = {
    "crow": SAMPLES / "misc_crow.flac",
    "till": SAMPLES / "perc_till.flac",
    "door": MODS / "doors/sounds/doors_glass_door_open.ogg",
    "background": SAMPLES / "vinyl_hiss.flac",
}


@dataclass(frozen=True)
class Cue:
    """One thing heard in the demo: a word by a voice, or a sound where the voice is empty."""

    what: str
    voice: str
    pause_s: float  # before it
    level_db: float  # RMS, dBFS

    @property
    def label(self) -> str:
        """The name that a tagger of the ten words should give it."""
        if not self.voice:
            return "silence"
        return self.what if self.what in COMMANDS else "unknown"


DEMO = (
    Cue("yes", "slt", 0.8, -23),
    Cue("no", "rms", 0.8, -24),
    Cue("crow", "", 0.9, -27),
    Cue("up", "rms", 0.9, -23),
    Cue("down", "hts", 0.8, -23),
    Cue("hello", "rms", 0.9, -25),
    Cue("left", "slt", 0.9, -22),
    Cue("right", "awb", 0.8, -24),
    Cue("door", "", 0.8, -30),
    Cue("on", "awb", 0.9, -23),
    Cue("off", "rms", 0.8, -24),
    Cue("window", "hts", 0.9, -23),
    Cue("stop", "hts", 0.9, -22),
    Cue("till", "", 0.8, -30),
    Cue("go", "rms", 0.9, -23),
)
TAIL_S = 0.9
BACKGROUND_DB = -58.0  # a quiet room; louder would only make the file longer


def main() -> None:
    """Speak, mix and write."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--root", type=Path, default=Path("/"), help="where the packages live")
    root = args.parse_args().root
    project = Path(__file__).resolve().parents[2]
    words = {(w, v): speak(w, v) for w in (*COMMANDS, *OTHERS) for v in VOICES}
    for (word, voice), audio in words.items():
        path = project / "tests/data/words" / word / f"{voice}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, centred(audio))
    sounds = {name: load(root / path) for name, path in SOUNDS.items()}
    demo, truth = mix(words, sounds)
    out = project / "realtime/sounds"
    out.mkdir(parents=True, exist_ok=True)
    write(out / "demo.flac", demo)
    with (out / "demo.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["start_s", "end_s", "label"])
        rows.writerows([f"{a / RATE:.3f}", f"{b / RATE:.3f}", label] for a, b, label in truth)
    print(f"{len(words)} words, {len(demo) / RATE:.1f} s of demo")


def mix(
    words: dict[tuple[str, str], Audio], sounds: dict[str, Audio]
) -> tuple[Audio, list[tuple[int, int, str]]]:
    """The demo and its truth: (start, end, label), in samples."""
    rng = np.random.default_rng(SEED)
    parts: list[Audio] = []
    truth = []
    at = 0
    for cue in DEMO:
        audio = trimmed(words[cue.what, cue.voice] if cue.voice else sounds[cue.what])
        # a little chance in the pauses, so that nothing falls on a grid of windows by luck
        pause = int((cue.pause_s + rng.uniform(0.0, 0.05)) * RATE)
        parts += [np.zeros(pause, np.float32), at_level(audio, cue.level_db)]
        truth.append((at + pause, at + pause + len(audio), cue.label))
        at += pause + len(audio)
    parts.append(np.zeros(int(TAIL_S * RATE), np.float32))
    dry = np.concatenate(parts)
    return dry + at_level(looped(sounds["background"], len(dry)), BACKGROUND_DB), truth


def speak(word: str, voice: str) -> Audio:
    """One word by one voice.

    Raises:
        CalledProcessError: a speech program failed or its voice is not installed.
    """
    program, name = VOICES[voice]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "word.wav")
        if program == "flite":
            command = ["flite", "-voice", name, "-t", word, "-o", str(out)]
        else:
            command = ["text2wave", "-eval", f"(voice_{name})", "-o", str(out), "-"]
        subprocess.run(command, input=word, text=True, check=True, capture_output=True)
        return trimmed(load(out))


def load(path: Path) -> Audio:
    """A file as mono at RATE."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(audio.mean(axis=1), rate, RATE).astype(np.float32)


def trimmed(audio: Audio, below_db: float = 38.0) -> Audio:
    """The span within `below_db` of the loudest 10 ms, and 20 ms more on each side.

    The edges are faded over those 20 ms, so that a cut is never heard as a click.
    """
    hop = RATE // 100
    power = np.square(audio[: len(audio) // hop * hop]).reshape(-1, hop).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-below_db / 10))
    start, end = max(0, int(loud[0]) - 2) * hop, min(len(audio), (int(loud[-1]) + 3) * hop)
    kept = audio[start:end].copy()
    fade = np.linspace(0.0, 1.0, 2 * hop, dtype=np.float32)
    kept[: 2 * hop] *= fade
    kept[-2 * hop :] *= fade[::-1]
    return kept


def at_level(audio: Audio, level_db: float) -> Audio:
    """The same sound at an RMS level in dBFS."""
    rms = float(np.sqrt(np.mean(np.square(audio))))
    return audio * np.float32(10 ** (level_db / 20) / rms)


def centred(audio: Audio) -> Audio:
    """One second with the word in its middle, as the public word collections have it."""
    audio = at_level(audio, -23.0)[:RATE]
    before = (RATE - len(audio)) // 2
    return np.pad(audio, (before, RATE - len(audio) - before))


def looped(audio: Audio, length: int) -> Audio:
    """A background of any length: the sound repeated, each seam cross-faded over 250 ms."""
    seam = RATE // 4
    rise = np.sqrt(np.linspace(0.0, 1.0, seam, dtype=np.float32))
    step = len(audio) - seam
    out = np.zeros(length + 2 * len(audio), np.float32)
    for at in range(0, length + seam, step):
        piece = audio.copy()
        piece[:seam] *= rise
        piece[-seam:] *= rise[::-1]
        out[at : at + len(piece)] += piece
    return out[seam : seam + length]


def write(path: Path, audio: Audio) -> None:
    """Sixteen bits, FLAC."""
    soundfile.write(path, audio, RATE, subtype="PCM_16", format="FLAC")


if __name__ == "__main__":
    main()
