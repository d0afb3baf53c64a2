"""The tag page's widgets: the ring of the spectrogram, bounded tables, bars of many labels."""

import numpy as np
import pytest

from gui.bars import BEST, Bars
from gui.ear import BANDS, COLUMN_S, Moment, Tag
from gui.event_list import CLIPS_BYTES, MOST, Events
from gui.spectrogram import COLUMNS, Spectrogram
from gui.tag_rows import ROWS
from gui.theme import Theme


@pytest.fixture
def picture(qtbot):
    found = Spectrogram(Theme("dark"))
    qtbot.addWidget(found)
    found.resize(400, 300)
    found.show()
    return found


def moments(seconds, start=0.0, band=40, hop_s=0.1):
    """Sound in one band; `start` to `start + seconds`."""
    per = round(hop_s / COLUMN_S)
    columns = np.full((per, BANDS), -80.0, np.float32)
    columns[:, band - 1 : band + 2] = 20.0
    for i in range(round(seconds / hop_s)):
        begin = start + i * hop_s
        yield Moment(begin + hop_s, np.zeros(1, np.float32), -20.0, begin, columns)


def brightest(image, x):
    rows = range(0, image.height() - 44 - 24)
    return max(rows, key=lambda y: image.pixelColor(x, y).lightness())


def run(picture, seconds, start=0.0, band=40):
    for moment in moments(seconds, start, band):
        picture.add(moment)
    for _ in range(200):
        picture.advance(0.033)


def test_sound_is_at_its_time_and_its_frequency(picture):
    run(picture, 4.0, band=20)
    run(picture, 2.0, start=4.0, band=80)
    image = picture.grab().toImage()
    height = picture._sound_height()
    # a column is a pixel: two seconds are the last hundred
    assert brightest(image, 350) == pytest.approx(height * (1 - 80.5 / BANDS), abs=4)
    assert brightest(image, 250) == pytest.approx(height * (1 - 20.5 / BANDS), abs=4)
    # six seconds were heard; before is nothing
    assert image.pixelColor(60, 100).lightness() < 30


def test_the_ring_comes_round(picture):
    seconds = 2.5 * COLUMNS * COLUMN_S
    for moment in moments(seconds, band=20):
        picture.add(moment)
    run(picture, 4.0, start=seconds, band=80)
    image = picture.grab().toImage()
    height = picture._sound_height()
    assert brightest(image, 300) == pytest.approx(height * (1 - 80.5 / BANDS), abs=4)
    assert brightest(image, 100) == pytest.approx(height * (1 - 20.5 / BANDS), abs=4)


def test_events_stand_under_their_sound_in_rows(picture):
    run(picture, 6.0)
    for i, t in enumerate((1.0, 1.1, 5.0)):
        picture.tag(Tag(i, "word", t, t + 0.4, 0.9, 16_000))
    image = picture.grab().toImage()
    top = picture._sound_height()
    accent = picture._theme.color("accent").rgb()
    found = [
        {400 - x for x in range(400) if image.pixel(x, top + lane * 22 + 10) == accent}
        for lane in range(ROWS)
    ]
    assert {249, 49} <= found[0]
    assert {244} <= found[1]


def test_a_gap_is_dark_and_the_theme_repaints(picture):
    run(picture, 2.0)
    run(picture, 2.0, start=4.0)
    dark = picture.grab().toImage()
    assert dark.pixelColor(250, brightest(dark, 350)).lightness() < 30
    picture._theme.choose("light")
    light = picture.grab().toImage()
    assert light.pixelColor(250, 20).lightness() > 200
    picture._theme.choose("dark")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_eight_hours_need_no_more_memory(picture):
    def size():
        parts = (picture._levels, picture._picture, picture._marked)
        return sum(p.nbytes for p in parts), len(picture._tags)

    run(picture, 60.0)
    before = size()
    for i, moment in enumerate(moments(8 * 3600.0, start=60.0, hop_s=1.0)):
        picture.add(moment)
        if i % 3 == 0:
            picture.tag(Tag(i, f"label {i % 7}", moment.t, moment.t, 0.9, 16_000))
        picture.advance(1.0)
    assert size()[0] == before[0]
    assert size()[1] == 200


def test_the_table_and_its_clips_are_bounded(qapp):
    events = Events()
    clip = np.zeros(CLIPS_BYTES // 2 // 100, np.int16)  # a hundred fit
    for i in range(MOST + 50):
        events.add(Tag(i, "dog", float(i), None, 0.9, 16_000), None)
        events.add(Tag(i, "dog", float(i), i + 0.5, 0.95, 16_000, clip.copy()), None)
    assert events.rowCount() == MOST
    assert events.rows[0].tag.number == MOST + 49
    assert sum(r.tag.clip.nbytes for r in events.rows) <= CLIPS_BYTES
    assert len(events.rows[0].tag.clip)
    assert not len(events.rows[-1].tag.clip)


def test_of_many_labels_the_best_have_bars_and_any_can_be_found(qtbot):
    labels = [f"label {i}" for i in range(500)] + ["dog", "dogfish"]
    bars = Bars(Theme("dark"))
    qtbot.addWidget(bars)
    bars.set_labels(labels, dict.fromkeys(labels, 0.4))
    bars.show()
    scores = np.zeros(len(labels), np.float32)
    scores[[321, 7, 450]] = (0.9, 0.8, 0.7)
    bars.hear(scores, frozenset())
    for _ in range(40):
        bars.advance(0.1)
    assert len(bars.rows) == BEST
    assert [row.label for row in bars.rows[:3]] == ["label 321", "label 7", "label 450"]
    bars._find.setText("DOG")
    assert [row.label for row in bars.rows if row.isVisible()] == ["dog", "dogfish"]
    seen = []
    bars.steered.connect(lambda *what: seen.append(what))
    bars.rows[0].triggerAction(bars.rows[0].SliderAction.SliderSingleStepAdd)
    assert seen == [("dog", 0.41)]
