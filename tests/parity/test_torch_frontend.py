"""The torch front end of training computes what the NumPy front end of the edge computes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")

from realtime.features import FeatureSpec, kaldi_fbank  # noqa: E402
from realtime.frontend import finish_window, one_shot  # noqa: E402
from train.torch_frontend import TorchFrontEnd  # noqa: E402

DEMO = Path(__file__).parents[2] / "realtime" / "sounds" / "demo.flac"

SPECS = {
    "ast": kaldi_fbank(mels=128, mean=-4.27, std=9.14),
    "kws12": FeatureSpec(
        kind="mel",
        rate=16000,
        frame=480,
        hop=160,
        fft=512,
        mels=40,
        f_max=7600.0,
        log_floor=1e-5,
    ),
    "centred": FeatureSpec(kind="mel", rate=16000, frame=400, fft=512, center=True, log="db"),
    "slaney magnitude": FeatureSpec(
        kind="mel", rate=16000, power=1, mel_scale="slaney", mel_norm="slaney", log="ln_add"
    ),
    "mfcc": FeatureSpec(kind="mfcc", rate=16000, mels=40, cepstra=13, lifter=22.0),
    "window mean": FeatureSpec(kind="mel", rate=16000, window_mean=True, std=2.0),
    "waveform": FeatureSpec(kind="waveform", rate=16000, hop=160),
}


@pytest.mark.parametrize("name", SPECS)
def test_torch_and_numpy_agree(name: str) -> None:
    spec = SPECS[name]
    audio, rate = soundfile.read(DEMO, dtype="float32")
    assert rate == spec.rate
    clip = audio[: 5 * rate]
    edge = finish_window(spec, one_shot(spec, clip))
    front = TorchFrontEnd(spec)
    trained = front.finish(front(torch.from_numpy(clip)[None]))[0].numpy()
    assert trained.shape == edge.shape
    apart = np.abs(trained - edge)
    # torch computes in float32: a band some 60 dB under its neighbours loses digits there
    assert np.quantile(apart, 0.999) < 1e-4 * max(1.0, float(np.abs(edge).max()) / 10)
    assert apart.max() < 5e-3
