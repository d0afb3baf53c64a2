"""A model through the real path, rivals that hear no future, and the report."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from realtime.errors import MissingExtra, UsageError
from realtime.gate.ideal import ideal_gate
from train.evaluate import main
from train.gate_eval import report, rivals
from train.gate_eval.contest import Ears, RivalGate, gated, judge, tuned
from train.gate_eval.judge import ModelGate
from train.gate_eval.level import (
    LevelRival,
    LevelSettings,
    level_scores,
    openings,
    oracles,
    search,
    state_at_hops,
)
from train.gate_eval.mixtures import load, read_mixtures
from train.gate_eval.rivals import Rival, known_at_hops

RATE = 16_000
WORDS = Path(__file__).parents[2] / "data" / "words"
MAKERS = {"rnnoise": rivals.rnnoise, "silero": rivals.silero, "ten": rivals.ten,
          "webrtc": rivals.webrtc}  # fmt: skip


def burst(begin_s: float, end_s: float, seconds: float = 2.0) -> np.ndarray:
    """Loud noise within silence."""
    x = np.zeros(round(seconds * RATE), np.float32)
    begin, end = round(begin_s * RATE), round(end_s * RATE)
    x[begin:end] = 0.3 * np.random.default_rng(1).standard_normal(end - begin)
    return x


@pytest.fixture(params=MAKERS)
def rival(request: pytest.FixtureRequest) -> Rival:
    try:
        return MAKERS[request.param]()
    except MissingExtra as e:
        pytest.skip(e.line())


def of_level(sound: np.ndarray) -> float:
    return float(np.abs(sound).max())


@pytest.fixture
def loudness() -> Rival:
    """A rival made here: the loudest sample of each 16 ms."""
    return Rival("loudness", "rt-tag", RATE, 256, lambda x: x, lambda: of_level)


# The model


@pytest.mark.parametrize("lookahead_ms", [0, 20])
def test_a_model_is_heard_at_the_right_hops(gate_model: Path, lookahead_ms: int) -> None:
    gate = ModelGate(str(gate_model), lookahead_ms)
    sound = burst(0.5, 1.0)
    heard = gate.hear(sound, RATE)
    assert (gate.name, gate.threshold) == ("loud", 0.5)
    assert len(heard.score) == len(heard.open) == 200
    assert len(heard.output) == len(sound)
    first = int(np.flatnonzero(heard.open)[0])
    # causal: the decision at 0.51 s is the first that heard any of it; with 20 ms it holds from
    # 0.49 s on
    assert first in {0: (51, 52), 20: (49, 50)}[lookahead_ms]
    assert heard.score[50:100].mean() > 0.9
    assert heard.score[:40].max() < 0.1
    loud = np.abs(heard.output) > 0.01
    assert loud[round(0.6 * RATE) : RATE].mean() > 0.9
    np.testing.assert_allclose(heard.output[9000:15_000], sound[9000:15_000], atol=1e-6)


@pytest.mark.parametrize("lookahead_ms", [0, 20])
def test_the_command_writes_the_same_trace(
    gate_model: Path, sets: dict[str, Path], tmp_path: Path, lookahead_ms: int
) -> None:
    commands = pytest.importorskip("realtime.commands.gate", reason="rt-gate is not there")
    row = read_mixtures(sets["val"])[2]
    mix, _, rate = load(sets["val"], row)
    trace, out = tmp_path / "t.csv", tmp_path / "out.wav"
    source = sets["val"] / row.file / "mix.flac"
    status = commands.main(
        [str(source), str(out), "--model", str(gate_model), "--trace", str(trace),
         "--lookahead-ms", str(lookahead_ms)]
    )  # fmt: skip
    assert status == 0
    told = np.genfromtxt(trace, delimiter=",", names=True)
    heard = ModelGate(str(gate_model), lookahead_ms).hear(mix, rate)
    hops = np.round(told["time_s"] * 100).astype(int)
    kept = hops < len(heard.score)
    assert kept.sum() >= len(heard.score) - 1
    np.testing.assert_allclose(heard.score[hops[kept]], told["score"][kept], atol=1e-3)
    np.testing.assert_array_equal(heard.open[hops[kept]], told["open"][kept] > 0.5)
    written, _ = soundfile.read(out, dtype="float32")
    np.testing.assert_allclose(written, heard.output, atol=1e-4)


def test_another_threshold(gate_model: Path) -> None:
    assert ModelGate(str(gate_model), 0, threshold=0.9).threshold == 0.9


# The level gate


def test_states_follow_the_changes_before_each_hop() -> None:
    changes = [(160, True), (481, False)]
    states = state_at_hops(changes, 960, RATE)
    # the change at sample 160 is heard with that sample, so not yet at 10 ms
    assert states.tolist() == [False, False, True, True, False, False]
    assert state_at_hops(changes, 960, RATE, ahead=1).tolist() == [*states[1:], False]
    assert not state_at_hops([], 960, RATE).any()


def test_levels_at_hops_know_no_future() -> None:
    sound = burst(0.5, 1.0)
    scores = level_scores(sound, RATE, hold_ms=20)
    assert scores[50] == -120.0  # nothing before 0.5 s
    assert scores[51] > -20.0
    assert scores[102] == -120.0  # the last 20 ms are silent
    ahead = level_scores(sound, RATE, hold_ms=20, ahead=2)
    np.testing.assert_array_equal(ahead[:-2], scores[2:])
    changed = sound.copy()
    changed[round(0.8 * RATE) :] = 0.9
    np.testing.assert_array_equal(level_scores(changed, RATE, 20)[:81], scores[:81])


def test_a_loud_target_in_silence_is_gated_by_level() -> None:
    sound = burst(0.5, 1.0)
    label = ideal_gate(sound, RATE)
    heard = LevelRival(LevelSettings(-40.0, 6.0, 20.0), 0).hear(sound, RATE)
    assert (heard.open == label).mean() > 0.97
    (same,) = openings(sound, RATE, LevelSettings(-40.0, 6.0, 20.0), [0])
    np.testing.assert_array_equal(same, heard.open)
    assert not openings(sound, RATE, LevelSettings(20.0, 6.0, 20.0), [0])[0].any()


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid of few settings."""
    monkeypatch.setattr("train.gate_eval.level.THRESHOLDS_DB", (-60.0, -50.0, -40.0, -30.0))
    monkeypatch.setattr("train.gate_eval.level.HOLDS_MS", (60.0,))


