"""Several labels for a window: what can be heard, what is minimised, a run that learns."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("safetensors", reason="needs the train extra")

from models import build  # noqa: E402
from models.checkpoint import load_model, load_tensors  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from train.batches import Batches  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.fit import fit  # noqa: E402
from train.heard import Heard  # noqa: E402
from train.loss import class_weights, loss_of, set_bias  # noqa: E402
from train.manifest import Row, read_manifest, write_manifest  # noqa: E402
from train.recipe import Recipe, read_recipe  # noqa: E402
from train.truth import targets_of  # noqa: E402
from train.validate import mean_precision  # noqa: E402
from train.weights import begin_with  # noqa: E402

RATE = 8000
RECIPE = """
name = "x"
window_s = 0.5
hop_s = 0.25
[data]
manifest = "{folder}/m.csv"
root = "{folder}"
labels = ["high", "low", "hiss"]
[features]
kind = "mel"
rate = 8000
mels = 16
frame = 200
hop = 80
fft = 256
log_floor = 1e-8
mean = -8.0
std = 4.0
[model]
network = "dscnn"
stem = 8
stages = [[12, 2, 1], [16, 2, 1]]
dropout = 0.1
[mix]
batch = 24
talk = 0.0
silence = 0.1
fragment = 0.05
events = 0.5
balance = 1.0
[augment]
shift_s = 0.1
speeds = [1.0, 1.05]
stretch = 0.05
room = 0.3
neighbour = 0.2
noise = 0.5
tilt_db = 3.0
time_masks = 1
time_mask = 4
mel_masks = 1
mel_mask = 2
mixup = 0.3
cutmix = 0.3
[loss]
kind = "bce"
smoothing = 0.02
class_weights = 0.5
begin = "frequency"
[fit]
steps = 90
validate = 45
rate = 0.02
ema = 0.9
threads = 1
pool = "max"
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Tones high and low, short or (with pauses) longer than the window; hiss; a room."""
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    rng, rows = np.random.default_rng(2), []

    def keep(name: str, x: np.ndarray, label: str, role: str, split: str) -> None:
        soundfile.write(tmp_path / name, 0.4 * x / np.abs(x).max(), RATE)
        rows.append(Row(name, label, name, split, role))

    for i in range(24):
        label = ("high", "low")[i % 2]
        hertz = rng.uniform(1500, 3000) if label == "high" else rng.uniform(200, 700)
        tone = np.sin(2 * np.pi * hertz * np.arange(2000 + 40 * i) / RATE)
        if i % 4 > 1:
            tone = np.concatenate([np.zeros(9000), tone, np.zeros(3000)])
        keep(f"{i}.wav", tone, label, "clip", "val" if i > 15 else "train")
    for i in range(4):
        hiss = rng.standard_normal(12_000)
        keep(f"hiss{i}.wav", hiss, "hiss", "clip" if i % 2 else "noise",
             "val" if i == 3 else "train")  # fmt: skip
    keep("hum.wav", np.sin(np.arange(9000) / 20), "low?", "noise", "train")
    keep("room.wav", np.exp(-np.arange(800) / 100) * rng.standard_normal(800), "", "room",
         "train")  # fmt: skip
    write_manifest(tmp_path / "m.csv", rows)
    path = tmp_path / "r.toml"
    path.write_text(RECIPE.format(folder=tmp_path))
    return read_recipe(path)


def changed(tmp_path: Path, *changes: str) -> Recipe:
    return read_recipe(tmp_path / "r.toml", changes)


def test_targets_are_read_from_the_manifest() -> None:
    rows = [Row("a", label, "", "train", "clip") for label in ("x", "y;x", "y?", "z", "")]
    said = targets_of(rows, ("x", "y"))
    assert np.array_equal(said, [[1, 0], [1, 1], [0, np.nan], [0, 0], [0, 0]], equal_nan=True)


def test_what_is_drowned_is_not_heard() -> None:
    rng, one = np.random.default_rng(1), np.array([1.0], np.float32)
    loud = rng.standard_normal(8000).astype(np.float32)
    mixed = np.tile(loud, (6, 1))
    burst = np.zeros(8000, np.float32)
    burst[4000:4400] = 1.0
    heard = Heard(6, 1, RATE)
    heard.add(0, 0.5 * loud, one)  # 6 dB under the whole
    heard.add(1, 0.15 * loud, one)  # 16 dB: a little under the limit of 12
    heard.add(2, 0.05 * loud, one)  # 26 dB
    heard.add(3, burst, one)  # 50 ms, and the recording is no longer
    heard.add(4, burst, one, pieces=20)  # the edge of a longer one
    heard.add(5, 0.05 * loud, one)
    heard.add(5, loud, np.array([np.nan], np.float32))  # the manifest does not know
    said = heard.targets(mixed, 12.0)[:, 0]
    assert np.array_equal(said, [1, np.nan, 0, 1, np.nan, np.nan], equal_nan=True)


def test_rows_hold_several_sounds(recipe: Recipe) -> None:
    rows = read_manifest(Path(recipe.data.manifest))
    a, b = Batches(recipe, rows), Batches(recipe, rows)
    a.draw(1)
    first, second = a.draw(7), b.draw(7)
    assert torch.equal(first.features, second.features)
    assert torch.equal(first.targets.nan_to_num(2.0), second.targets.nan_to_num(2.0))
    many = torch.cat([a.draw(i).targets for i in range(8)])
    assert set(many.nan_to_num(2.0).unique().tolist()) == {0.0, 1.0, 2.0}
    count = (many == 1.0).sum(1)
    assert {0, 1, 2} <= set(count.tolist())
    assert (many == 1.0).float().mean(0).min() > 0.2


def test_of_a_long_recording_the_sounding_part_is_taken(recipe: Recipe, tmp_path: Path) -> None:
    quiet = changed(tmp_path, "mix.events=0.0", "mix.silence=0.0", "mix.fragment=0.0",
                    "augment.neighbour=0", "augment.noise=0", "augment.room=0")  # fmt: skip
    batches = Batches(quiet, read_manifest(Path(recipe.data.manifest)))
    said = torch.cat([batches.draw(i).targets for i in range(6)])
    # a tone of which next to nothing is in the window counts neither way
    assert ((said == 1.0).any(1) | said.isnan().any(1)).float().mean() > 0.98
    assert (said == 1.0).any(1).float().mean() > 0.85
    moments = batches.moments[0]
    index = next(i for i, r in enumerate(batches.rows) if r.file == "2.wav")
    rng = np.random.default_rng(3)
    for _ in range(20):
        sound, pieces = moments.cut(index, 4000, rng)
        assert np.abs(sound).max() > 0.3
        assert pieces == pytest.approx(2080 / 400, abs=1)


def test_focal_is_torchvisions_and_what_nobody_can_tell_is_left_out(recipe: Recipe) -> None:
    ops = pytest.importorskip("torchvision.ops", reason="its loss is held against ours")
    logits = torch.randn(5, 3)
    y = (torch.rand(5, 3) > 0.5).float()
    network = lambda _: logits  # noqa: E731
    focal = ("loss.kind=focal", "augment.mixup=0", "augment.cutmix=0", "loss.smoothing=0")
    plain = changed(Path(recipe.data.root), *focal)
    ours = loss_of(network, (), torch.zeros(5), y, plain)
    theirs = ops.sigmoid_focal_loss(logits, y, 0.25, 2.0, "mean")
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    y[:, 1] = torch.nan
    known = ops.sigmoid_focal_loss(logits[:, [0, 2]], y[:, [0, 2]], 0.25, 2.0, "mean")
    assert float(loss_of(network, (), torch.zeros(5), y, plain)) == pytest.approx(float(known))
    weights = class_weights([0.1, 0.3, 0.01], 1.0)
    assert weights[2] / weights[0] == pytest.approx(10.0)
    assert weights.mean() == pytest.approx(1.0)


def test_scores_begin_where_they_are_told(recipe: Recipe) -> None:
    network = build(recipe.model, 3).eval()
    set_bias(network, [0.1, 0.2, 0.3])
    assert torch.allclose(network.classifier.bias.sigmoid(), torch.tensor([0.1, 0.2, 0.3]))
    with pytest.raises(UsageError, match="bias"):
        set_bias(torch.nn.ReLU(), [0.1])


def test_it_learns_goes_on_exactly_and_starts_another(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fit(recipe, tmp_path / "whole")
    _, card = load_model(whole)
    assert card.scores == "logit"
    name, figure = card.measured[0]["figure"].split()
    assert name == "mAP"
    assert float(figure) > 0.8

    class StopError(Exception):
        pass

    def stop(*_: float) -> None:
        raise StopError

    with pytest.raises(StopError):
        fit(recipe, tmp_path / "parts", stop)
    fit(recipe, tmp_path / "parts")
    a, _ = load_tensors(tmp_path / "whole" / "last.safetensors")
    b, _ = load_tensors(tmp_path / "parts" / "last.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)

    other = build(recipe.model, 2)
    with caplog.at_level(logging.INFO, "rt.train.weights"):
        begin_with(other, whole)
    assert "fresh: classifier.bias, classifier.weight" in caplog.text
    kept, _ = load_tensors(whole, "model.")
    assert torch.equal(other.stem.weight, kept["stem.weight"])
    with pytest.raises(UsageError, match="no tensor fits"):
        begin_with(torch.nn.Linear(1, 1), whole)


def test_mean_precision() -> None:
    scores = np.array([[0.9, 0.2, 0.5], [0.8, 0.3, 0.5], [0.1, 0.4, 0.5]], np.float32)
    truth = np.array([[1, 1, 1], [0, 0, 1], [0, np.nan, 1]], np.float32)
    assert mean_precision(scores, truth) == pytest.approx((1.0 + 0.5) / 2)


@pytest.mark.parametrize(("change", "said"), [
    ("loss.kind=cross_entropy", "mix.events with one label"),
    ("mix.silence=0.9", "make 1.45 together"),
    ('data.labels=["a", "b"]', "one of data.labels"),
    ("data.cached=true", "mix.events with data.cached"),
    ("loss.kind=bec", "bec"),
])  # fmt: skip
def test_what_cannot_be_is_said(
    recipe: Recipe, tmp_path: Path, change: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rt_train([str(tmp_path / "r.toml"), "--set", change, "--set", "fit.steps=1"]) == 2
    assert said in capsys.readouterr().err
