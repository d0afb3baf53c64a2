"""The front end in torch: batched, on CPU or GPU, from the same tables as `realtime.frontend`.

Used by training only. Augmentation happens before (waveform) and after (`train.augment`),
never inside.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from realtime.feature_tables import dct_table, mel_table, window_table
from realtime.features import FeatureSpec


class TorchFrontEnd(nn.Module):
    """`FeatureSpec` as a module: float32 [batch, samples] to [batch, frames, width].

    The waveform kind gives the frames of `hop` samples. Agreement with `realtime.frontend` is
    tested (tests/parity).
    """

    window: Tensor
    mel: Tensor
    dct: Tensor

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self.spec = spec
        if spec.kind == "waveform":
            return
        window = window_table(spec) * spec.scale
        if spec.center:  # the frame sits in the middle of the FFT, as torch.stft places it
            window = np.pad(
                window, ((spec.fft - spec.frame) // 2, -(-(spec.fft - spec.frame) // 2))
            )
        self.register_buffer(
            "window", torch.tensor(window, dtype=torch.float32), persistent=False
        )
        self.register_buffer(
            "mel", torch.tensor(mel_table(spec), dtype=torch.float32), persistent=False
        )
        dct = dct_table(spec) if spec.kind == "mfcc" else np.zeros((0, 0))
        self.register_buffer("dct", torch.tensor(dct, dtype=torch.float32), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Features, before `finish`."""
        spec = self.spec
        if spec.kind == "waveform":
            frames = samples.shape[1] // spec.hop
            return samples[:, : frames * spec.hop].reshape(-1, frames, spec.hop)
        if spec.center:
            samples = nn.functional.pad(samples[:, None], [spec.fft // 2] * 2, mode="reflect")[
                :, 0
            ]
        x = samples.unfold(1, spec.fft if spec.center else spec.frame, spec.hop)
        if spec.remove_dc:
            x = x - x.mean(2, keepdim=True)
        if spec.preemphasis:  # Kaldi: the first sample is its own predecessor
            before = torch.cat([x[..., :1], x[..., :-1]], 2)
            x = x - spec.preemphasis * before
        spectrum = torch.fft.rfft(x * self.window, n=spec.fft)
        energy = spectrum.real.square() + spectrum.imag.square()
        if spec.power == 1:
            energy = energy.sqrt()
        y = energy @ self.mel
        if spec.log == "ln":
            y = y.clamp_min(spec.log_floor).log()
        elif spec.log == "ln_add":
            y = (y + spec.log_floor).log()
        elif spec.log == "db":
            y = 10.0 * y.clamp_min(spec.log_floor).log10()
        features: Tensor = y @ self.dct if spec.kind == "mfcc" else y
        return features

    def finish(self, frames: Tensor) -> Tensor:
        """A whole window as the model sees it: mean removal and normalisation."""
        if self.spec.window_mean:
            frames = frames - frames.mean(1, keepdim=True)
        return (frames - self.spec.mean) / self.spec.std