@pytest.mark.usefixtures("coarse")
def test_the_search_finds_one_setting_and_an_oracle_is_no_worse(sets: dict[str, Path]) -> None:
    (found,) = search(sets["val"], [0], quiet=True)
    (result,) = judge(sets["val"], [LevelRival(found, 0)], quiet=True)
    each, ceiling = oracles(sets["val"], [found], [0], quiet=True)
    right = [report.summary(r)["balanced_accuracy"] for r in (result, each, ceiling)]
    assert 0.5 < right[0] <= right[1] + 0.02
    assert right[2] > 0.9
    assert set(result.alone) == {"keyboard", "fan", "music"}


# Rivals


def test_scores_are_known_after_their_frames() -> None:
    values = np.array([0.1, 0.2, 0.3], np.float32)
    found = known_at_hops(values, 0.016, 8)  # known at 16, 32, 48 ms
    assert found.tolist() == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.3, 0.3, 0.3])
    assert known_at_hops(values, 0.010, 4).tolist() == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_rival_hears_no_future(rival: Rival) -> None:
    sound = burst(0.5, 1.5)
    changed = sound.copy()
    changed[RATE:] = 0.0
    before, _ = rival.scores(sound, RATE)
    after, _ = rival.scores(changed, RATE)
    assert len(before) == 200 + rivals.AHEAD_HOPS
    # a resampler of the whole file rings for some milliseconds
    np.testing.assert_allclose(before[:99], after[:99], atol=0.02)


