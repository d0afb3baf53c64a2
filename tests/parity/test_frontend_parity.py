"""Our front end against torchaudio and kaldi-native-fbank, on real recordings.

The witnesses compute in float32, and so have errors of their own in the logarithm: up to 3e-4
where a filterbank weight is small, above 1e-4 in most bands 50 dB below the loudest of their
frame, and up to 3 where 16-bit sound ends in near silence. They differ from each other by as
much. So each value is held to 1e-5 against torchaudio's own code run in float64 throughout
(tables too), ten times closer than the 1e-4 asked for; from a float32 witness we may differ by
no more than that witness's own error allows, and by 1e-5 in the median.

These are units of the natural logarithm; in dB they are 10 / ln 10 times as large.

Recordings: the project's own demonstration sound, a synthetic one, and, where they are there,
the recordings beside the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from realtime.features import FeatureSpec, kaldi_fbank
from realtime.frontend import one_shot

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "realtime" / "sounds"
SHARED = ROOT.parent / "shared" / "data"
EXACT = 1e-5  # against a witness in float64
BOUND = 1e-4  # against a float32 witness without errors of its own
DB = 10 / np.log(10)  # dB in one unit of the natural logarithm
EACH = 1  # recordings of a kind
LONGEST_S = 4


def synthetic() -> np.ndarray:
    """Two seconds like speech: harmonics, noise bursts and a quiet end, as 16-bit samples."""
    rng = np.random.default_rng(0)
    t = np.arange(32_000) / 16_000
    voice = sum(np.sin(2 * np.pi * 120 * k * t + k) / k for k in range(1, 40))
    level = np.clip(np.sin(2 * np.pi * 3 * t), 0, 1) ** 2
    x = 0.1 * level * voice + 0.05 * (1 - level) ** 4 * rng.standard_normal(len(t))
    x[24_000:] *= 0.01
    return (np.round(x * 32_768) / 32_768).astype(np.float32)


def recordings() -> list[Any]:
    found = sorted(OWN.glob("*.flac"))
    kinds = ["speech-commands/yes", "voice/commonvoice", "voice/librispeech", "esc10/audio"]
    kinds += ["noise/home", "music", "drums/snare"]
    for kind in kinds:
        found += sorted(
            p for p in (SHARED / kind).glob("*.*") if p.suffix in {".ogg", ".flac"}
        )[:EACH]
    if not SHARED.is_dir():
        missing = pytest.mark.skip(reason="the recordings beside the project are not there")
        return ["synthetic", *found, pytest.param("shared", marks=missing)]
    return ["synthetic", *found]


@pytest.fixture(params=recordings(), ids=lambda p: p if isinstance(p, str) else p.stem)
def clip(request: pytest.FixtureRequest) -> np.ndarray:
    if request.param == "synthetic":
        return synthetic()
    sf = pytest.importorskip("soundfile")
    soxr = pytest.importorskip("soxr")
    x, rate = sf.read(request.param, dtype="float32", always_2d=True)
    return np.ascontiguousarray(soxr.resample(x[: LONGEST_S * rate, 0], rate, 16_000))


@contextmanager
def precision(name: str) -> Iterator[Any]:
    """Torch with that default type, which torchaudio's tables take."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchaudio")
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield torch
    finally:
        torch.set_default_dtype(before)


def agree(
    ours: np.ndarray, exact: np.ndarray, witness: np.ndarray | None = None, unit: float = 1.0
) -> None:
    """Every value against the float64 witness, and against a float32 one as far as it goes."""
    assert ours.shape == exact.shape
    error = np.abs(ours.astype(np.float64) - exact)
    assert error.max(initial=0.0) <= EXACT * unit
    if witness is None:
        return
    assert ours.shape == witness.shape
    apart, own = np.abs(ours - witness), np.abs(witness - exact)
    assert np.median(apart) <= EXACT * unit
    assert np.all(apart[own < BOUND * unit - EXACT * unit] <= BOUND * unit)
    assert np.all(apart <= own + EXACT * unit)


# --- Kaldi ------------------------------------------------------------------------------


def torch_fbank(x: np.ndarray, mels: int, dtype: str) -> np.ndarray:
    with precision(dtype) as torch:
        from torchaudio.compliance import kaldi

        out: np.ndarray = kaldi.fbank(
            torch.from_numpy(x.astype(dtype))[None],
            num_mel_bins=mels,
            sample_frequency=16_000,
            htk_compat=True,
            use_energy=False,
            window_type="hanning",
            dither=0.0,
        ).numpy()
    return out


def native_fbank(x: np.ndarray, mels: int) -> np.ndarray:
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = 16_000
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = mels
    options.use_energy = False
    options.htk_compat = True
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(16_000, x.tolist())
    bank.input_finished()
    return np.array([bank.get_frame(i) for i in range(bank.num_frames_ready)])


