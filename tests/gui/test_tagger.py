"""The engine thread of the tag page: what it names and refuses; nothing waits for it."""

import time
from pathlib import Path

import numpy as np
import pytest

from gui.tagger import Tagger, Wish
from realtime.library import WEIGHTS

DEMO = str(Path(__file__).parents[2] / "realtime/sounds/demo.flac")
WORDS = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
FAST = 40.0


@pytest.fixture
def tagger(qapp):
    found = Tagger()
    yield found
    found.finish()
    if found._thread is not None:
        found._thread.join(30)
        assert not found._thread.is_alive()


def opened(qtbot, tagger, wish):
    with qtbot.waitSignal(tagger.opened, timeout=8000) as seen:
        tagger.listen(wish)
    return seen.args[0]


def failed(qtbot, tagger, wish):
    with qtbot.waitSignal(tagger.failed, timeout=20_000) as seen:
        tagger.listen(wish)
    return seen.args[0]


def test_it_names_the_words_of_a_recording(qtbot, tagger):
    with qtbot.waitSignal(tagger.ended, timeout=20_000) as over:
        session = opened(qtbot, tagger, Wish("kws12", path=DEMO, speed=FAST))
    assert over.args == ["demo.flac is over."]
    tags = list(session.ear.tags)
    assert [t.label for t in tags if t.stop is None] == WORDS
    assert [t.label for t in tags if t.stop is not None] == WORDS
    for tag in tags:
        if tag.stop is not None:
            assert tag.score > 0.9
            # the window that decided, and what came until it ended
            assert len(tag.clip) / tag.rate == pytest.approx(
                min(tag.stop, tag.stop - tag.start + 1.2), abs=0.15
            )
            assert np.abs(tag.clip).max() > 1000
    numbers = {t.number for t in tags}
    assert len(numbers) == len(WORDS)


def test_queues_are_bounded_and_count_what_nobody_took(qtbot, tagger):
    with qtbot.waitSignal(tagger.ended, timeout=20_000):
        session = opened(qtbot, tagger, Wish("kws12", path=DEMO, speed=FAST))
    ear = session.ear
    assert len(ear.moments) == ear.moments.maxlen == 60
    assert ear.skipped + 60 == 220  # 21.9 s, ten decisions a second
    assert ear.moments[-1].t == pytest.approx(21.9, abs=0.11)


BAD = {
    "nothing there": (lambda folder: folder / "gone.onnx", "gone.onnx: No such file"),
    "text": (lambda folder: written(folder / "a.onnx", b"what I wanted"), "neither an ONNX"),
    "broken": (lambda folder: written(folder / "b.onnx", b"\x08\x08" * 400), "b.onnx"),
    "no card": (lambda folder: uncarded(folder), "ends in .card.json"),
    "a gate": (lambda folder: "voice", "voice is a gate and names no sounds"),
}


def written(path, data):
    path.write_bytes(data)
    return path


def uncarded(folder):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(WEIGHTS / "kws12-tiny.onnx")
    del model.metadata_props[:]
    onnx.save(model, folder / "bare.onnx")
    return folder / "bare.onnx"


def heard(session):
    """Decisions so far; nobody takes them here, and only the newest are kept."""
    return session.ear.skipped + len(session.ear.moments)


@pytest.mark.parametrize("case", BAD)
def test_a_bad_model_is_said_and_the_old_one_goes_on(case, qtbot, tagger, tmp_path):
    make, text = BAD[case]
    session = opened(qtbot, tagger, Wish("kws12-tiny", path=DEMO))
    said = failed(qtbot, tagger, Wish(str(make(tmp_path)), path=DEMO))
    assert text in said
    assert "\n" not in said
    assert str(tmp_path) not in said
    assert "--" not in said
    assert tagger.listens
    before = heard(session)
    qtbot.waitUntil(lambda: heard(session) > before)


def test_an_input_that_cannot_be_opened_gives_way_to_the_one_before(qtbot, tagger, tmp_path):
    opened(qtbot, tagger, Wish("kws12-tiny", path=DEMO))
    with qtbot.waitSignals([tagger.failed, tagger.opened], timeout=20_000) as seen:
        tagger.listen(Wish("kws12-tiny", path=str(written(tmp_path / "x.wav", b"no sound"))))
    said, again = (s.args[0] for s in seen.all_signals_and_args)
    assert "x.wav: is text, not sound" in said
    assert again.source == "demo.flac"
    assert tagger.listens


def test_no_device_of_that_name(qtbot, tagger):
    said = failed(qtbot, tagger, Wish("kws12-tiny", device="no such microphone"))
    assert said
    assert "\n" not in said
    qtbot.waitUntil(lambda: not tagger.listens, timeout=2000)


def test_it_stops_soon(qtbot, tagger):
    opened(qtbot, tagger, Wish("kws12", path=DEMO))
    began = time.monotonic()
    with qtbot.waitSignal(tagger.ended, timeout=2000) as over:
        tagger.stop()
    assert time.monotonic() - began < 15.0  # of 22 s of sound; a second where nothing else runs
    assert over.args == [""]
    assert not tagger.listens


def test_the_newest_wish_counts(qtbot, tagger):
    seen = []
    tagger.opened.connect(seen.append)
    for model in ("kws12", "kws12-float", "kws12-tiny"):
        tagger.listen(Wish(model, path=DEMO))
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].wish.model == "kws12-tiny", timeout=8000)
    qtbot.wait(200)
    assert seen[-1].wish.model == "kws12-tiny"
    assert tagger.listens


def test_thresholds_can_be_steered_while_it_runs(qtbot, tagger):
    thresholds = dict.fromkeys(WORDS, 1.0)
    wish = Wish("kws12", path=DEMO, speed=4.0, thresholds=thresholds)
    with qtbot.waitSignal(tagger.ended, timeout=60_000):
        session = opened(qtbot, tagger, wish)
        tagger.steer({**thresholds, "stop": 0.5})  # it is said after 17 s
    assert {t.label for t in session.ear.tags} == {"stop"}
