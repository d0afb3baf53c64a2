"""Holding a part back: nothing is on both sides, and nothing is lost."""

import numpy as np
import pytest

from realtime.learn.split import hold_back

RATE = 16_000


@pytest.mark.parametrize("seed", range(5))
def test_whole_files(opens, seed):
    rng = np.random.default_rng(seed)
    kept, held, how = hold_back(opens.clips, 0.25, rng, RATE)
    assert how == "files"
    assert len(kept) == 3
    assert len(held) == 1
    assert {c.name for c in kept}.isdisjoint(c.name for c in held)


def test_chance_chooses_the_files(opens):
    names = {
        hold_back(opens.clips, 0.25, np.random.default_rng(s), RATE)[1][0].name
        for s in range(20)
    }
    assert len(names) > 2


def test_the_end_of_few_files(sounds):
    clips = sounds.side("open", [sounds.beeps(20, 400, 1), sounds.beeps(8, 500, 2)]).clips
    kept, held, how = hold_back(clips, 0.25, np.random.default_rng(0), RATE)
    assert how == "time"
    for clip, first, last in zip(clips, kept, held, strict=True):
        np.testing.assert_array_equal(np.concatenate([first.audio, last.audio]), clip.audio)
        assert last.seconds == pytest.approx(0.25 * clip.seconds, abs=0.12 * clip.seconds)
        # it is cut in a pause
        assert np.abs(first.audio[-80:]).max() < 1e-2


def test_one_file_that_outlasts_the_others(sounds):
    lengths = (40, 2, 2, 2)
    clips = sounds.side("open", [sounds.beeps(s, 400, s) for s in lengths]).clips
    kept, held, how = hold_back(clips, 0.25, np.random.default_rng(0), RATE)
    assert how == "time"
    assert sum(c.active_s for c in held) < sum(c.active_s for c in kept)


def test_nothing():
    assert hold_back([], 0.25, np.random.default_rng(0), RATE) == ([], [], "time")