@pytest.mark.parametrize(("mels", "scale"), [(128, 1.0), (80, 32_768.0)])
def test_kaldi(clip: np.ndarray, mels: int, scale: float) -> None:
    spec = msgspec.structs.replace(kaldi_fbank(mels=mels), scale=scale)
    x = clip * np.float32(scale)
    ours = one_shot(spec, clip)
    exact = torch_fbank(x, mels, "float64")
    agree(ours, exact, torch_fbank(x, mels, "float32"))
    agree(ours, exact, native_fbank(x, mels))


def test_the_offset_of_a_clip_makes_no_difference_to_ast(clip: np.ndarray) -> None:
    # AST subtracts the clip's mean before; each frame loses its own anyway
    x = clip.astype(np.float64)
    agree(one_shot(kaldi_fbank(), clip), torch_fbank(x - x.mean(), 128, "float64"))


# --- MelSpectrogram and MFCC ------------------------------------------------------------

MEL = {
    "htk": FeatureSpec(kind="mel", rate=16_000, mels=40, center=True),
    "htk_db": FeatureSpec(kind="mel", rate=16_000, mels=64, center=True, log="db"),
    "htk_add": FeatureSpec(
        kind="mel", rate=16_000, mels=64, center=True, log="ln_add", log_floor=1e-6, f_min=0.0
    ),
    "slaney": FeatureSpec(
        kind="mel", rate=16_000, mels=80, frame=1024, hop=256, fft=1024, center=True,
        mel_scale="slaney", mel_norm="slaney", f_min=0.0, f_max=7600.0,
    ),
    "magnitude": FeatureSpec(
        kind="mel", rate=16_000, mels=80, frame=640, hop=320, fft=1024, center=True, power=1,
        mel_scale="slaney", log_floor=1e-5,
    ),
    "hamming": FeatureSpec(kind="mel", rate=16_000, mels=40, window="hamming", center=True),
    "not_centred": FeatureSpec(kind="mel", rate=16_000, mels=40, frame=400, fft=512),
    "whole_fft": FeatureSpec(kind="mel", rate=16_000, mels=40, frame=512, fft=512, log="db"),
}  # fmt: skip


def torch_mel(spec: FeatureSpec, x: np.ndarray, dtype: str) -> np.ndarray:
    with precision(dtype) as torch:
        from torchaudio import transforms

        windows = {"hann": torch.hann_window, "hamming": torch.hamming_window}
        mel = transforms.MelSpectrogram(
            spec.rate,
            spec.fft,
            spec.frame,
            spec.hop,
            f_min=spec.f_min,
            f_max=spec.top_hz,
            n_mels=spec.mels,
            window_fn=windows[spec.window],
            power=float(spec.power),
            center=spec.center,
            norm=None if spec.mel_norm == "none" else spec.mel_norm,
            mel_scale=spec.mel_scale,
        )(torch.from_numpy(x.astype(dtype)))
        if spec.log == "db":
            mel = transforms.AmplitudeToDB("power", top_db=None)(mel)
        elif spec.log == "ln_add":
            mel = torch.log(mel + spec.log_floor)
        else:
            mel = torch.log(torch.clamp(mel, min=spec.log_floor))
        out: np.ndarray = mel.T.numpy()
    return out


@pytest.mark.parametrize("name", MEL)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank:UserWarning")
def test_mel_spectrogram(clip: np.ndarray, name: str) -> None:
    spec = MEL[name]
    exact, witness = torch_mel(spec, clip, "float64"), torch_mel(spec, clip, "float32")
    ours = one_shot(spec, clip)
    if not spec.center:
        # torch.stft begins the window (fft - frame) // 2 after the FFT's first sample
        ours = one_shot(spec, clip[(spec.fft - spec.frame) // 2 :])[: len(exact)]
    agree(ours, exact, witness, DB if spec.log == "db" else 1.0)


def torch_mfcc(spec: FeatureSpec, x: np.ndarray, dtype: str) -> np.ndarray:
    with precision(dtype) as torch:
        from torchaudio import transforms

        module = transforms.MFCC(
            spec.rate,
            spec.cepstra,
            log_mels=spec.log == "ln_add",
            melkwargs={
                "n_fft": spec.fft,
                "win_length": spec.frame,
                "hop_length": spec.hop,
                "f_min": spec.f_min,
                "n_mels": spec.mels,
            },
        )
        module.amplitude_to_DB.top_db = None  # it looks at the whole clip: no stream can
        out: np.ndarray = module(torch.from_numpy(x.astype(dtype))).T.numpy()
    return out


@pytest.mark.parametrize("log", ["db", "ln_add"])
def test_mfcc(clip: np.ndarray, log: Any) -> None:
    floor = 1e-10 if log == "db" else 1e-6
    spec = FeatureSpec(
        kind="mfcc", rate=16_000, mels=40, cepstra=13, center=True, log=log, log_floor=floor
    )
    exact, witness = torch_mfcc(spec, clip, "float64"), torch_mfcc(spec, clip, "float32")
    agree(one_shot(spec, clip), exact, witness, DB if log == "db" else 1.0)
