"""Which event counts as what, and scenes whose truth is true."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from realtime.errors import OutputError, UsageError  # noqa: E402
from realtime.outputs import Start  # noqa: E402
from realtime.runners import open_runner  # noqa: E402
from train.evaluate import main as rt_eval  # noqa: E402
from train.judge_stream import figures, judge_stream, match, missed, read_truth  # noqa: E402
from train.manifest import Row  # noqa: E402
from train.scenes import Truth, active_span, loud_db, make_scene, write_scene  # noqa: E402

WORDS = Path(__file__).parents[1] / "data" / "words"


def start(label: str, t: float) -> Start:
    return Start(label, t, 0.9)


def test_starts_are_matched_to_words() -> None:
    truth = [Truth(1.0, 1.5, "yes"), Truth(3.0, 3.4, "no"), Truth(3.8, 4.2, "no")]
    starts = [
        start("yes", 1.6),  # right, 0.1 s after the end
        start("yes", 2.2),  # a second one for the same word
        start("up", 3.3),  # another word during "no"
        start("no", 3.7),
        start("no", 4.0),  # the second "no", though the first is near too
        start("go", 9.0),  # nothing there
    ]
    hits = match(starts, truth)
    assert hits.matched == pytest.approx({0: 0.1, 1: 0.3, 2: -0.2})
    assert hits.wrong == 1
    assert [s.t for s in hits.false] == [2.2, 9.0]
    out = figures(hits, truth, 1800.0)
    assert out["recall"] == 1.0
    assert out["false_alarms_per_hour"] == 4.0
    assert out["false_alarms_per_hour_bound_95"] > 4.0
    assert out["per_label"]["no"] == {"n": 2, "recall": 1.0, "false_alarms": 0}


def test_missed_words_by_how_near_they_came() -> None:
    truth = [Truth(float(t), t + 0.5, "yes") for t in range(1, 9, 2)]
    hits = match([start("yes", 1.6)], truth)
    assert missed(hits, [0.2, 0.39, 0.5, 0.8], [0.8] * 4) == {
        "under_half": 1, "under": 1, "brief": 1
    }  # fmt: skip


def test_a_word_that_only_rises_is_under_its_threshold(band_model, kit, write_wav) -> None:
    sound = write_wav("tones.wav", kit.tones(("", 0.6), ("low", 0.8), ("", 1.4), ("high", 0.8)))
    truth = [Truth(0.6, 1.4, "low"), Truth(2.8, 3.6, "high"), Truth(2.0, 2.2, "middle")]
    runner = open_runner(band_model)
    out = judge_stream(runner, sound, truth, {"default": 0.5, "high": 1.0})
    assert out["recall"] == pytest.approx(1 / 3)
    assert out["missed"] == {"under_half": 1, "under": 1, "brief": 0}


def test_a_late_event_is_false() -> None:
    hits = match([start("yes", 3.0)], [Truth(1.0, 1.5, "yes")])
    assert not hits.matched
    assert len(hits.false) == 1


def test_a_span_is_where_the_sound_is() -> None:
    clip = np.zeros(16_000, np.float32)
    clip[4000:8000] = 0.3 * np.sin(np.arange(4000))
    first, last = active_span(clip, 16_000)
    assert first == pytest.approx(4000, abs=320)
    assert last == pytest.approx(8000, abs=320)


def test_a_scene_holds_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RT_CACHE", str(tmp_path))
    rows = [
        Row(f.relative_to(WORDS).as_posix(), f.parent.name, f.stem, "test", "clip")
        for f in sorted(WORDS.glob("*/*.flac"))
    ]
    rows = [
        Row(
            r.file, r.label if r.label in ("yes", "no") else "unknown", r.group, r.split, r.role
        )
        for r in rows
    ]
    audio, truth = make_scene(rows, WORDS, ["yes", "no"], 60.0, seed=3)
    again, same = make_scene(rows, WORDS, ["yes", "no"], 60.0, seed=3)
    assert truth == same
    np.testing.assert_array_equal(audio, again)
    assert len(audio) == 60 * 16_000
    assert len(truth) > 4
    assert {w.label for w in truth} <= {"yes", "no"}
    hush = loud_db(audio[:8000], 16_000)  # before the first word
    for word in truth:
        part = audio[round(word.start_s * 16_000) : round(word.end_s * 16_000)]
        assert loud_db(part, 16_000) > hush + 5.0
    for bad, error in (("scene.txt", UsageError), ("none/scene.wav", OutputError)):
        with pytest.raises(error):
            write_scene(audio, truth, tmp_path / bad)
    assert not list(tmp_path.glob(".*"))
    table = write_scene(audio, truth, tmp_path / "scene.flac")
    assert read_truth(table, ["yes", "no"], []) == truth


def test_a_wrong_truth_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("start,end,label\n")
    with pytest.raises(UsageError, match="header"):
        read_truth(path, ["yes"], [])
    path.write_text("start_s,end_s,label\n1,2,yse\n")
    with pytest.raises(UsageError, match="yse"):
        read_truth(path, ["yes"], [])
    for line in ("1,x,yes", "nan,2,yes", "3,2,yes", "-1,2,yes", "1,inf,yes", "1", ""):
        path.write_text(f"start_s,end_s,label\n0,1,yes\n{line},,\n")
        with pytest.raises(UsageError, match=r":3: .* is no time"):
            read_truth(path, ["yes"], [])
    path.write_text("start_s,end_s,label\n1,2\n")
    with pytest.raises(UsageError, match=":2: no label"):
        read_truth(path, ["yes"], [])
    path.write_bytes(b"\xef\xbb\xbfstart_s,end_s,label\r\n1,2,yes\r\n")
    assert read_truth(path, ["yes"], []) == [Truth(1.0, 2.0, "yes")]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("scene words.csv words.wav", "the truth words.csv is the manifest itself"),
        ("scene words.csv none/a.wav", "none/a.wav cannot be written"),
        ("scene words.csv a.wav --minutes nan", "--minutes nan"),
        ("scene words.csv a.wav --snr-db 20 8", "the lower one first"),
        ("stream voice-tiny a.wav a.csv", "is a gate and names no sounds"),
        ("stream kws12 a.wav a.csv --threshold nan", "--threshold nan: use 0 to 1"),
        ("tune kws12 a.wav --false-alarms nan", "--false-alarms nan"),
        ("tag voice-tiny words.csv", "is a gate and names no sounds"),
        ("tag kws12-tiny words --choose words", "clips of it are judged, too"),
        ("tag kws12-tiny words --choose val", "clips of it are judged, too"),
        ("tag kws12-tiny words --choose none.csv -o none/x.json", "none/x.json cannot be"),
        ("tag kws12-tiny none.csv --plot a.png", "none.csv"),
        ("robust kws12-tiny words --noise words --snr nan", "--snr nan: no such number"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    command: str, says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "config"))
    (tmp_path / "words").symlink_to(WORDS)
    manifest = "file,label,group,split,role\nyes/a.flac,yes,ann,test,clip\n"
    (tmp_path / "words.csv").write_text(manifest)
    assert rt_eval(command.split()) in (2, 3, 6)
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert (tmp_path / "words.csv").read_text() == manifest
    assert {p.name for p in tmp_path.iterdir()} <= {"words", "words.csv", "config"}
