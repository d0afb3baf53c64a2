"""How fast the front end is, beside kaldi-native-fbank and torchaudio in the same run.

    nice -n 10 python tests/bench/bench_frontend.py

The competitors take turns, many short rounds each, and the best round counts: other load then
falls on all alike. One thread everywhere; what is built once for a stream is built before the
clock starts. Ours is timed twice: the NumPy twin, which `rt-tag` uses, and the numba kernel.

kaldi-native-fbank's binding takes lists faster than arrays, but sound cards, files and pipes
give arrays. So it is timed three times: with arrays, with arrays turned into lists on the
clock, and with lists that were there before.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realtime.features import FeatureSpec, kaldi_fbank
from realtime.frontend import FrontEnd, one_shot

sys.path.insert(0, str(Path(__file__).parent))
import report

RATE = 16_000
BLOCK = 160  # samples: 10 ms
STREAM_S, FILE_S = 0.5, 10
STREAM_ROUNDS, FILE_ROUNDS = 200, 40
MELS = (40, 80, 128)

Run = Callable[[], int]  # does the work once; frames it gave
Prepare = Callable[[], Run]
OURS = ("numpy", "numba")
NAMES = {
    "numpy": "rt-tag, NumPy",
    "numba": "rt-tag, numba",
    "knf_arrays": "kaldi-native-fbank, arrays",
    "knf_tolist": "kaldi-native-fbank, .tolist()",
    "knf_lists": "kaldi-native-fbank, lists made before",
    "torchaudio": "torchaudio",
}


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(int(seconds * RATE))).astype(np.float32)


def streamed(spec: FeatureSpec, blocks: list[np.ndarray], compiled: bool) -> Prepare:
    front = FrontEnd(spec, compiled)

    def run() -> int:
        for block in blocks:
            front.push(block)
        return front.count

    def prepare() -> Run:
        front.reset()
        return run

    return prepare


def streamed_knf(mels: int, blocks: list[Any], convert: bool = False) -> Prepare:
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = RATE
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = mels
    options.use_energy = False
    options.htk_compat = True

    def prepare() -> Run:
        bank = knf.OnlineFbank(options)

        def run() -> int:
            given = 0
            for block in blocks:
                bank.accept_waveform(RATE, block.tolist() if convert else block)
                ready = bank.num_frames_ready
                while given < ready:
                    bank.get_frame(given)
                    given += 1
            return given

        return run

    return prepare


def whole(spec: FeatureSpec, x: np.ndarray, compiled: bool) -> Prepare:
    return lambda: lambda: len(one_shot(spec, x, compiled))


def torch_files(x: np.ndarray, mels: int) -> dict[str, Prepare]:
    import torch
    from torchaudio import transforms
    from torchaudio.compliance import kaldi

    torch.set_num_threads(1)
    wave = torch.from_numpy(x)
    mel = transforms.MelSpectrogram(RATE, 512, 400, 160, f_min=20.0, n_mels=mels)

    def fbank() -> int:
        out = kaldi.fbank(
            wave[None],
            num_mel_bins=mels,
            htk_compat=True,
            use_energy=False,
            window_type="hanning",
            dither=0.0,
        )
        return len(out)

    def spectrogram() -> int:
        return int(torch.log(torch.clamp(mel(wave), min=1e-10)).shape[1])

    return {"fbank": lambda: fbank, "mel": lambda: spectrogram}


def per_frame_us(contestants: dict[str, Prepare], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(contestants, np.inf)
    for _ in range(rounds):
        for name, prepare in contestants.items():
            run = prepare()
            begin = time.perf_counter()
            frames = run()
            best[name] = min(best[name], (time.perf_counter() - begin) / frames * 1e6)
    return {name: round(us, 2) for name, us in best.items()}


def measure(mels: int) -> dict[str, dict[str, float]]:
    """Microseconds a frame: by what is computed, then by who computes it."""
    blocks = list(sound(STREAM_S).reshape(-1, BLOCK))
    x = sound(FILE_S)
    fbank = kaldi_fbank(mels=mels)
    mel = FeatureSpec(kind="mel", rate=RATE, mels=mels, center=True)
    ours = dict(zip(OURS, (False, True), strict=True)) if has("numba") else {"numpy": False}
    stream = {name: streamed(fbank, blocks, compiled) for name, compiled in ours.items()}
    if has("kaldi_native_fbank"):
        stream["knf_arrays"] = streamed_knf(mels, blocks)
        stream["knf_tolist"] = streamed_knf(mels, blocks, convert=True)
        stream["knf_lists"] = streamed_knf(mels, [b.tolist() for b in blocks])
    torch = torch_files(x, mels) if has("torchaudio") else {}
    found = {"fbank, 10 ms blocks": per_frame_us(stream, STREAM_ROUNDS)}
    for what, spec in (("fbank", fbank), ("mel", mel)):
        runs = {name: whole(spec, x, compiled) for name, compiled in ours.items()}
        if what in torch:
            runs["torchaudio"] = torch[what]
        found[f"{what}, whole file"] = per_frame_us(runs, FILE_ROUNDS)
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = report.options(__doc__ or "")
    parser.add_argument("--mels", type=int, nargs="*", default=MELS)
    args = report.parse(parser, argv)
    machine = report.machine()
    report.show_machine(machine)
    found = {mels: measure(mels) for mels in args.mels}
    results: dict[str, Any] = {"machine": machine, "us_per_frame": {}}
    for what in found[args.mels[0]]:
        of = {str(mels): figures[what] for mels, figures in found.items()}
        results["us_per_frame"][what] = of
        columns = [f"{mels} mel" for mels in args.mels]
        figures = [of[str(mels)] for mels in args.mels]
        rows = [[NAMES[name], *(f[name] for f in figures)] for name in figures[0]]
        report.show_table(what, ["microseconds a frame", *columns], rows)
        ours = [name for name in figures[0] if name in OURS]
        rows = [
            [f"{NAMES[our]} / {NAMES[name]}", *(f[our] / f[name] for f in figures)]
            for our in ours
            for name in figures[0]
            if name not in OURS
        ]
        report.show_table("", ["under 1: ours is faster", *columns], rows)
        fastest = [NAMES[min(f, key=f.__getitem__)] for f in figures]
        for column, name in zip(columns, fastest, strict=True):
            print(f"  {column}: the fastest is {name}")
    report.save("frontend", results)
    return results


if __name__ == "__main__":
    main()
