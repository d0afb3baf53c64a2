"""The spec and its tables: refusals, sizes, and values from the books."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import CardError
from realtime.feature_tables import dct_table, hz_to_mel, mel_table, mel_to_hz, window_table
from realtime.features import FeatureSpec, kaldi_fbank

SCALES = ["htk", "slaney", "kaldi"]
BASE = {"kind": "mel", "rate": 16_000}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"rate": 999}, "rate"),
        ({"hop": 0}, "hop"),
        ({"std": 0.0}, "std"),
        ({"std": float("nan")}, "std"),
        ({"frame": 0}, "frame"),
        ({"frame": 513}, "frame"),
        ({"mels": 0}, "mels"),
        ({"fft": 10**12}, "fft"),
        ({"mels": 10**12}, "mels"),
        ({"f_min": -1.0}, "f_min"),
        ({"f_max": 8001.0}, "f_max"),
        ({"f_min": 4000.0, "f_max": 4000.0}, "f_min"),
        ({"log_floor": 0.0}, "log_floor"),
        ({"kind": "mfcc"}, "cepstra"),
        ({"kind": "mfcc", "cepstra": 65}, "cepstra"),
        ({"cepstra": 13}, "mfcc"),
        ({"lifter": 22.0}, "mfcc"),
    ],
)
def test_contradictions_are_refused_by_name(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(CardError, match=names) as e:
        FeatureSpec(**{**BASE, **fields})
    assert e.value.hint


def test_json_round_trip() -> None:
    spec = kaldi_fbank(mean=-4.27, std=9.14)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=FeatureSpec) == spec


def test_the_digest_knows_every_field() -> None:
    base = FeatureSpec(kind="mfcc", rate=16_000, cepstra=13, f_max=7000.0)
    others = {
        "kind": "mel", "rate": 22_050, "frame": 320, "hop": 100, "fft": 1024, "window": "povey",
        "mels": 40, "f_min": 0.0, "f_max": 0.0, "mel_scale": "slaney", "mel_norm": "slaney",
        "power": 1, "log": "db", "log_floor": 1e-6, "preemphasis": 0.9, "remove_dc": True,
        "center": True, "scale": 2.0, "cepstra": 12, "lifter": 22.0, "mean": 1.0, "std": 2.0,
        "window_mean": True,
    }  # fmt: skip
    assert set(others) == set(FeatureSpec.__struct_fields__)
    digests = {base.digest()}
    for field, value in others.items():
        change = {field: value, **({"cepstra": 0} if field == "kind" else {})}
        digests.add(msgspec.structs.replace(base, **change).digest())
    assert len(digests) == len(others) + 1


@given(
    samples=st.integers(0, 5000),
    frame=st.integers(1, 600),
    slack=st.integers(0, 500),
    hop=st.integers(1, 700),
    center=st.booleans(),
)
def test_samples_for_is_enough_for_frames_in(
    samples: int, frame: int, slack: int, hop: int, center: bool
) -> None:
    spec = FeatureSpec(
        kind="mel", rate=16_000, frame=frame, hop=hop, fft=frame + slack, mels=4, center=center
    )
    n = spec.frames_in(samples)
    assert n >= 0
    assert spec.frames_in(samples + hop) >= n
    if n and not center:
        assert spec.samples_for(n) <= samples < spec.samples_for(n + 1)


def test_kaldi_fbank_has_the_sizes_of_ast() -> None:
    spec = kaldi_fbank()
    assert (spec.frame, spec.hop, spec.fft, spec.mels) == (400, 160, 512, 128)
    assert spec.frames_in(10 * 16_000) == 998
    assert (kaldi_fbank(8000).frame, kaldi_fbank(8000).fft) == (200, 256)
    assert kaldi_fbank(44_100).fft == 2048


@pytest.mark.parametrize("scale", SCALES)
def test_mel_and_back(scale: str) -> None:
    hz = np.linspace(0.0, 24_000.0, 501)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz, scale), scale), hz, atol=1e-8)
    assert np.all(np.diff(hz_to_mel(hz, scale)) > 0)


def test_mel_landmarks() -> None:
    # HTK Book 3.4, eq. 5.13; Slaney's toolbox: 15 mels at 1 kHz, then 27 steps to 6.4 kHz
    assert hz_to_mel(1000.0, "htk") == pytest.approx(999.9855, abs=1e-3)
    assert hz_to_mel(1000.0, "slaney") == pytest.approx(15.0)
    assert hz_to_mel(6400.0, "slaney") == pytest.approx(42.0)
    assert hz_to_mel(700.0, "kaldi") == pytest.approx(1127.0 * np.log(2.0))


@pytest.mark.parametrize("scale", SCALES)
def test_triangles(scale: Any) -> None:
    spec = FeatureSpec(kind="mel", rate=16_000, mels=40, mel_scale=scale, f_min=20.0, fft=2048)
    table = mel_table(spec)
    assert table.shape == (1025, 40)
    assert table.min() >= 0
    assert table.max() <= 1
    assert np.all(np.count_nonzero(table, axis=1) <= 2)  # neighbours overlap by half
    assert np.all(np.diff(table.argmax(axis=0)) > 0)
    low = int(table[:, 0].argmax()) + 1
    high = int(table[:, -1].argmax()) - 1
    np.testing.assert_allclose(table[low:high].sum(axis=1), 1.0)  # and add up to one


def test_slaney_norm_gives_triangles_of_one_area() -> None:
    spec = FeatureSpec(kind="mel", rate=16_000, mels=20, mel_norm="slaney", fft=8192, f_min=100)
    area = mel_table(spec).sum(axis=0) * spec.rate / spec.fft
    np.testing.assert_allclose(area, 1.0, atol=1e-2)


def test_windows() -> None:
    def window(kind: Any) -> np.ndarray:
        return window_table(FeatureSpec(kind="mel", rate=16_000, window=kind, frame=100))

    np.testing.assert_allclose(window("hann_symmetric"), np.hanning(100), atol=1e-12)
    np.testing.assert_allclose(window("hann"), np.hanning(101)[:-1], atol=1e-12)
    np.testing.assert_allclose(window("hamming"), np.hamming(101)[:-1], atol=1e-12)
    np.testing.assert_allclose(window("povey"), np.hanning(100) ** 0.85, atol=1e-12)
    assert np.all(window("rectangular") == 1)


def test_dct_is_orthonormal_and_the_lifter_is_htks() -> None:
    def table(lifter: float) -> np.ndarray:
        return dct_table(
            FeatureSpec(kind="mfcc", rate=16_000, mels=26, cepstra=26, lifter=lifter)
        )

    np.testing.assert_allclose(table(0.0).T @ table(0.0), np.eye(26), atol=1e-12)
    k = np.arange(26)
    np.testing.assert_allclose(
        table(22.0), table(0.0) * (1 + 11 * np.sin(np.pi * k / 22)), atol=1e-12
    )


def test_tables_are_shared_and_cannot_be_changed() -> None:
    spec = kaldi_fbank()
    assert mel_table(spec) is mel_table(kaldi_fbank())
    for table in (mel_table(spec), window_table(spec)):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1.0