def test_a_rival_knows_speech_from_silence(rival: Rival) -> None:
    words = [
        soundfile.read(WORDS / w / "slt.flac", dtype="float32")[0] for w in ("yes", "left")
    ]
    sound = np.concatenate([np.zeros(RATE, np.float32), *words, np.zeros(RATE, np.float32)])
    scores, spent = rival.scores(sound, RATE)
    label = ideal_gate(sound, RATE)
    scores = scores[: len(label)]
    assert scores[label].mean() > scores[~label].mean() + 0.3
    assert spent > 0
    again, _ = rival.scores(sound, RATE)
    np.testing.assert_array_equal(again[: len(label)], scores)
    assert rival.version


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    there, missing = rivals.installed()
    assert not there
    assert len(missing) == 4
    assert all("not installed: pip install" in line for line in missing)


def test_look_ahead_moves_a_rivals_scores(loudness: Rival) -> None:
    sound, ears = burst(0.5, 1.0), Ears(loudness)
    causal = RivalGate(ears, 0.1, 0).hear(sound, RATE)
    ahead = RivalGate(ears, 0.1, 2).hear(sound, RATE)
    np.testing.assert_array_equal(ahead.open[:-2], causal.open[2:])
    assert int(np.flatnonzero(causal.open)[0]) == 52  # the frame from 496 ms ends at 512


def test_a_rivals_threshold_is_chosen_on_a_set(sets: dict[str, Path], loudness: Rival) -> None:
    ears = Ears(loudness)
    (threshold,) = tuned(sets["val"], [lambda mix, rate: ears.scores(mix, rate, 0)[0]], True)
    gates = [RivalGate(ears, x, 0) for x in (threshold, threshold / 8, threshold * 8)]
    right = [report.summary(r)["balanced_accuracy"] for r in judge(sets["val"], gates, True)]
    assert right[0] == max(right)
    (result,) = judge(sets["val"], [gates[0]], quiet=True)
    assert result.oracle() == pytest.approx(threshold)


def test_gating_by_hops_begins_at_the_hop() -> None:
    sound = np.ones(RATE, np.float32)
    opened = np.zeros(100, np.bool_)
    opened[50:60] = True
    out = gated(sound, RATE, opened)
    assert np.abs(out[:8000]).max() <= 1.1e-3
    assert out[8000 + 48] > 0.99  # the attack is 2 ms
    assert out[9599] == pytest.approx(1.0)
    assert out[-1] == pytest.approx(1e-3, rel=0.01)


# The report and the command


