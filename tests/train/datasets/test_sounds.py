"""Everyday sounds by kind, on a small pool in its own layout."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.errors import UsageError
from train.datasets import list_rows
from train.datasets.sounds import UNHEARD_WORDS, kind_of
from train.manifest import span_of, whole_of

Write = Callable[..., Path]

TABLE = """file,source_id,licence,category
esc10/audio/a.wav,a,CC BY 3.0 (ESC-10 subset),dog
noise/effects/b.wav,b,CC0,horn car
noise/ambience/c.wav,c,CC0,boat
noise/animals/d.wav,d,GPL-2,dog
drums/snare/e.wav,e,CC BY 4.0,snare
rir/f.wav,f,CC0,measured room
noncommercial/esc50/audio/g.wav,g,CC BY-NC 3.0 (ESC-50),siren
"""


@pytest.fixture
def pool(tmp_path: Path, text: Write) -> Path:
    rng = np.random.default_rng(1)
    text("sounds.csv", TABLE)
    burst = np.zeros(5 * 8000, np.float32)
    burst[8000:13600] = 0.3 * rng.standard_normal(5600)  # the rest is a pause
    short = (0.1 * rng.standard_normal(4000)).astype(np.float32)
    for name, sound in (
        *((line.split(",")[0], short) for line in TABLE.splitlines()[2:]),
        ("esc10/audio/a.wav", burst),
        ("speech-commands/yes/0000aaaa_nohash_0.wav", short),
        (f"speech-commands/{UNHEARD_WORDS[0]}/0000aaaa_nohash_0.wav", short),
        ("speech-commands/_background_noise_/sc_test_silence/7.wav", short),
        ("voice/librispeech/libri-12_0.wav", short),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, sound, 8000)
    return tmp_path


def test_household_holds_what_may_be_given_away(pool: Path) -> None:
    rows, bad = list_rows("household", pool)
    assert not bad
    assert {r.file: (r.label, r.role) for r in rows} == {
        "esc10/audio/a.wav": ("dog", "clip"),
        "noise/effects/b.wav": ("other", "clip"),
        "noise/ambience/c.wav": ("motor", "clip"),
        "drums/snare/e.wav": ("drums", "clip"),
        "rir/f.wav": ("measured room", "room"),
        "voice/librispeech/libri-12_0.wav": ("speech", "clip"),
    }


def test_ears_takes_the_parts_that_sound_and_leaves_its_trial_out(pool: Path) -> None:
    rows, bad = list_rows("ears", pool)
    assert not bad
    found = {(whole_of(r.file), r.label, r.role) for r in rows}
    assert found == {
        ("esc10/audio/a.wav", "dog", "clip"),
        ("noise/ambience/c.wav", "motor", "clip"),
        ("noise/ambience/c.wav", "boat", "noise"),
        ("drums/snare/e.wav", "snare", "clip"),
        ("rir/f.wav", "measured room", "room"),
        ("speech-commands/yes/0000aaaa_nohash_0.wav", "yes", "clip"),
        ("speech-commands/_background_noise_/sc_test_silence/7.wav", "silence", "clip"),
        ("voice/librispeech/libri-12_0.wav", "speech", "talk"),
    }
    for row in rows:
        if row.label == "dog":
            span = span_of(row.file)
            assert span is not None
            assert span[0] < 1.7
            assert span[1] > 1.0


@pytest.mark.parametrize(
    ("file", "category", "kind"),
    [
        ("noise/effects/x.ogg", "doorbell_02", "bell"),
        ("noise/animals/x.ogg", "lion_bellow", "animal"),
        ("noise/animals/x.ogg", "Growl1", "animal"),
        ("noise/animals/x.ogg", "owl_hoot", "bird"),
        ("noise/effects/x.ogg", "train_whistle", "alarm"),
        ("noise/effects/x.ogg", "rain_light", "rain"),
        ("noise/effects/x.ogg", "node_step_wood.1", "footsteps"),
        ("noise/effects/x.ogg", "vehicle_motor_idle", "motor"),
        ("music/x.ogg", "cinematic", "music"),
        ("noise/effects/x.ogg", "boing cartoon", "other"),
    ],
)
def test_kinds(file: str, category: str, kind: str) -> None:
    assert kind_of(file, category) == kind


def test_another_layout_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sounds\.csv: no such file"):
        list_rows("household", tmp_path)
    with pytest.raises(UsageError, match="speech-commands: no such file"):
        list_rows("ears", tmp_path)
