"""The gate as a stream: what it lets through, when, and what it tells of it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.errors import UsageError
from realtime.gate.grid import due
from realtime.gate.key import KeyFilter
from realtime.gate.settings import GateSettings, score_for
from realtime.gate.stream import GateStream
from realtime.outputs.gate import Closed, Opened
from realtime.runners import open_runner

RATES = (8000, 16000, 22050, 44100, 48000, 192000)


class Told:
    """A `GateOutput` that keeps everything."""

    def __init__(self):
        self.before, self.after, self.readings, self.events = [], [], [], []

    def sound(self, before, after):
        assert before.shape == after.shape
        self.before.append(before.copy())
        self.after.append(after.copy())

    def reading(self, reading):
        self.readings.append(reading)

    def event(self, event):
        self.events.append(event)


@pytest.fixture(scope="module")
def runner(gate_model):
    return open_runner(gate_model)


def bursts(rate, seconds=1.2, channels=1, seed=0):
    """Loud noise and faint noise, a tenth of a second each, in a random order."""
    rng = np.random.default_rng(seed)
    tenths = rng.random(math.ceil(seconds * 10)) > 0.5
    tenths[[0, 2, 4, 6]], tenths[[1, 3, 5]] = False, True
    loud = np.repeat(tenths, math.ceil(rate / 10))[: round(seconds * rate)]
    sound = rng.normal(0, 0.1, (len(loud), channels)) * np.where(loud, 1, 1e-3)[:, None]
    return sound.astype(np.float32)


def gated(stream, sound, sizes=(4800,), key=None):
    """A whole sound through a stream, in such blocks, round and round."""
    out, at, turn = [], 0, 0
    while at < len(sound):
        size = sizes[turn % len(sizes)]
        block_key = None if key is None else key[at : at + size]
        out.append(stream.process(sound[at : at + size], block_key))
        at, turn = at + size, turn + 1
    return np.concatenate([*out, stream.flush()])


def scored(kit, scores, rate=16000, channels=1, **changes):
    """A learned gate whose model gives these scores, one a decision, and what it tells."""
    card = kit.gate_card()
    told = Told()
    runner = kit.Given(card, [[score] * 3 for score in scores])
    own = GateSettings(**{"score": 0, **changes})
    return GateStream(own, rate, channels, runner, outputs=[told]), told


@given(
    rate=st.sampled_from(RATES),
    level=st.booleans(),
    lookahead_ms=st.sampled_from([0.0, 3.3, 10.0, 20.0]),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=8),
    channels=st.integers(1, 2),
    seed=st.integers(0, 5),
)
@settings(deadline=None, max_examples=15)
def test_any_partition_gives_the_same(
    gate_model, rate, level, lookahead_ms, sizes, channels, seed
):
    """Sound, readings and events, to the bit, and as many samples as there were."""
    runner = open_runner(gate_model)
    own = GateSettings(
        level=level,
        lookahead_ms=lookahead_ms,
        score=score_for(runner.card, lookahead_ms),
        key_highpass=100.0,
    )
    sound = bursts(rate, 0.7, channels, seed)
    results = []
    for cut in ([len(sound)], sizes):
        told = Told()
        stream = GateStream(own, rate, channels, runner, outputs=[told])
        out = gated(stream, sound, cut)
        assert out.shape == sound.shape
        assert np.array_equal(np.concatenate(told.before), sound)
        assert np.array_equal(np.concatenate(told.after), out)
        results.append((out, told))
    assert np.array_equal(results[0][0], results[1][0])
    assert results[0][1].readings == results[1][1].readings
    assert results[0][1].events == results[1][1].events


@pytest.mark.parametrize("rate", RATES[1:])  # the model hears all bands, 8000 has half of them
def test_it_opens_for_what_is_loud(runner, rate):
    sound = bursts(rate)
    told = Told()
    stream = GateStream(GateSettings(), rate, 1, runner, outputs=[told])
    out = gated(stream, sound, (100,))
    assert stream.openings == sum(isinstance(e, Opened) for e in told.events) >= 2
    is_open = np.array([r.open for r in told.readings])
    assert 0.2 < is_open.mean() < 0.9
    loud = np.array([r.level_db > -30 for r in told.readings])
    assert (is_open == loud).mean() > 0.85
    quiet = told.readings[5]
    assert quiet.gain_db == pytest.approx(-60, abs=0.01)
    at = round(quiet.t * rate)
    assert np.abs(out[at : at + 100]).max() < 1.1e-3 * np.abs(sound[at : at + 100]).max()


def test_open_is_the_sound_itself_and_closed_is_the_range(kit):
    sound = bursts(48000, 1.0, 2)
    for range_db in (-60.0, -20.0, -6.0, 0.0):
        scores = [0.1] * 20 + [0.9] * 30 + [0.1] * 50
        stream, _ = scored(kit, scores, 48000, 2, range_db=range_db)
        out = gated(stream, sound)
        # from the attack's end to the decision that closes, and before and after the ramps
        assert np.array_equal(out[21 * 480 + 96 : 51 * 480], sound[21 * 480 + 96 : 51 * 480])
        closed = np.float32(10 ** (range_db / 20))
        for part in (slice(0, 21 * 480), slice(51 * 480 + 1440, None)):
            np.testing.assert_allclose(out[part], sound[part] * closed, rtol=1e-6)
    stream, _ = scored(kit, scores, 48000, 2, range_db=-144.0)
    assert not gated(stream, sound)[: 21 * 480].any()


def test_a_decision_holds_from_the_sample_it_heard_last(kit):
    """Without look-ahead not before e(k), with it exactly so much earlier."""
    rate = 22050
    sound = np.full((rate // 2, 1), 0.25, np.float32)
    scores = [0.1] * 10 + [0.9] * 10 + [0.1] * 40
    for lookahead_ms in (0, 5, 20):
        stream, told = scored(kit, scores, rate, lookahead_ms=lookahead_ms)
        out = gated(stream, sound, (37,))[:, 0]
        ahead = round(lookahead_ms * rate / 1000)
        begin = due(10, rate) - ahead
        first = int(np.flatnonzero(np.abs(np.diff(out)) > 0)[0]) + 1
        assert begin <= first <= begin + 2  # the ramp's first step is less than a bit
        assert told.events[0] == Opened(
            t=begin / rate, score=pytest.approx(0.9), reason="score 0.90 over 0.50"
        )
        assert told.events[1] == Closed(
            t=(due(20, rate) - ahead) / rate, score=pytest.approx(0.1)
        )


@pytest.mark.parametrize("lookahead_ms", [0, 10, 20])
def test_the_output_is_aligned(runner, lookahead_ms):
    rate = 48000
    sound = bursts(rate, 1.5)
    own = GateSettings(lookahead_ms=lookahead_ms, score=score_for(runner.card, lookahead_ms))
    aligned = gated(GateStream(own, rate, 1, runner), sound, (128,))
    n = 1 << 18
    spectrum = np.fft.rfft(aligned[:, 0], n) * np.conj(np.fft.rfft(sound[:, 0], n))
    assert int(np.argmax(np.fft.irfft(spectrum))) == 0
    late = GateStream(own, rate, 1, runner, aligned=False)
    assert late.latency == lookahead_ms * 48
    out = np.concatenate([late.process(sound), late.flush()])
    assert np.array_equal(out[late.latency :], aligned)
    assert not out[: late.latency].any()
    assert len(late.process(sound[:100])) == 100


def test_readings_are_on_the_grid(kit):
    for rate, n in ((16000, 8000), (16000, 8079), (22050, 11025), (44100, 1000)):
        for lookahead_ms in (0, 7, 20):
            stream, told = scored(kit, [0.1] * 99, rate, lookahead_ms=lookahead_ms)
            gated(stream, np.zeros((n, 1), np.float32), (333,))
            ahead = round(lookahead_ms * rate / 1000)
            ends = [due(k, rate) - ahead for k in range(200)]
            expected = [end / rate for end in ends if 0 <= end <= n]
            assert [r.t for r in told.readings] == expected


def test_readings_match_events_and_gains(runner):
    rate = 44100
    sound = bursts(rate, 2.0)
    own = GateSettings(lookahead_ms=10, score=1)
    told = Told()
    out = gated(GateStream(own, rate, 1, runner, outputs=[told]), sound, (441, 100))
    state, events = False, list(told.events[:-1] if told.readings[-1].open else told.events)
    assert len(events) >= 4
    for reading in told.readings:
        while events and events[0].t <= reading.t:
            state = isinstance(events.pop(0), Opened)
        assert reading.open == state
        at = round(reading.t * rate)
        if at < len(sound) and abs(sound[at, 0]) > 1e-3:
            real = 20 * math.log10(abs(out[at, 0] / sound[at, 0]))
            assert reading.gain_db == pytest.approx(real, abs=0.01)
    assert not events


def test_level_readings_match_events(kit):
    rate = 48000
    sound = bursts(rate, 2.0)
    told = Told()
    own = GateSettings(level=True, threshold_db=-30, close_db=-36, attack_ms=1, hold_ms=50,
                       release_ms=20)  # fmt: skip
    out = gated(GateStream(own, rate, 1, outputs=[told]), sound, (100,))
    assert told.events[0].reason.startswith("level -")
    assert told.events[0].reason.endswith(" dB over -30.0 dB")
    events, state = list(told.events), False
    for reading in told.readings:
        while events and events[0].t < reading.t:
            state = isinstance(events.pop(0), Opened)
        assert reading.open == state == bool(reading.score)
        at = round(reading.t * rate)
        if at < len(sound) and abs(sound[at, 0]) > 1e-3:
            real = 20 * math.log10(abs(out[at, 0] / sound[at, 0]))
            assert reading.gain_db == pytest.approx(real, abs=0.01)
    first = round(told.events[0].t * rate)
    assert abs(sound[first, 0]) >= 10 ** (-30 / 20)
    assert np.abs(sound[:first]).max() < 10 ** (-30 / 20)


def test_every_opening_is_closed(kit):
    stream, told = scored(kit, [0.9] * 99, lookahead_ms=20)
    gated(stream, np.full((1600, 1), 0.5, np.float32))
    assert [type(e) for e in told.events] == [Opened, Closed]
    assert [e.t for e in told.events] == [0.0, 0.1]  # decided before the first sample
    assert told.readings[0].open
    assert stream.open_samples == 1600


def test_what_comes_later_changes_nothing_before(runner):
    """A row is made with the sound before `t` + look-ahead, and none after it."""
    rate, ahead_ms = 48000, 20
    sound = bursts(rate, 1.0)
    own = GateSettings(lookahead_ms=ahead_ms, score=2)
    k = 60
    changed = sound.copy()
    changed[due(k, rate) :] = 0.9
    rows = []
    for each in (sound, changed):
        told = Told()
        out = gated(GateStream(own, rate, 1, runner, outputs=[told]), each)
        rows.append(([r for r in told.readings if r.t <= due(k, rate) / rate - 0.02], out))
    assert len(rows[0][0]) == 60
    assert rows[0][0] == rows[1][0]
    # the output up to the decision's instant, too
    at = due(k, rate) - own.lookahead(rate)
    assert np.array_equal(rows[0][1][:at], rows[1][1][:at])


def test_what_is_no_number_is_silence_and_counted(runner, caplog):
    sound = bursts(16000, 1.0, 2)
    bad = sound.copy()
    bad[4000, 0], bad[9000, 1], bad[9001, 0], bad[9500] = np.nan, np.inf, -np.inf, 1e9
    clean = np.where(np.isfinite(bad) & (np.abs(bad) < 1e6), bad, 0).astype(np.float32)
    stream = GateStream(GateSettings(), 16000, 2, runner)
    out = gated(stream, bad, (160,))
    assert stream.cleaned == 5
    assert np.isfinite(out).all()
    assert np.array_equal(out, gated(GateStream(GateSettings(), 16000, 2, runner), clean))
    assert caplog.text.count("NaN, infinite") == 1
    assert "0.250 s" in caplog.text


def test_duck(kit):
    scores = [0.1] * 10 + [0.9] * 20 + [0.1] * 70
    sound = np.full((16000, 1), 0.5, np.float32)
    stream, told = scored(kit, scores, duck=True, range_db=-20.0)
    out = gated(stream, sound)
    assert np.array_equal(out[:1760], sound[:1760])
    np.testing.assert_allclose(out[2500:4900], 0.05, rtol=1e-5)
    assert [type(e) for e in told.events] == [Opened, Closed]
    assert told.readings[20].open
    assert told.readings[20].gain_db == pytest.approx(-20)


def test_an_external_key_decides(runner):
    rate = 16000
    sound = np.full((rate, 2), 0.25, np.float32)
    key = bursts(rate, 1.0)
    for own in (GateSettings(), GateSettings(level=True, threshold_db=-30, close_db=-36)):
        told = Told()
        stream = GateStream(own, rate, 2, runner, key_channels=1, outputs=[told])
        out = gated(stream, sound, (777,), key)
        alone = Told()
        gated(GateStream(own, rate, 1, runner, outputs=[alone]), key)
        assert told.events == alone.events
        assert told.readings == alone.readings
        assert np.ptp(out) > 0.2
        assert np.array_equal(out[:, 0], out[:, 1])


@pytest.mark.parametrize("level", [False, True])
def test_listening_gives_the_key_as_it_is_heard(runner, level):
    rate = 48000
    sound = bursts(rate, 0.7)
    own = GateSettings(
        level=level, listen=True, key_highpass=1000, key_slope=24, lookahead_ms=10
    )
    out = gated(GateStream(own, rate, 1, runner), sound, (500,))
    expected = KeyFilter(rate, 1, 1000, slope_db=24, compiled=False).process(sound)
    np.testing.assert_allclose(out, expected, atol=1e-6)  # and aligned
    key = np.repeat(sound, 2, axis=1)
    own = GateSettings(level=level, listen=True)
    out = gated(GateStream(own, rate, 1, runner, key_channels=2), sound * 0, (500,), key)
    np.testing.assert_allclose(out, sound, atol=1e-7)


def test_the_key_filter_decides_what_is_heard():
    rate = 48000
    t = np.arange(rate) / rate
    rumble = (0.3 * np.sin(2 * np.pi * 40 * t)).astype(np.float32)[:, None]
    own = {"level": True, "threshold_db": -30.0, "close_db": -36.0}
    stream = GateStream(GateSettings(**own), rate, 1)
    gated(stream, rumble)
    assert stream.openings == 1
    stream = GateStream(GateSettings(**own, key_highpass=400, key_slope=24), rate, 1)
    out = gated(stream, rumble)
    assert stream.openings == 0
    np.testing.assert_allclose(out, rumble * 1e-3, rtol=1e-5, atol=1e-9)  # itself unfiltered


def test_unlinked_channels_have_gates_of_their_own():
    rate = 48000
    sound = np.zeros((rate, 2), np.float32)
    sound[:, 0] = 0.3 * np.sin(np.arange(rate) * 0.1)
    sound[:, 1] = 0.001 * np.sin(np.arange(rate) * 0.1)
    linked = gated(GateStream(GateSettings(level=True), rate, 2), sound)
    apart = gated(GateStream(GateSettings(level=True, link=False), rate, 2), sound)
    later = slice(1000, None)
    assert np.array_equal(linked[later], sound[later])
    assert np.array_equal(apart[later, 0], sound[later, 0])
    np.testing.assert_allclose(apart[later, 1], sound[later, 1] * 1e-3, rtol=1e-5, atol=1e-12)


def test_reset_is_a_new_stream(runner):
    sound = bursts(48000, 0.8)
    stream = GateStream(GateSettings(lookahead_ms=10), 48000, 1, runner)
    first = gated(stream, sound)
    stream.reset()
    assert np.array_equal(gated(stream, sound), first)
    stream.reset()
    assert (stream.openings, stream.position) == (0, 0)


def test_settings_that_the_sound_has_no_room_for():
    with pytest.raises(UsageError, match="--key-highpass 5000 leaves nothing"):
        GateStream(GateSettings(level=True, key_highpass=5000), 8000, 1)
    with pytest.raises(UsageError, match="--unlink"):
        GateStream(GateSettings(level=True, link=False), 8000, 2, key_channels=1)
    with pytest.raises(ValueError, match="needs a model"):
        GateStream(GateSettings(), 8000, 1)


def test_wrong_blocks_are_refused(runner):
    stream = GateStream(GateSettings(), 16000, 2, runner)
    with pytest.raises(ValueError, match="expected"):
        stream.process(np.zeros((10, 1), np.float32))
    with pytest.raises(ValueError, match="a key is given"):
        stream.process(np.zeros((10, 2), np.float32), np.zeros((10, 1), np.float32))
    assert stream.process(np.zeros((0, 2), np.float32)).shape == (0, 2)


def test_the_longest_look_ahead_that_fits_decides(kit):
    card = kit.gate_card()
    assert [score_for(card, ms) for ms in (0, 5, 10, 15, 20)] == [0, 0, 1, 1, 2]
    assert score_for(kit.gate_card(lookahead_ms=()), 20) == 0