def test_the_ideal_gate_is_perfect(sets: dict[str, Path]) -> None:
    truth = {}
    for row in read_mixtures(sets["test"]):
        mix, clean, rate = load(sets["test"], row)
        truth[mix.tobytes()] = ideal_gate(clean, rate)

    class Perfect:
        name, lookahead_ms, threshold = "ideal", 0.0, 0.5

        def hear(self, mix: np.ndarray, rate: int) -> Any:
            from train.gate_eval.contest import Heard

            label = truth[mix.tobytes()]
            return Heard(label.astype(np.float32), label, gated(mix, rate, label), 0.0)

    (result,) = judge(sets["test"], [Perfect()], quiet=True)
    out = report.summary(result)
    assert (out["auc"], out["balanced_accuracy"]) == (1.0, 1.0)
    assert (out["missed"], out["target_lost_pct"]) == (0, 0.0)
    assert out["onset_cut_ms"] == {"median": 0.0, "p95": 0.0}
    assert out["overhang_ms"] == {"median": 0.0, "p95": 0.0}
    assert out["by_snr"]["-5 dB"]["si_sdr_gain_db"] > 1.0
    assert {k["openings_per_min"] for k in out["alone"].values()} == {0.0}
    assert out["oracle"]["balanced_accuracy"] == 1.0
    assert list(out["by_snr"]) == ["-5 dB", "0 dB", "clean"]


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(list(words)) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_command_gives_the_figures(
    gate_model: Path, sets: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = run_json(capsys, "gate", str(gate_model), "--mixtures", str(sets["test"]), "--json")
    assert out["model"] == "loud"
    assert out["mixtures"] == 10
    assert 0.5 < out["auc"] <= 1.0
    assert 0.5 < out["balanced_accuracy"] <= 1.0
    for name in ("false_open_s_per_min", "missed_pct", "target_lost_pct", "cpu_ms_per_s"):
        assert out[name] >= 0.0
    assert set(out["onset_cut_ms"]) == {"median", "p95"}
    assert len(out["per_mixture"]) == 10
    assert "rivals" not in out


@pytest.mark.usefixtures("coarse")
def test_the_command_with_rivals(
    gate_model: Path,
    sets: dict[str, Path],
    loudness: Rival,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(rivals, "installed", lambda: ([loudness], ["TEN VAD is not installed"]))
    given = ["gate", str(gate_model), "--mixtures", str(sets["test"]), "--choose",
             str(sets["val"]), "--rivals", "--lookahead-ms", "20"]  # fmt: skip
    out = run_json(capsys, *given, "--json")
    names = [r["model"] for r in out["rivals"]]
    assert names[:2] == ["loudness", "level gate, one threshold"]
    assert names[2].startswith("level gate, oracle")
    assert len(names) == 4
    assert all(r["lookahead_ms"] == 20.0 for r in out["rivals"])
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    picture = tmp_path / "gate.png"
    assert main([*given, "--plot", str(picture)]) == 0
    said = capsys.readouterr()
    assert "left out: TEN VAD is not installed" in said.err
    assert "loudness" in said.out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--mixtures", "/nowhere"], 2, "rt-eval mixtures makes a set"),
        (["--lookahead-ms", "5", "--rivals"], 2, "use 0 or 20"),
        (["--lookahead-ms", "50"], 2, "--lookahead-ms 50: use 0 to 20"),
        (["--threshold", "1.5"], 2, "--threshold 1.5: use 0 to 1"),
    ],
)
def test_a_wrong_command_is_said(
    gate_model: Path,
    words: list[str],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["gate", str(gate_model), *words]) == status
    assert said in capsys.readouterr().err


def test_a_tagger_is_no_gate(band_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(band_model)]) == 3
    assert "gate" in capsys.readouterr().err


def test_mixtures_by_command(
    material: Any,
    sets: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from train.manifest import write_manifest

    monkeypatch.setenv("RT_CACHE", str(tmp_path))
    root, rows = material
    write_manifest(tmp_path / "m.csv", rows)
    given = ["mixtures", str(root), str(tmp_path / "m.csv"), "--count", "2", "--alone", "0",
             "--part", "val"]  # fmt: skip
    assert main(given) == 0
    assert "2 mixtures of the val part" in capsys.readouterr().err
    assert len(read_mixtures(tmp_path / "rt-tag" / "mixtures-val")) == 2
    assert main(given) == 2
    assert "already" in capsys.readouterr().err
    assert main([*given, "--count", "0", "-o", str(tmp_path / "none")]) == 2


def test_tables_hold_both_look_aheads(sets: dict[str, Path], loudness: Rival) -> None:
    ears = Ears(loudness)
    told = [
        report.summary(r)
        for r in judge(sets["val"], [RivalGate(ears, 0.1, a) for a in (0, 2)], quiet=True)
    ]
    tables = [
        report.main_table(told), report.heard_table(told), report.group_table(told, "by_kind")
    ]  # fmt: skip
    for table in tables:
        assert len(table) == 2
        assert table[1][0] == "loudness"
        lines = report.markdown(table).splitlines()
        assert len(lines) == 3
        assert len({line.count("|") for line in lines}) == 1
        assert "nan" not in lines[2]
    for row, name in ((tables[0][1], "false_open_s_per_min"), (tables[0][1], "auc")):
        places = 3 if name == "auc" else 1
        causal, ahead = (f"{t[name]:.{places}f}" for t in told)
        assert (causal if causal == ahead else f"{causal} / {ahead}") in row
    assert len(report.interval_table(told[0])) == 8
    assert math.isfinite(told[0]["auc"])


def test_the_set_must_be_there(gate_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        judge(tmp_path, [ModelGate(str(gate_model), 0)])
