"""What is kept to listen to: held-back mixtures, and where they should be open."""

import numpy as np
import pytest

from realtime.errors import UsageError
from realtime.learn.audition import audition, open_audition, write_audition
from realtime.learn.hearing import Heard
from realtime.learn.mixtures import BOTH, MIXTURE_S, Mixer


def heard(opens, closeds, rate, count=12):
    mixer = Mixer(opens, closeds, rate, (1, 3))
    mixtures = list(mixer.draw(count, 0.0))
    return Heard(mixtures, np.zeros((count, 1, 1), np.float32))


def test_three_mixtures_of_both_sides(sounds, opens, closeds):
    found = heard(opens.clips, closeds.clips, sounds.rate)
    audio, spans = audition(found, sounds.rate)
    assert len(audio) == round(3 * MIXTURE_S * sounds.rate)
    both = [m.audio for m in found.mixtures if m.kind == BOTH]
    for part in audio.reshape(3, -1):
        inside = slice(200, -200)  # the ends are faded
        assert any(np.array_equal(part[inside], m[inside]) for m in both)
    assert spans == sorted(spans)
    assert all(0.0 <= a < b <= 3 * MIXTURE_S for a, b in spans)
    share = sum(b - a for a, b in spans) / (3 * MIXTURE_S)
    assert 0.2 < share < 0.7


def test_one_side_is_better_than_nothing(sounds, closeds, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    found = heard([], closeds.clips, sounds.rate, 4)
    said = write_audition(str(tmp_path / "a.wav"), found, sounds.rate)
    assert said == {"file": str(tmp_path / "a.wav"), "open": []}
    audio, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_array_equal(audio, audition(found, sounds.rate)[0])
    assert rate == sounds.rate


def test_the_kind_of_file_that_its_name_says(sounds, closeds, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    found = heard([], closeds.clips, sounds.rate, 4)
    wanted = audition(found, sounds.rate)[0]
    for suffix, kind in ((".flac", "FLAC"), (".aiff", "AIFF"), (".ogg", "OGG")):
        path = tmp_path / f"a{suffix}"
        open_audition(str(path), sounds.rate).close(complete=False)
        assert not list(tmp_path.glob("*a.*"))  # a try leaves nothing
        write_audition(str(path), found, sounds.rate)
        info = soundfile.info(path)
        assert (info.format, info.samplerate, info.frames) == (kind, sounds.rate, len(wanted))
        if kind == "FLAC":
            audio, _ = soundfile.read(path, dtype="float32")
            np.testing.assert_allclose(audio, wanted, atol=2.0**-22)
        path.unlink()
    with pytest.raises(UsageError, match=r"no sound file is called \.txt"):
        open_audition(str(tmp_path / "a.txt"), sounds.rate)
