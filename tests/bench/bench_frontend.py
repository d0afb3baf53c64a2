"""How fast the front end is, beside kaldi-native-fbank and torchaudio in the same run.

    nice -n 15 python tests/bench/bench_frontend.py

The competitors take turns, many short rounds each, and the best round counts: other load then
falls on all alike. One thread everywhere. kaldi-native-fbank's binding takes lists faster than
arrays; it is timed with both, the lists made beforehand.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from realtime.features import FeatureSpec, kaldi_fbank
from realtime.frontend import FrontEnd, one_shot

RATE = 16_000
BLOCK = 160  # samples: 10 ms
STREAM_S, FILE_S = 2, 10
ROUNDS = 40

Timed = Callable[[], int]  # runs once; frames it gave


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(int(seconds * RATE))).astype(np.float32)


def streamed(spec: FeatureSpec, blocks: list[np.ndarray], compiled: bool) -> Timed:
    def run() -> int:
        front = FrontEnd(spec, compiled)
        for block in blocks:
            front.push(block)
        return front.count

    return run


def streamed_knf(mels: int, blocks: list[Any]) -> Timed:
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = RATE
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = mels
    options.use_energy = False
    options.htk_compat = True

    def run() -> int:
        bank = knf.OnlineFbank(options)
        given = 0
        for block in blocks:
            bank.accept_waveform(RATE, block)
            ready = bank.num_frames_ready
            while given < ready:
                bank.get_frame(given)
                given += 1
        return given

    return run


def torch_files(x: np.ndarray, mels: int) -> dict[str, Timed]:
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

    return {"torchaudio": fbank, "torchaudio_mel": spectrogram}


def per_frame_us(contestants: dict[str, Timed], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(contestants, np.inf)
    for _ in range(rounds):
        for name, run in contestants.items():
            begin = time.perf_counter()
            frames = run()
            best[name] = min(best[name], (time.perf_counter() - begin) / frames * 1e6)
    return best


def ratios(figures: dict[str, float], kinds: list[str]) -> dict[str, float]:
    """How many times faster we are."""
    pairs = [
        ("block", "ours", "knf_arrays"),
        ("block", "ours", "knf_lists"),
        ("file", "ours", "torchaudio"),
        ("file", "ours_mel", "torchaudio_mel"),
    ]
    found = {}
    for mels in (80, 128):
        for what, ours, other in pairs:
            theirs = figures.get(f"{what}_{mels}_{other}_us")
            for k in kinds if theirs else []:
                mine = figures[f"{what}_{mels}_{ours}{k}_us"]
                found[f"{what}_{mels}_{other}_over_{ours}{k}"] = theirs / mine
    return found


def main() -> dict[str, float]:
    figures: dict[str, float] = {}
    kinds = {"": False, "_numba": True} if has("numba") else {"": False}
    blocks = list(sound(STREAM_S).reshape(-1, BLOCK))
    x = sound(FILE_S)
    for mels in (80, 128):
        spec = kaldi_fbank(mels=mels)
        mel = FeatureSpec(kind="mel", rate=RATE, mels=mels, center=True)
        stream = {f"ours{k}": streamed(spec, blocks, c) for k, c in kinds.items()}
        if has("kaldi_native_fbank"):
            stream["knf_arrays"] = streamed_knf(mels, blocks)
            stream["knf_lists"] = streamed_knf(mels, [b.tolist() for b in blocks])
        whole: dict[str, Timed] = {}
        for k, c in kinds.items():
            whole[f"ours{k}"] = lambda s=spec, c=c: len(one_shot(s, x, c))
            whole[f"ours_mel{k}"] = lambda s=mel, c=c: len(one_shot(s, x, c))
        if has("torchaudio"):
            whole |= torch_files(x, mels)
        for title, runs in (("block", stream), ("file", whole)):
            best = per_frame_us(runs, ROUNDS)
            figures |= {f"{title}_{mels}_{name}_us": us for name, us in best.items()}
    figures |= ratios(figures, list(kinds))
    print("front end, microseconds a frame (best round) and how many times faster we are")
    for name, value in figures.items():
        print(f"  {name:44s} {value:8.2f}")
    return {name: round(float(value), 3) for name, value in figures.items()}


if __name__ == "__main__":
    main()
