"""The streaming front end: any partition, the same bits; and the formulas, plainly."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import realtime.fft
import realtime.spectrum
from realtime import kernels
from realtime.feature_tables import dct_table, mel_table, window_table
from realtime.features import FeatureSpec, kaldi_fbank
from realtime.frontend import FrontEnd, finish_window, one_shot

RATE = 16_000
SPECS = {
    "ast": kaldi_fbank(),
    "ast_int16": msgspec.structs.replace(kaldi_fbank(mels=80), scale=32768.0, mean=7, std=3),
    "povey": msgspec.structs.replace(kaldi_fbank(mels=23), window="povey"),
    "hamming": msgspec.structs.replace(kaldi_fbank(mels=41), window="hamming"),
    "mel40": FeatureSpec(kind="mel", rate=RATE, mels=40),
    "centred": FeatureSpec(
        kind="mel", rate=RATE, mels=64, center=True, log="ln_add", log_floor=1e-6
    ),
    "centred_odd": FeatureSpec(
        kind="mel", rate=RATE, mels=33, center=True, frame=301, hop=97, fft=405, power=1
    ),
    "centred_dc": FeatureSpec(
        kind="mel", rate=RATE, mels=19, center=True, frame=256, hop=100, fft=256,
        preemphasis=0.97, remove_dc=True, window="rectangular", log="db",
    ),
    "slaney": FeatureSpec(
        kind="mel", rate=22_050, mels=80, frame=1024, hop=256, fft=1024, center=True,
        mel_scale="slaney", mel_norm="slaney", f_min=0.0, log="none", power=1,
    ),
    "mfcc": FeatureSpec(kind="mfcc", rate=RATE, mels=40, cepstra=13, lifter=22.0, log="db"),
    "hop_over_frame": FeatureSpec(kind="mel", rate=RATE, mels=20, frame=200, hop=333, fft=256),
    "hop_over_frame_centred": FeatureSpec(
        kind="mel", rate=RATE, mels=20, frame=200, hop=333, fft=256, center=True
    ),
    "tiny_hop": FeatureSpec(
        kind="mel", rate=RATE, mels=7, frame=33, hop=1, fft=64, remove_dc=True, preemphasis=0.5
    ),
    "tiny_hop_centred": FeatureSpec(
        kind="mel", rate=RATE, mels=7, frame=33, hop=1, fft=64, center=True
    ),
    "window_mean": FeatureSpec(kind="mel", rate=RATE, mels=40, window_mean=True, mean=1, std=2),
    "waveform": FeatureSpec(kind="waveform", rate=RATE, hop=320, scale=32768.0, mean=3.0),
}  # fmt: skip


def clip(n: int, seed: int = 0) -> np.ndarray:
    """Noise over 60 dB of level, with an offset and a stretch of silence."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    level = 10.0 ** (-3 * (0.5 + 0.5 * np.sin(t / 900.0)))
    x = level * rng.standard_normal(n) * 0.2 + 0.01
    x[n // 3 : n // 3 + n // 10] = 0.0
    return x.astype(np.float32)


def plain(spec: FeatureSpec, x: np.ndarray) -> np.ndarray:
    """The definition, one frame at a time, in float64."""
    y = x.astype(np.float64) * spec.scale
    if spec.kind == "waveform":
        n = spec.frames_in(len(x))
        frames = y[: n * spec.hop].reshape(n, spec.hop)
        return (frames - spec.mean) / spec.std
    begin = 0
    if spec.center:
        y = np.pad(y, spec.fft // 2, mode="reflect")
        begin = (spec.fft - spec.frame) // 2
    rows = []
    for t in range(spec.frames_in(len(x))):
        f = y[begin + t * spec.hop :][: spec.frame].copy()
        assert len(f) == spec.frame
        if spec.remove_dc:
            f -= f.mean()
        f -= spec.preemphasis * np.concatenate([f[:1], f[:-1]])
        power = np.abs(np.fft.rfft(f * window_table(spec), spec.fft)) ** spec.power
        m = power @ mel_table(spec)
        if spec.log == "ln":
            m = np.log(np.maximum(m, spec.log_floor))
        elif spec.log == "ln_add":
            m = np.log(m + spec.log_floor)
        elif spec.log == "db":
            m = 10 * np.log10(np.maximum(m, spec.log_floor))
        rows.append(m @ dct_table(spec) if spec.kind == "mfcc" else m)
    out = np.array(rows).reshape(len(rows), spec.width)
    return out if spec.window_mean else (out - spec.mean) / spec.std


def stream(front: FrontEnd, x: np.ndarray, cuts: list[int]) -> np.ndarray:
    parts = [front.push(b) for b in np.split(x, sorted(min(c, len(x)) for c in cuts))]
    return np.concatenate([*parts, front.flush()])


@pytest.mark.parametrize("name", SPECS)
def test_is_the_definition(name: str) -> None:
    spec = SPECS[name]
    x = clip(6 * max(spec.hop, spec.fft) + 4321 if spec.hop > 1 else 700)
    got, want = one_shot(spec, x), plain(spec, x)
    assert got.dtype == np.float32
    assert got.shape == want.shape == (spec.frames_in(len(x)), spec.width)
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("name", SPECS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_partition_gives_the_same_bits(name: str, data: st.DataObject) -> None:
    spec = SPECS[name]
    longest = 500 if spec.hop == 1 else 40 * spec.hop + 2 * spec.fft
    n = data.draw(st.integers(0, longest), label="samples")
    cuts = data.draw(st.lists(st.integers(0, n), max_size=12), label="cuts")
    x = clip(n, seed=n)
    np.testing.assert_array_equal(
        stream(FrontEnd(spec), x, cuts), one_shot(spec, x), strict=True
    )


@pytest.mark.parametrize("size", [1, 7, 160, 480, 1024])
@pytest.mark.parametrize("name", ["ast", "centred", "mfcc", "mel40", "waveform"])
def test_blocks_of_one_size_give_the_same_bits(name: str, size: int) -> None:
    spec, x = SPECS[name], clip(4000 if size == 1 else 30_000)
    cuts = list(range(0, len(x), size))
    np.testing.assert_array_equal(stream(FrontEnd(spec), x, cuts), one_shot(spec, x))


@pytest.mark.parametrize("name", SPECS)
def test_short_clips(name: str) -> None:
    spec = SPECS[name]
    for n in sorted(
        {0, 1, spec.frame - 1, spec.frame, spec.fft // 2, spec.fft // 2 + 1, spec.fft}
    ):
        assert one_shot(spec, clip(n)).shape == (spec.frames_in(n), spec.width)


@pytest.mark.parametrize("name", SPECS)
def test_reset_and_flush_start_anew(name: str) -> None:
    spec, x = SPECS[name], clip(3000)
    front = FrontEnd(spec)
    want = one_shot(spec, x)
    front.push(clip(2777, seed=5) * 100)
    front.reset()
    assert front.count == 0
    np.testing.assert_array_equal(np.concatenate([front.push(x), front.flush()]), want)
    np.testing.assert_array_equal(np.concatenate([front.push(x), front.flush()]), want)


@pytest.mark.parametrize("name", SPECS)
def test_a_frame_comes_as_soon_as_delay_says(name: str) -> None:
    spec = SPECS[name]
    front = FrontEnd(spec)
    front.push(clip(2 * spec.fft))  # past the start, where reflection waits
    for sample in range(2 * spec.fft, 2 * spec.fft + 3 * spec.hop):
        front.push(clip(1))
        assert front.count == max(0, (sample + 1 - front.delay) // spec.hop + 1)


def test_blocks_are_copied() -> None:
    spec, x = SPECS["ast"], clip(2000)
    front, block, got = FrontEnd(spec), np.empty(100, np.float32), []
    for i in range(0, 2000, 100):
        block[:] = x[i : i + 100]
        got.append(front.push(block))
        block[:] = np.nan
    np.testing.assert_array_equal(np.concatenate(got), one_shot(spec, x))


def test_given_frames_stay_as_they_are() -> None:
    spec, x = SPECS["ast"], clip(30_000)
    front = FrontEnd(spec)
    first = front.push(x[:5000])
    kept = first.copy()
    front.push(x[5000:])
    np.testing.assert_array_equal(first, kept)


def test_other_types_are_taken_and_other_shapes_refused() -> None:
    spec, x = SPECS["mel40"], clip(2000)
    np.testing.assert_array_equal(FrontEnd(spec).push(x.astype(np.float64)), one_shot(spec, x))
    np.testing.assert_array_equal(FrontEnd(spec).push(np.repeat(x, 2)[::2]), one_shot(spec, x))
    with pytest.raises(ValueError, match="one dimension"):
        FrontEnd(spec).push(x[:, None])


def test_silence_is_the_floor() -> None:
    for name in ("ast", "mel40", "centred"):
        spec = SPECS[name]
        frames = one_shot(spec, np.zeros(2000, np.float32))
        np.testing.assert_array_equal(frames, np.float32(np.log(np.float32(spec.log_floor))))


def test_a_sample_outside_a_frame_does_not_reach_it() -> None:
    spec = SPECS["ast"]  # preemphasis looks one sample back: not past the frame's begin
    x = clip(3000)
    before = one_shot(spec, x)
    x[5 * spec.hop - 1] = 0.9
    np.testing.assert_array_equal(before[5:], one_shot(spec, x)[5:])


def test_an_offset_is_removed() -> None:
    spec, x = SPECS["ast"], clip(4000)[:1200]
    np.testing.assert_allclose(
        one_shot(spec, x + np.float32(0.25)), one_shot(spec, x), atol=2e-3
    )


def test_finish_window() -> None:
    spec, x = SPECS["window_mean"], clip(9000)
    raw = one_shot(spec, x)
    kept = raw.copy()
    done = finish_window(spec, raw)
    np.testing.assert_array_equal(raw, kept)
    want = (raw - raw.astype(np.float64).mean(axis=0) - 1.0) / 2.0
    np.testing.assert_allclose(done, want, atol=1e-5)
    assert finish_window(spec, raw[:0]).shape == (0, 40)


def test_finish_window_leaves_finished_frames_alone() -> None:
    frames = one_shot(SPECS["ast_int16"], clip(3000))
    assert finish_window(SPECS["ast_int16"], frames) is frames


def test_mel_blocks_hold_the_whole_table() -> None:
    for spec in SPECS.values():
        if spec.kind == "waveform":
            continue
        table = np.zeros((spec.fft // 2 + 1, spec.mels), np.float32)
        for weights, low, high, bands in realtime.spectrum.band_blocks(spec):
            assert weights.size <= realtime.spectrum.BLOCK_WEIGHTS or weights.shape[0] == 1
            table[low:high, bands] = weights.T
        np.testing.assert_array_equal(table, mel_table(spec).astype(np.float32))


def test_without_the_private_fft_the_bits_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = clip(5000)
    want = one_shot(SPECS["ast"], x)
    monkeypatch.setattr(realtime.fft, "_KERNEL", None)
    np.testing.assert_array_equal(one_shot(SPECS["ast"], x), want)


@pytest.mark.parametrize("name", ["ast", "ast_int16", "hamming", "centred", "mfcc", "tiny_hop"])
def test_a_frame_alone_has_the_bits_of_a_frame_in_company(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPECS[name]
    x = clip(4 * spec.fft)
    cuts = list(range(0, len(x), spec.hop))
    alone = stream(FrontEnd(spec), x, cuts)
    # a BLAS with other bits for one vector than for several is found out
    monkeypatch.setattr(realtime.spectrum.Chain, "_try_lone", lambda chain: False)
    np.testing.assert_array_equal(stream(FrontEnd(spec), x, cuts), alone)
    np.testing.assert_array_equal(one_shot(spec, x), alone)


def test_a_private_fft_that_changed_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Changed:
        @staticmethod
        def rfft_n_even(x: np.ndarray, factor: float, out: np.ndarray) -> None:
            out[:] = 0.0

    for module in (Changed, object()):
        monkeypatch.setattr(realtime.fft.importlib, "import_module", lambda name, m=module: m)
        assert realtime.fft.direct_rfft() is None


def test_the_kernel_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not FrontEnd(SPECS["ast"]).compiled
    for name in ("waveform", "centred_odd"):  # no FFT, or one the kernel cannot do
        assert not FrontEnd(SPECS[name], compiled=True).compiled
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda name: None)
    x = clip(3000)
    assert not FrontEnd(SPECS["ast"], compiled=True).compiled
    np.testing.assert_array_equal(
        one_shot(SPECS["ast"], x, compiled=True), one_shot(SPECS["ast"], x)
    )


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.timeout(120)  # the first run on a machine compiles
def test_the_kernel_is_its_numpy_twin(name: str) -> None:
    pytest.importorskip("numba")
    spec = SPECS[name]
    x = clip(6 * max(spec.hop, spec.fft) + 4321 if spec.hop > 1 else 700)
    got, want = one_shot(spec, x, compiled=True), one_shot(spec, x)
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("name", ["ast", "ast_int16", "hamming", "centred", "mfcc", "tiny_hop"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_partition_gives_the_same_bits_compiled(name: str, data: st.DataObject) -> None:
    pytest.importorskip("numba")
    spec = SPECS[name]
    n = data.draw(st.integers(0, 500 if spec.hop == 1 else 9000), label="samples")
    cuts = data.draw(st.lists(st.integers(0, n), max_size=12), label="cuts")
    x = clip(n, seed=n)
    got = stream(FrontEnd(spec, compiled=True), x, cuts)
    np.testing.assert_array_equal(got, one_shot(spec, x, compiled=True), strict=True)
