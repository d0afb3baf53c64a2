"""Mixtures: as asked, the same for the same seed, and of nothing that training heard."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.errors import UsageError
from realtime.gate.ideal import ideal_gate, runs
from train.gate_eval.mixtures import (
    KINDS,
    SNR_DB,
    load,
    read_mixtures,
    write_mixtures,
)
from train.gate_eval.phrases import active_db, is_clean, phrases_of, power_db
from train.gate_eval.pool import Sound, kinds_of, pool_of
from train.manifest import Row, read_manifest
from train.rooms import heard_in, made_room

POOL = Path(__file__).parents[4] / "shared" / "data"
RATE = 16_000
Material = tuple[Path, list[Row]]


def test_ratios_are_as_asked(sets: dict[str, Path]) -> None:
    for folder in sets.values():
        for row in read_mixtures(folder):
            if math.isfinite(row.snr_db):
                mix, clean, _ = load(folder, row)
                got = power_db(clean) - power_db(mix - clean)
                assert got == pytest.approx(row.snr_db, abs=0.1), row


def test_kinds_and_ratios_are_dealt_evenly(sets: dict[str, Path]) -> None:
    rows = read_mixtures(sets["test"])
    assert [r.kind for r in rows[:10]] == [*KINDS, *KINDS]
    assert {r.snr_db for r in rows[:5]} == {SNR_DB[0], math.inf}
    assert {r.snr_db for r in rows[5:10]} == {SNR_DB[1], math.inf}
    assert [r.kind for r in rows[10:]] == ["keyboard alone", "fan alone", "music alone"]


def test_clean_is_the_target_and_mix_holds_it(sets: dict[str, Path]) -> None:
    for row in read_mixtures(sets["val"]):
        mix, clean, rate = load(sets["val"], row)
        assert len(mix) == len(clean) == round(row.seconds * rate)
        assert np.abs(mix).max() < 0.95
        if row.alone:
            assert not clean.any()
            assert mix.any()
            continue
        assert 5.0 <= row.seconds <= 6.0
        assert active_db(clean, rate) == pytest.approx(row.level_db, abs=0.1)
        spans = runs(ideal_gate(clean, rate))
        assert len(spans) >= 2
        assert 0.1 < sum(b - a for a, b in spans) / len(ideal_gate(clean, rate)) < 0.9
        if row.kind == "clean":
            assert active_db(clean, rate) - active_db(mix - clean, rate) > 40.0


def test_the_same_seed_gives_the_same_files(
    material: Material, sets: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RT_CACHE", str(sets["val"].parent / "cache"))
    monkeypatch.setattr("train.gate_eval.mixtures.LENGTH_S", (5.0, 6.0))
    monkeypatch.setattr("train.gate_eval.mixtures.ALONE_S", 3.0)
    write_mixtures(*material, tmp_path / "again", "val", count=10, alone=1, seed=1)
    write_mixtures(*material, tmp_path / "other", "val", count=1, alone=0, seed=9)
    for path in sets["val"].rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(sets["val"])).read_bytes() == (
            path.read_bytes()
        )
    one, other = (f / "000" / "clean.flac" for f in (sets["val"], tmp_path / "other"))
    assert one.read_bytes() != other.read_bytes()


def test_parts_share_no_talker_and_no_source(material: Material, sets: dict[str, Path]) -> None:
    root, rows = material
    trained = {r.group for r in rows if r.split == "train"}
    val, test = (pool_of(root, rows, part) for part in ("val", "test"))
    assert not val.groups() & test.groups()
    assert not (val.groups() | test.groups()) & trained
    assert not set(val.files()) & set(test.files())
    used = {
        part: {
            name
            for row in read_mixtures(folder)
            for name in f"{row.speakers};{row.sources};{row.room}".split(";")
        }
        for part, folder in sets.items()
    }
    assert {"kal", "ked"} >= used["val"] & {"awb", "hts", "kal", "ked", "rms", "slt"}
    assert not any("train" in name or "test" in name for name in used["val"])


def test_sounds_that_no_manifest_lists_are_dealt_to_val_and_test(
    material: Material, tmp_path: Path
) -> None:
    """Their licence keeps them out of training; a source that training knows stays out."""
    root, rows = material
    with (tmp_path / "sounds.csv").open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(("file", "source_id", "licence", "category", "hard"))
        for r in rows:
            if r.role == "other":
                hard = "laughing" if r.label == "noise/human" else ""
                writer.writerow((r.file, r.group, "CC0", r.label, hard))
        for i in range(40):
            writer.writerow((f"noncommercial/{i}.wav", f"nc {i}", "CC BY-NC", "rain", ""))
        writer.writerow(("noncommercial/t.wav", "noise/weather train", "CC BY-NC", "rain", ""))
        writer.writerow(("noncommercial/b.wav", "nc b", "CC0", "babble", ""))
        writer.writerow(("rir/new.wav", "rir new", "CC0", "room", ""))
    for path in root.iterdir():
        (tmp_path / path.name).symlink_to(path)
    val, test = (pool_of(tmp_path, rows, part) for part in ("val", "test"))
    mine = {
        part: {f for f in pool.files() if f.startswith("noncommercial")}
        for part, pool in (("val", val), ("test", test))
    }
    assert not mine["val"] & mine["test"]
    assert mine["val"] | mine["test"] == {f"noncommercial/{i}.wav" for i in range(40)}
    assert min(len(m) for m in mine.values()) > 8
    assert "rir/new.wav" not in val.files() + test.files()


@pytest.mark.parametrize(
    ("file", "category", "hard", "kinds"),
    [
        ("noise/home/a.ogg", "running_tap", "", ["continuous"]),
        ("noncommercial/a.ogg", "vacuum_cleaner", "", ["continuous", "fan"]),
        ("noncommercial/a.ogg", "train", "", ["continuous"]),
        ("noise/effects/a.ogg", "train_whistle", "", ["intermittent"]),
        ("noise/keyboard/a.ogg", "keyboard", "", ["intermittent", "keyboard"]),
        ("noise/human/a.ogg", "cough", "coughing", ["human+animal"]),
        ("noise/animals/a.ogg", "mouse", "animal", ["human+animal"]),
        ("drums/kick/a.flac", "kick", "", ["drums"]),
        ("instruments/bass/a.ogg", "bass", "", ["music"]),
        ("noise/ambience/a.ogg", "coffee-shop", "", []),
    ],
)
def test_kinds_of_sounds(file: str, category: str, hard: str, kinds: list[str]) -> None:
    assert kinds_of(Sound(file, "g", category), hard) == kinds


def test_phrases_are_of_the_lengths_asked_and_fade() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(8 * RATE) / RATE
    envelope = (np.sin(2 * np.pi * 0.4 * t) > -0.6) * (1 + 0.5 * np.sin(2 * np.pi * 3 * t))
    clip = (0.1 * envelope * rng.standard_normal(len(t))).astype(np.float32)
    found = phrases_of(clip, RATE, rng)
    assert len(found) >= 3
    for phrase in found:
        assert 0.3 <= len(phrase) / RATE <= 3.0 + 0.1
        assert abs(phrase[0]) < 0.01
        assert abs(phrase[-1]) < 0.01
    assert phrases_of(np.zeros(RATE, np.float32), RATE, rng) == []


def test_a_pause_is_no_phrase_and_is_not_made_loud() -> None:
    rng = np.random.default_rng(3)
    clip = 0.1 * rng.standard_normal(4 * RATE).astype(np.float32)
    clip[RATE : 3 * RATE] *= 0.02  # 34 dB under what is around it
    for _ in range(20):
        for phrase in phrases_of(clip, RATE, rng):
            assert active_db(phrase, RATE) == pytest.approx(active_db(clip, RATE), abs=1.0)
            assert np.mean(np.abs(phrase) < 0.01) < 0.5


def test_a_phrase_has_no_clicks() -> None:
    rng = np.random.default_rng(3)
    clip = np.zeros(2 * RATE, np.float32)
    clip[4000:20_000] = 0.1 * rng.standard_normal(16_000)
    assert phrases_of(clip, RATE, rng)
    clip[9000:20_000] = 0.0
    clip[11_200:12_000] = 0.1 * rng.standard_normal(800)  # 50 ms
    for _ in range(20):
        for phrase in phrases_of(clip, RATE, rng):
            assert len(phrase) < 8000


def test_a_noisy_recording_is_no_target() -> None:
    rng = np.random.default_rng(3)
    clip = 0.1 * rng.standard_normal(RATE).astype(np.float32)
    clip[4000:8000] *= 0.01
    assert is_clean(clip, RATE)
    padded = np.concatenate([clip[:4000], np.zeros(8000, np.float32)])
    assert not is_clean(padded, RATE)
    clip[4000:8000] *= 20
    assert not is_clean(clip, RATE)
    assert not is_clean(np.zeros(RATE, np.float32), RATE)
    assert not is_clean(clip[:1000], RATE)


def test_a_room_moves_nothing_in_time() -> None:
    rng = np.random.default_rng(3)
    click = np.zeros(RATE, np.float32)
    click[4000] = 1.0
    for _ in range(5):
        response, name = made_room(RATE, rng)
        wet = heard_in(click, response)
        assert name.startswith("made")
        assert int(np.abs(wet).argmax()) in range(4000, 4500)
        assert not np.abs(wet[:3999]).max() > 1e-6
        assert len(wet) == len(click)


def test_a_set_is_not_written_over(sets: dict[str, Path], material: Material) -> None:
    with pytest.raises(UsageError, match="holds mixtures already"):
        write_mixtures(*material, sets["val"], "val", count=1, alone=0, seed=1)


def test_a_part_without_speech_or_sounds_is_said(material: Material) -> None:
    root, rows = material
    speech = [r for r in rows if r.role == "target"]
    with pytest.raises(UsageError, match="no continuous sound in part val"):
        pool_of(root, speech, "val")
    with pytest.raises(UsageError, match="no target in part val"):
        pool_of(root, [r for r in rows if r.role == "other"], "val")


def test_a_wrong_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_mixtures(tmp_path)
    (tmp_path / "mixtures.csv").write_text("file,kind\n000,music\n")
    with pytest.raises(UsageError, match="snr_db"):
        read_mixtures(tmp_path)
    (tmp_path / "mixtures.csv").write_text("file,kind\n")
    with pytest.raises(UsageError, match="no mixtures"):
        read_mixtures(tmp_path)


def test_another_rate(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RT_CACHE", str(tmp_path))
    write_mixtures(*material, tmp_path / "m", "test", count=1, alone=0, seed=1, rate=22_050)
    (row,) = read_mixtures(tmp_path / "m")
    _, clean, rate = load(tmp_path / "m", row)
    assert rate == 22_050
    assert 10.0 <= row.seconds <= 15.0
    assert soundfile.info(tmp_path / "m" / "000" / "mix.flac").samplerate == rate
    assert ideal_gate(clean, rate).any()


@pytest.mark.skipif(not POOL.is_dir(), reason="needs the pool of recordings")
def test_no_talker_and_no_source_of_the_pool_is_in_two_parts(tmp_path: Path) -> None:
    from train.datasets import voice
    from train.manifest import write_manifest

    write_manifest(tmp_path / "voice.csv", voice(POOL))
    rows = read_manifest(tmp_path / "voice.csv")
    trained = {r.group for r in rows if r.split == "train"}
    val, test = (pool_of(POOL, rows, part) for part in ("val", "test"))
    assert not val.groups() & test.groups()
    assert not (val.groups() | test.groups()) & trained
    for pool in (val, test):
        for kind in ("continuous", "intermittent", "music", "human+animal", "keyboard", "fan"):
            assert len({s.group for s in pool.sounds[kind]}) >= 5, kind
