"""The engine: what it hears, when it decides, what it does where an input begins or breaks."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.card import Decision, InputSpec
from realtime.engine import Engine
from realtime.errors import FormatError, UsageError
from realtime.features import FeatureSpec
from realtime.outputs import DeviceEvent, Dropped, Start, Stop
from realtime.runners import open_runner
from realtime.sources import Block, DeviceChange
from realtime.window import FLOOR_DB, level_db


def hear(kit, runner, source, **kwargs):
    output = kit.Remembers()
    report = Engine(runner, [output], **kwargs).run(source)
    return report, output


def told(output):
    """Events as (kind, label, centiseconds)."""
    kinds = {Start: "start", Stop: "stop"}
    return [(kinds[type(e)], e.label, round(e.t * 100)) for e in output.events]


SOUND = (("", 1.0), ("low", 1.0), ("", 0.5), ("high", 0.8), ("", 0.7), ("middle", 0.3))
TOLD = [
    ("start", "low", 130), ("stop", "low", 230), ("start", "high", 280), ("stop", "high", 360),
    ("start", "middle", 430), ("stop", "middle", 430),
]  # fmt: skip


def test_names_tones(kit, band_model):
    report, output = hear(kit, open_runner(band_model), kit.Source(kit.tones(*SOUND)))
    assert told(output) == TOLD
    assert report.seconds == pytest.approx(4.3)
    assert report.starts == 3
    assert not report.interrupted
    assert output.ends == [report.seconds]
    opening = output.openings[0]
    assert (opening.labels, opening.rate, opening.hop_s) == (kit.labels, 16000, 0.1)


@settings(max_examples=12, deadline=None)
@given(block=st.integers(1, 20000))
def test_blocks_do_not_matter(kit, band_model, block):
    runner = open_runner(band_model)
    sound = kit.tones(*SOUND)
    _, whole = hear(kit, runner, kit.Source(sound, block=len(sound)))
    _, cut = hear(kit, runner, kit.Source(sound, block=max(block, 50)))
    assert whole.events == cut.events
    np.testing.assert_array_equal(
        [r.scores for r in whole.readings], [r.scores for r in cut.readings]
    )


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_rates_and_channels(kit, band_model, rate, channels):
    sound = kit.tones(("", 0.6), ("low", 0.8), ("", 0.6), rate=rate)
    many = np.repeat(sound[:, None], channels, axis=1)
    report, output = hear(
        kit, open_runner(band_model), kit.Source(many, rate, block=rate // 50)
    )
    assert told(output) == [("start", "low", 90), ("stop", "low", 170)]
    assert report.seconds == pytest.approx(2.0)
    assert output.readings[-1].t == pytest.approx(2.0, abs=0.001)


def test_readings_are_every_hop_and_hold_all_the_sound(kit, band_model):
    sound = kit.tones(("low", 0.77))
    _, output = hear(kit, open_runner(band_model), kit.Source(sound))
    np.testing.assert_allclose(
        [r.t for r in output.readings], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.77]
    )
    np.testing.assert_array_equal(np.concatenate([r.audio for r in output.readings]), sound)
    assert output.readings[3].level_db == pytest.approx(20 * np.log10(0.3 / 2**0.5), abs=0.1)


def test_windows_hold_the_last_half_second_after_silence(kit):
    """Decision n sees the frames of a clip that ends there, with silence before the input."""
    card = kit.band_card()
    runner = kit.Given(card, [[0, 0, 0]])
    sound = kit.tones(("low", 1.0))
    hear(kit, runner, kit.Source(sound))
    from realtime.frontend import FrontEnd

    for decision in (0, 3, 7):
        end = (decision + 1) * 1600
        span = card.input.features.samples_for(card.window_frames)
        padded = np.concatenate([np.zeros(span, np.float32), sound[:end]])[-span:]
        clip = FrontEnd(card.input.features).push(padded)
        assert runner.windows[decision].shape == clip.shape
        np.testing.assert_allclose(runner.windows[decision][1:], clip[1:], atol=1e-5)


@pytest.mark.parametrize("samples", [1, 100, 1600, 1601, 9000])
def test_short_clips_are_decided(kit, samples):
    """Also one sample gives a decision, at the end of the input, and a start has its stop."""
    runner = kit.Given(kit.band_card(), [[0.9, 0, 0]])
    report, output = hear(kit, runner, kit.Source(np.full(samples, 0.1)))
    end = samples / 16000
    assert [type(e) for e in output.events] == [Start, Stop]
    assert all(e.t <= end for e in output.events)
    assert output.readings[-1].t == pytest.approx(end)
    # every decision of the input, then silence until no window holds more than a hop of sound
    assert report.decisions == -(-samples // 1600) + 4


def test_a_word_at_the_very_end_is_found_in_the_silence_after_it(kit, band_model):
    sound = kit.tones(("", 1.0), ("low", 0.28))
    decision = Decision(confirm=2, hysteresis=0.2)
    _, output = hear(kit, open_runner(band_model), kit.Source(sound), decision=decision)
    assert told(output) == [("start", "low", 128), ("stop", "low", 128)]


def test_empty_input(kit):
    report, output = hear(kit, kit.Given(kit.band_card(), [[1, 1, 1]]), kit.Source([]))
    assert output.events == []
    assert report.decisions == 0
    assert output.ends == [0.0]


def test_nan_and_inf_are_taken_as_silence_and_counted(kit, band_model, caplog):
    sound = kit.tones(*SOUND)
    dirty = sound.copy()
    dirty[5000:5003] = [np.nan, np.inf, -np.inf]
    dirty[60000] = 1e30
    clean = sound.copy()
    clean[5000:5003] = 0
    clean[60000] = 0
    runner = open_runner(band_model)
    report, output = hear(kit, runner, kit.Source(dirty))
    assert report.cleaned == 4
    assert [r.getMessage() for r in caplog.records if "NaN" in r.getMessage()] == [
        "scripted: samples that are NaN, infinite or beyond all sound, the first at 0.312 s; "
        "they are taken as silence"
    ]
    _, same = hear(kit, runner, kit.Source(clean))
    assert output.events == same.events


def test_scores_that_are_no_numbers(kit, caplog):
    runner = kit.Given(kit.band_card(), [[np.nan, 0.9, np.inf]])
    report, output = hear(kit, runner, kit.Source(np.zeros(4000)))
    assert {e.label for e in output.events} == {"middle"}
    assert report.bad_scores == report.decisions
    assert caplog.text.count("no numbers") == 1


def test_a_short_gap_is_silence_and_keeps_the_clock(kit, band_model):
    sound = kit.tones(("", 1.0), ("low", 1.0), ("", 1.0))
    lost = 3200
    script = [
        Block(audio=sound[:8000, None], position=0),
        Block(audio=sound[8000 + lost :, None], position=8000 + lost, dropped=lost),
    ]
    report, output = hear(kit, open_runner(band_model), kit.Source(script))
    assert output.events[0] == Dropped(t=0.7, frames=lost)
    assert [e.t for e in output.events[1:]] == [pytest.approx(1.3), pytest.approx(2.3)]
    assert report.dropped == lost
    assert report.seconds == pytest.approx(3.0)


def test_a_long_gap_stops_what_is_open_and_the_clock_jumps(kit, band_model):
    sound = kit.tones(("low", 1.0))
    script = [
        Block(audio=sound[:, None], position=0),
        Block(audio=sound[:, None], position=160_000, dropped=144_000),
    ]
    report, output = hear(kit, open_runner(band_model), kit.Source(script))
    kinds = [type(e) for e in output.events]
    assert kinds == [Start, Stop, Dropped, Start, Stop]
    assert [round(e.t, 2) for e in output.events] == [0.3, 1.0, 10.0, 10.3, 11.0]
    assert output.events[2].frames == 144_000
    assert report.seconds == pytest.approx(11.0)
    assert [r.t for r in output.readings] == sorted(r.t for r in output.readings)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_lost_device_stops_what_is_open_and_time_goes_on(kit, band_model, rate):
    sound = kit.tones(("low", 1.0), rate=rate)[:, None]
    script = [
        Block(audio=sound, position=0),
        DeviceChange(state="lost", name="mic", position=rate),
        DeviceChange(state="back", name="mic", position=6 * rate),
        Block(audio=sound, position=6 * rate + 7, dropped=5 * rate + 7),
    ]
    _, output = hear(kit, open_runner(band_model), kit.Source(script, rate, live=True))
    shown = [(type(e), round(e.t, 1)) for e in output.events]
    assert shown == [
        (Start, 0.3), (Stop, 1.0), (DeviceEvent, 1.0), (DeviceEvent, 6.0), (Dropped, 6.0),
        (Start, 6.3), (Stop, 7.0),
    ]  # fmt: skip


def test_events_come_in_the_order_of_audio_time(kit):
    """A device that goes silent inside a hop is told after the decisions before it."""
    sound = np.zeros((1000, 1), np.float32)
    script = [
        Block(audio=sound, position=0),
        DeviceChange(state="silent", name="mic", position=1000),
        Block(audio=sound, position=1000),
        Block(audio=sound, position=2000),
    ]
    runner = kit.Given(kit.band_card(), [[0.9, 0, 0], [0, 0, 0]])
    _, output = hear(kit, runner, kit.Source(script))
    assert [round(e.t, 4) for e in output.events] == [0.0625, 0.1, 0.1875]


def test_a_source_that_breaks_is_heard_to_its_end_first(kit, band_model):
    source = kit.Source(kit.tones(("low", 1.0)), fault=FormatError("breaks at 1 s"))
    output = kit.Remembers()
    with pytest.raises(FormatError):
        Engine(open_runner(band_model), [output]).run(source)
    assert told(output) == [("start", "low", 30), ("stop", "low", 100)]
    assert output.ends == [1.0]


def test_stop_ends_the_input_and_stops_events(kit, band_model):
    class Stops(kit.Remembers):
        def reading(self, reading):
            super().reading(reading)
            if reading.t > 0.65:
                engine.stop()

    output = Stops()
    engine = Engine(open_runner(band_model), [output])
    report = engine.run(kit.Source(kit.tones(("low", 5.0))))
    assert report.interrupted
    assert told(output) == [("start", "low", 30), ("stop", "low", 70)]


def test_one_input_after_another_is_fresh(kit, band_model):
    engine = Engine(open_runner(band_model), [output := kit.Remembers()])
    for _ in range(2):
        engine.run(kit.Source(kit.tones(("low", 0.6))))
    assert told(output)[:2] == told(output)[2:]


def test_stateful_model_steps(kit, tmp_path):
    card = kit.sum_card()
    runner = open_runner(kit.write_stateful_onnx(tmp_path / "s.onnx", card))
    report, output = hear(kit, runner, kit.Source(np.zeros(16000)))
    np.testing.assert_allclose([r.t for r in output.readings], np.arange(1, 51) * 0.02)
    assert report.decisions == 50 + 25
    with pytest.raises(UsageError, match=r"hop of 0\.1"):
        Engine(runner, hop_s=0.1)


@pytest.mark.parametrize("spec", [None, FeatureSpec(kind="waveform", rate=16000, hop=400)])
def test_waveform_models(kit, spec):
    """They get samples: the last window_s of sound, silence before it."""
    part = InputSpec(kind="waveform", layout="bt")
    if spec is not None:
        part = InputSpec(kind="features", features=spec, layout="bt")
    runner = kit.Given(kit.band_card(input=part), [[0, 0, 0]])
    sound = kit.tones(("low", 0.7))
    hear(kit, runner, kit.Source(sound))
    assert runner.windows[0].size == 8000
    np.testing.assert_array_equal(
        runner.windows[1].reshape(-1), np.concatenate([np.zeros(4800), sound[:3200]])
    )
    np.testing.assert_array_equal(runner.windows[6].reshape(-1), sound[3200:])


@pytest.mark.parametrize(
    "changes",
    [
        {"center": True},
        {"frame": 160, "hop": 400},
        {"window_mean": True},
        {"center": True, "fft": 2048},
    ],
)
def test_other_front_ends_give_one_window_a_hop(kit, changes):
    spec = msgspec.structs.replace(kit.band_card().input.features, **changes)
    card = kit.band_card(input=InputSpec(kind="features", features=spec))
    runner = kit.Given(card, [[0, 0, 0]])
    report, output = hear(kit, runner, kit.Source(kit.tones(("low", 1.0))))
    assert len(output.readings) == 10
    assert {w.shape for w in runner.windows} == {(card.window_frames, 32)}
    assert report.decisions >= 14


def test_hop_of_the_user(kit, band_model):
    runner = open_runner(band_model)
    _, output = hear(kit, runner, kit.Source(kit.tones(("low", 1.0))), hop_s=0.25)
    assert [round(r.t, 2) for r in output.readings] == [0.25, 0.5, 0.75, 1.0]
    with pytest.raises(UsageError, match=r"hop of 0\.9"):
        Engine(runner, hop_s=0.9)


def test_level():
    assert level_db(np.ones(10, np.float32)) == pytest.approx(0.0)
    assert level_db(np.full(10, 0.1, np.float32)) == pytest.approx(-20.0, abs=1e-4)
    assert level_db(np.zeros(10, np.float32)) == FLOOR_DB
    assert level_db(np.zeros(0, np.float32)) == FLOOR_DB


def test_latency_is_measured(kit, band_model):
    report, _ = hear(kit, open_runner(band_model), kit.Source(kit.tones(*SOUND)))
    middle, slow = report.latency_ms
    assert 0 < middle <= slow
    assert report.busy_s > 0
