"""The scorer: the same decisions however sound is cut, and nearly the same at every rate."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.errors import CardError
from realtime.feature_tables import mel_table
from realtime.features import FeatureSpec
from realtime.frontend import FrontEnd
from realtime.gate.ears import ears_of
from realtime.gate.front import GROUP, GateFront
from realtime.gate.grid import decided, due
from realtime.gate.plain_ears import ManyEars, RuntimeEars
from realtime.gate.scorer import Scorer
from realtime.library import find_model
from realtime.runners import open_runner
from realtime.runners.steps import steps_of

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000)
WORDS = Path(__file__).parents[2] / "data/words"
SPEC = FeatureSpec(kind="mel", rate=16000, mels=40, log_floor=1e-8)


def sound_of(rate, seconds, seed=0):
    rng = np.random.default_rng(seed)
    loud = 10.0 ** rng.uniform(-3, -0.5, math.ceil(seconds * 20))
    envelope = np.repeat(loud, math.ceil(rate / 20))[: round(seconds * rate)]
    return (rng.normal(0, 1, len(envelope)) * envelope).clip(-1, 1).astype(np.float32)


def frames_of(front, sound, sizes):
    """The decisions and frames of a sound cut into such blocks, round and round."""
    found, frames, at = [], [np.zeros((0, front.spec.width), np.float32)], 0
    while at < len(sound):
        for size in sizes:
            for first, ends in front.advance(sound[at : at + size]):
                found += enumerate(ends, first)
                frames.append(front.frames(first, ends).copy())
            at += size
    return found, np.concatenate(frames)


@pytest.fixture(scope="module")
def runner(gate_model):
    return open_runner(gate_model)


@pytest.mark.parametrize("rate", [*RATES, 12345])
def test_the_grid(rate):
    ends = [due(k, rate) for k in range(3000)]
    assert ends == [round((k + 1) * rate / 100) for k in range(3000)]
    assert ends[-1] == 30 * rate
    for samples in (0, 1, ends[0] - 1, ends[0], ends[1] - 1, ends[99], ends[99] + 1):
        assert decided(samples, rate) == sum(end <= samples for end in ends)


@given(
    rate=st.sampled_from(RATES),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=12),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=40)
def test_any_partition_gives_the_same_frames(rate, sizes, seed):
    sound = sound_of(rate, 0.7, seed)
    whole = frames_of(GateFront(SPEC, rate), sound, [len(sound)])
    cut = frames_of(GateFront(SPEC, rate), sound, sizes)
    assert cut[0] == whole[0]
    assert np.array_equal(cut[1], whole[1])
    assert [end for _, end in whole[0]] == [
        due(k, rate) for k in range(decided(len(sound), rate))
    ]


@pytest.mark.parametrize("rate", RATES)
def test_blocks_of_100_samples(runner, rate):
    sound = sound_of(rate, 0.6)
    scorer = Scorer(runner, rate)
    whole = scorer.process(sound)
    scorer.reset()
    cut = [d for at in range(0, len(sound), 100) for d in scorer.process(sound[at : at + 100])]
    assert [d[:2] for d in cut] == [d[:2] for d in whole]
    assert [d[:2] for d in cut] == [(k, due(k, rate)) for k in range(60)]
    assert np.array_equal([d[2] for d in cut], [d[2] for d in whole])
    assert len({tuple(d[2]) for d in cut}) > 50


def test_at_the_models_rate_the_frames_are_the_front_ends():
    """Each ends where its decision is due; before the start there are zeros."""
    sound = sound_of(16000, 2.0)
    lead = np.zeros(SPEC.frame - SPEC.hop, np.float32)
    expected = FrontEnd(SPEC).push(np.concatenate([lead, sound]))
    for sizes in ([len(sound)], [100], [1600, 7]):
        _, frames = frames_of(GateFront(SPEC, 16000), sound, sizes)
        assert np.array_equal(frames, expected)


def test_mean_and_std_are_applied():
    sound = sound_of(48000, 0.2)
    plain = frames_of(GateFront(SPEC, 48000), sound, [480])[1]
    other = msgspec.structs.replace(SPEC, mean=-6.0, std=5.0)
    scaled = frames_of(GateFront(other, 48000), sound, [480])[1]
    np.testing.assert_allclose(scaled, (plain + 6) / 5, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_the_spec_at_another_rate(rate):
    own = SPEC.at_rate(rate)
    assert own.frame / rate == pytest.approx(SPEC.frame / 16000, abs=1 / rate)
    assert own.fft / rate == pytest.approx(SPEC.fft / 16000, rel=5e-3)
    assert own.top_hz == 8000
    assert mel_table(own).shape == (own.fft // 2 + 1, 40)
    assert own.at_rate(rate) is own
    if rate < 16000:  # what is not there is at the floor
        frame = frames_of(GateFront(SPEC, rate), sound_of(rate, 0.1), [100])[1][-1]
        assert frame[-1] == pytest.approx(math.log(1e-8))
        assert frame[0] > -12


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate % 2000 == 0])
def test_tones_have_the_same_values_at_every_rate(rate):
    """Where they lie on bins of both: nothing but the derivation differs."""
    hz = (500.0, 1500.0, 3000.0)

    def last(rate):
        t = np.arange(rate // 5) / rate
        sound = sum(0.2 * np.sin(2 * np.pi * f * t) for f in hz).astype(np.float32)
        return frames_of(GateFront(SPEC, rate), sound, [len(sound)])[1][-1]

    loud = last(16000) > -3
    assert loud.sum() >= 6
    np.testing.assert_allclose(last(rate)[loud], last(16000)[loud], atol=0.02)


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != 16000])
def test_speech_has_nearly_the_same_scores_at_every_rate(runner, rate):
    """As at 16 kHz, where the way there and back took the same from the highest bands.

    Under 16 kHz the bands at the edge differ most: half of them is there at one rate only.
    """
    soxr = pytest.importorskip("soxr")
    soundfile = pytest.importorskip("soundfile")
    words = [soundfile.read(p, dtype="float32")[0] for p in sorted(WORDS.glob("*/slt.flac"))]
    sound = np.concatenate(words)
    sound += np.random.default_rng(0).normal(0, 3e-4, len(sound)).astype(np.float32)
    other = soxr.resample(sound, 16000, rate, "VHQ")
    sound = soxr.resample(other, rate, 16000, "VHQ")

    def scores(sound, rate):
        return np.array([s for *_, s in Scorer(runner, rate).process(sound)])

    here, there = scores(sound, 16000), scores(other, rate)
    n = min(len(here), len(there))
    assert n > 1000
    assert np.ptp(here) > 0.5
    difference = np.abs(here[:n] - there[:n])
    assert difference.max() < (0.05 if rate < 16000 else 0.004)
    assert difference.mean() < (0.005 if rate < 16000 else 0.001)


def test_states_begin_anew(runner):
    sound = sound_of(48000, 0.3)
    scorer = Scorer(runner, 48000)
    first = scorer.process(sound)
    assert scorer.position == len(sound)
    scorer.reset()
    assert scorer.position == 0
    again = scorer.process(sound)
    assert np.array_equal([d[2] for d in first], [d[2] for d in again])


def test_flush_is_silence(runner):
    sound = sound_of(44100, 0.105)
    scorer = Scorer(runner, 44100)
    first = scorer.process(sound) + scorer.flush(44100 * 2)
    scorer.reset()
    padded = np.concatenate([sound, np.zeros(44100 * 2, np.float32)])
    whole = scorer.process(padded)
    assert [d[:2] for d in first] == [d[:2] for d in whole]
    assert np.array_equal([d[2] for d in first], [d[2] for d in whole])
    assert first[-1][2][0] < 0.01


def test_nothing_after_a_decision_is_heard(runner):
    rate = 22050
    sound = sound_of(rate, 0.5)
    k = 20
    other = sound.copy()
    other[due(k, rate) :] = 0.9
    one, two = Scorer(runner, rate).process(sound), None
    two = Scorer(runner, rate).process(other)
    for a, b in zip(one[: k + 1], two[: k + 1], strict=True):
        assert np.array_equal(a[2], b[2])
    assert not np.array_equal(one[k + 1][2], two[k + 1][2])


class Broken:
    """A runner whose scores are no numbers for a while."""

    def __init__(self, card):
        self.card, self.runtime, self.runs, self.resets = card, "broken", 0, 0

    def run(self, window):
        self.runs += 1
        return np.array([np.nan if 3 <= self.runs < 6 else 0.5] * 3, np.float32)

    def reset(self):
        self.resets += 1


def test_scores_that_are_no_numbers_are_counted(kit, caplog):
    broken = Broken(kit.gate_card())
    scorer = Scorer(broken, 16000)
    found = scorer.process(np.zeros(1600, np.float32))
    assert [float(s[0]) for *_, s in found] == [0.5, 0.5, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert scorer.bad_scores == 3
    assert broken.resets == 1 + 3  # or they would stay so for ever
    assert caplog.text.count("no numbers") == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"center": True}, "center is true"),
        ({"preemphasis": 0.97}, "preemphasis is not 0"),
        ({"window_mean": True}, "window_mean is true"),
        ({"hop": 80}, "hop is 80, not 10 ms"),
    ],
)
def test_a_front_end_that_cannot_serve_a_gate(changes, says):
    with pytest.raises(CardError, match=says):
        GateFront(msgspec.structs.replace(SPEC, **changes), 48000)


def test_a_model_of_windows_is_no_gate(kit, band_model):
    with pytest.raises(CardError, match="does not take one frame a step"):
        Scorer(open_runner(band_model), 16000)


def test_preemphasis_has_no_equal_at_another_rate():
    spec = msgspec.structs.replace(SPEC, preemphasis=0.97)
    assert spec.at_rate(16000) is spec
    with pytest.raises(CardError, match="preemphasis"):
        spec.at_rate(48000)


def test_groups_do_not_show(runner):
    """Decisions are computed in groups; a block that ends with one is as good as any."""
    rate = 16000
    sound = sound_of(rate, 1.5)
    whole = Scorer(runner, rate).process(sound)
    scorer = Scorer(runner, rate)
    size = due(GROUP - 1, rate)
    cut = [
        d for at in range(0, len(sound), size) for d in scorer.process(sound[at : at + size])
    ]
    assert [d[:2] for d in cut] == [d[:2] for d in whole]
    assert np.array_equal([d[2] for d in cut], [d[2] for d in whole])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["voice", "voice-tiny"])
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_compiled_gate(name, rate):
    """The runtime's scores, to what floats allow; in any partition the same bits."""
    pytest.importorskip("numba")
    own = open_runner(find_model(name))
    sound = sound_of(rate, 1.5)
    sound[rate // 2 : rate // 2 + 3000] = 0  # the floor of the logarithm
    plain = Scorer(own, rate).process(sound)
    scorer = Scorer(own, rate, compiled=True)
    assert scorer.compiled
    whole = scorer.process(sound)
    assert [d[:2] for d in whole] == [d[:2] for d in plain]
    np.testing.assert_allclose([d[2] for d in whole], [d[2] for d in plain], atol=1e-4)
    assert np.ptp([d[2][0] for d in whole]) > 0.05
    scorer.reset()
    cut = [d for at in range(0, len(sound), 77) for d in scorer.process(sound[at : at + 77])]
    assert np.array_equal([d[2] for d in cut], [d[2] for d in whole])


@pytest.mark.parametrize("name", ["voice", "voice-tiny"])
def test_many_steps_at_once_are_the_runtimes(name):
    """To what floats allow; and the same bits however many are taken at once."""
    own = open_runner(find_model(name))
    network = steps_of(Path(own.path).read_bytes(), own.card, *own.names)
    frames = np.random.default_rng(0).normal(-0.3, 1.2, (60, 64)).astype(np.float32)
    told = [own.run(frame[None]) for frame in frames]
    ears = ManyEars(network, own.card.scores == "logit")
    whole = ears.score(frames)
    np.testing.assert_allclose(whole, told, atol=1e-5)
    assert np.ptp(whole) > 0.2
    ears.reset()
    cut = [ears.score(part) for part in np.split(frames, [1, 2, 5, 9, 17, 20, 41])]
    assert np.array_equal(np.concatenate(cut), whole)


def test_the_runtime_serves_where_a_program_differs(gate_model, monkeypatch):
    """A program that gave other scores would be noticed."""
    one, two = open_runner(gate_model), open_runner(find_model("voice-tiny"))
    assert isinstance(ears_of(two, 16_000, False), ManyEars)
    wrong = steps_of(Path(one.path).read_bytes(), one.card, *one.names)
    wrong.array[:] *= 1.1
    monkeypatch.setattr("realtime.gate.ears.steps_of", lambda *_: wrong)
    assert isinstance(ears_of(one, 16_000, False), RuntimeEars)


def test_many_steps_recover_from_what_is_no_number():
    own = open_runner(find_model("voice-tiny"))
    ears = ManyEars(steps_of(Path(own.path).read_bytes(), own.card, *own.names), True)
    frames = np.random.default_rng(0).normal(-0.3, 1.2, (30, 64)).astype(np.float32)
    clean = ears.score(frames)
    ears.reset()
    frames[11, 3] = np.nan
    scores = ears.score(frames)
    # it is in the memory of the first layer until that begins anew
    assert (ears.bad_scores, scores[11].tolist()) == (1, [0, 0, 0])
    assert np.isfinite(scores).all()
    assert np.array_equal(scores[:11], clean[:11])
    ears.reset()
    assert np.array_equal(np.concatenate([ears.score(f[None]) for f in frames]), scores)


@pytest.mark.slow
def test_a_compiled_gate_recovers_from_what_is_no_number(gate_model, caplog):
    pytest.importorskip("numba")
    scorer = Scorer(open_runner(gate_model), 16_000, compiled=True)
    sound = sound_of(16_000, 1.0)
    clean = scorer.process(sound)
    scorer.reset()
    sound[3200] = np.nan  # which callers keep away: here it stands for what a model may do
    found = scorer.process(sound)
    assert scorer.bad_scores == 2  # the frames of 25 ms that hold it
    assert [float(s[0]) for *_, s in found[20:22]] == [0, 0]
    assert caplog.text.count("no numbers") == 1
    assert np.isfinite([s for *_, s in found]).all()
    assert np.array_equal([s for *_, s in found[:20]], [s for *_, s in clean[:20]])
    scorer.reset()
    cut = [d for at in range(0, len(sound), 50) for d in scorer.process(sound[at : at + 50])]
    assert np.array_equal([s for *_, s in cut], [s for *_, s in found])


def test_a_gate_that_cannot_be_compiled_is_the_runtimes(kit):
    scorer = Scorer(kit.Given(kit.gate_card(), [[0.5] * 3]), 16_000, compiled=True)
    assert not scorer.compiled


def test_without_a_compiler_that_works(monkeypatch, caplog):
    pytest.importorskip("numba")

    def broken():
        raise OSError("no compiler")

    monkeypatch.setattr("realtime.gate.ears.functions", broken)
    scorer = Scorer(open_runner(find_model("voice-tiny")), 16_000, compiled=True)
    assert not scorer.compiled
    assert len(scorer.process(np.zeros(1600, np.float32))) == 10
    assert "cannot be compiled" in caplog.text
