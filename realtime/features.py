"""What a front end computes: `FeatureSpec`, which travels in the model card.

`realtime.feature_tables` makes the tables that follow from it. Nothing here touches audio.
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal

import msgspec
import numpy as np

from realtime.errors import CardError
from realtime.feature_tables import mel_table, window_table

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000  # Hz, of any sound
# Kaldi floors mel energies at this before the logarithm
KALDI_EPSILON = float(np.finfo(np.float32).eps)
LARGEST_TABLE = 1 << 25  # numbers in fft times mels: 16 times what any known front end has
INT16_SCALE = 32768.0  # Kaldi works on integer sample values; torchaudio's fbank does not scale


class FeatureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One front end, complete: enough to compute the same features anywhere.

    All lengths are samples at `rate`. `kind` "waveform" passes samples through in hops of
    `hop`.

    Args:
        kind: "mel" (power or magnitude mel spectrogram), "mfcc" (DCT of that), "waveform" (no
            features).
        rate: sampling rate in Hz that the features expect.
        frame: analysis frame length, samples.
        hop: distance of frames, samples.
        fft: FFT length, at least `frame`; the rest is zeros. Without `center` the first frame
            begins at sample 0, as in Kaldi; torch.stft, and so torchaudio, begins it at `(fft
            - frame) // 2`.
        window: analysis window. "hann" is periodic, "hann_symmetric" is Kaldi's hanning,
            "povey" its default.
        mels: number of mel bands.
        f_min: lower edge, Hz.
        f_max: upper edge, Hz; 0 is half of `rate`.
        mel_scale: "htk" and "slaney" have triangles in Hz; "kaldi" has them in mel.
        mel_norm: "slaney" divides each triangle by its width in Hz.
        power: 2 for power, 1 for magnitude.
        log: "none", "ln" = ln(max(x, floor)), "ln_add" = ln(x + floor), "db" = 10
            log10(max(x, floor)).
        log_floor: floor in the unit of the mel energies.
        preemphasis: coefficient, 0 for none; within the frame, as Kaldi does.
        remove_dc: subtract each frame's mean first.
        center: frames are centred on multiples of `hop`; the signal is extended by reflection
            at both ends.
        scale: factor on the samples (32768 for models that were trained on integer sample
            values).
        cepstra: MFCC coefficients kept, kind "mfcc" only.
        lifter: HTK cepstral lifter, 0 for none.
        mean: subtracted from every value. With `window_mean` it comes after it.
        std: divides every value after that.
        window_mean: subtract the mean of each band over the model's window.
    """

    kind: Literal["mel", "mfcc", "waveform"]
    rate: int
    frame: int = 400
    hop: int = 160
    fft: int = 512
    window: Literal["hann", "hann_symmetric", "hamming", "povey", "rectangular"] = "hann"
    mels: int = 64
    f_min: float = 20.0
    f_max: float = 0.0
    mel_scale: Literal["htk", "slaney", "kaldi"] = "htk"
    mel_norm: Literal["none", "slaney"] = "none"
    power: Literal[1, 2] = 2
    log: Literal["none", "ln", "ln_add", "db"] = "ln"
    log_floor: float = 1e-10
    preemphasis: float = 0.0
    remove_dc: bool = False
    center: bool = False
    scale: float = 1.0
    cepstra: int = 0
    lifter: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    window_mean: bool = False

    def __post_init__(self) -> None:
        """Refuse contradictions, naming the field."""
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise CardError(
                f"features.rate is {self.rate} Hz",
                f"use a rate from {LOWEST_RATE} to {HIGHEST_RATE}",
            )
        if self.hop < 1:
            raise CardError(f"features.hop is {self.hop}", "use at least one sample")
        if not np.isfinite(self.std) or self.std <= 0:
            raise CardError(f"features.std is {self.std}", "use a positive number")
        if self.kind != "waveform":
            self._check_bands()

    def _check_bands(self) -> None:
        if not 1 <= self.frame <= self.fft:
            raise CardError(
                f"features.frame is {self.frame} and features.fft {self.fft}",
                "a frame has at least 1 sample and fits into the FFT",
            )
        if self.mels < 1:
            raise CardError(f"features.mels is {self.mels}", "use at least one band")
        if self.fft * self.mels > LARGEST_TABLE:  # a stranger's card must not fill the memory
            raise CardError(
                f"features.fft is {self.fft} and features.mels {self.mels}",
                f"use no more than {LARGEST_TABLE} together, multiplied",
            )
        if not 0 <= self.f_min < self.top_hz <= self.rate / 2:
            raise CardError(
                f"features.f_min {self.f_min} and f_max {self.f_max} do not fit into "
                f"0 to {self.rate / 2} Hz",
                "f_max 0 means half of the rate",
            )
        if self.log != "none" and self.log_floor <= 0:
            raise CardError(f"features.log_floor is {self.log_floor}", "use a positive floor")
        if self.kind == "mfcc" and not 1 <= self.cepstra <= self.mels:
            raise CardError(
                f"features.cepstra is {self.cepstra}", f"use 1 to {self.mels} (mels)"
            )
        if self.kind != "mfcc" and (self.cepstra or self.lifter):
            raise CardError(
                "features.cepstra and lifter belong to kind mfcc", "leave them at 0"
            )

    @property
    def top_hz(self) -> float:
        """Upper edge of the highest band, Hz."""
        return self.f_max or self.rate / 2

    @property
    def width(self) -> int:
        """Values in one frame."""
        return {"mel": self.mels, "mfcc": self.cepstra, "waveform": self.hop}[self.kind]

    def frames_in(self, samples: int) -> int:
        """Frames that a clip of so many samples gives."""
        if self.kind == "waveform":
            return samples // self.hop
        if self.center:
            extended = samples + 2 * (self.fft // 2)
            return (extended - self.fft) // self.hop + 1 if samples > self.fft // 2 else 0
        # torch.stft without centring asks for a whole FFT; Kaldi (and we) ask for a whole frame
        return 1 + (samples - self.frame) // self.hop if samples >= self.frame else 0

    def samples_for(self, frames: int) -> int:
        """Samples that so many frames span, from the first sample read to the last."""
        if self.kind == "waveform" or self.center:
            return frames * self.hop
        return (frames - 1) * self.hop + self.frame

    def at_rate(self, rate: int) -> FeatureSpec:
        """The same front end for sound of another rate: the same seconds and the same hertz.

        A sound has the same features at every rate, as far as the rate carries it: frame and
        hop are scaled, the bands stay where they are in Hz, and `scale` makes up for the longer
        sums. The FFT length is the one whose bins are as far apart as the model's own, to half
        a percent, for the bands of low tones hold only a bin or two: with the power of two
        next to it their values would move by some tenths (ln), so by a thousandth. Bands over
        half of the rate, which no such sound has, come out at the floor.

        Args:
            rate: Hz.

        Returns:
            The spec, with `hop` rounded where it is no whole number of samples; the spec itself
            for its own rate. It is for computing and not for a card: it may have bands that
            `rate` does not reach.

        Raises:
            CardError: the spec has no such equal: it is of kind waveform, or has preemphasis,
                a filter over neighbouring samples.
        """
        if rate == self.rate:
            return self
        if self.kind == "waveform" or self.preemphasis:
            what = "kind waveform" if self.kind == "waveform" else "preemphasis"
            raise CardError(
                f"a front end with {what} is for its own rate only", f"give {self.rate} Hz"
            )
        ratio = rate / self.rate
        frame = max(1, round(self.frame * ratio))
        fft = _near_smooth(self.fft * ratio, frame)
        # so many times denser than the model's bins are ours: a sum over a band has more terms
        density = (fft / rate) / (self.fft / self.rate)
        weight = 1.0 / density if self.power == 1 else math.sqrt(1.0 / density)
        changes = {
            "rate": rate,
            "frame": frame,
            "hop": max(1, round(self.hop * ratio)),
            "fft": fft,
            "f_max": self.top_hz,
            "scale": self.scale * weight / ratio,
        }
        return _Derived(
            **{name: getattr(self, name) for name in self.__struct_fields__} | changes
        )

    def digest(self) -> str:
        """Twelve hex digits that change with any field and with any value of the tables."""
        h = hashlib.sha256(msgspec.json.encode(self))
        if self.kind != "waveform":
            h.update(np.round(window_table(self), 9).tobytes())
            h.update(np.round(mel_table(self), 9).tobytes())
        return h.hexdigest()[:12]


class _Derived(FeatureSpec, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A spec by `FeatureSpec.at_rate`: its bands may go beyond half of its rate."""

    def _check_bands(self) -> None:
        """All of it was checked in the spec it is made of."""


def _near_smooth(length: float, least: int) -> int:
    """An even number near `length`, not under `least`, that FFTs are quick with.

    The nearest without a prime factor over 11; powers of two themselves where they fit.
    """
    least = least + least % 2
    nearest = max(least, 2 * round(length / 2))
    for distance in range(0, nearest, 2):
        for n in (nearest + distance, nearest - distance):
            rest = n
            for prime in (2, 3, 5, 7, 11):
                while rest > 1 and rest % prime == 0:
                    rest //= prime
            if rest == 1 and n >= least:
                return n
    return nearest


def kaldi_fbank(
    rate: int = 16_000, mels: int = 128, mean: float = 0.0, std: float = 1.0
) -> FeatureSpec:
    """The front end of AST: `torchaudio.compliance.kaldi.fbank` with hanning and htk_compat.

    Without energy and dither. The clip's mean is removed by the caller there (`waveform -
    waveform.mean()`); with `remove_dc` each frame loses its own, which Kaldi does as well, so
    the first has no effect on the result.
    Source: Gong et al., "AST: Audio Spectrogram Transformer" (2021), section 2.1.
    """
    frame = rate * 25 // 1000
    return FeatureSpec(
        kind="mel",
        rate=rate,
        frame=frame,
        hop=rate // 100,
        fft=1 << (frame - 1).bit_length(),
        window="hann_symmetric",
        mels=mels,
        f_min=20.0,
        mel_scale="kaldi",
        log="ln",
        log_floor=KALDI_EPSILON,
        preemphasis=0.97,
        remove_dc=True,
        mean=mean,
        std=std,
    )
