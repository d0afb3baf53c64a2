"""What is taken for a word is drawn often; a clip is moved no further than it may be."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the train extra")

from models import build  # noqa: E402
from models.checkpoint import save_checkpoint  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from train.batches import Batches  # noqa: E402
from train.clips import active_span, place, room_of  # noqa: E402
from train.fit import card_of  # noqa: E402
from train.hard import HOP_S, Hard  # noqa: E402
from train.manifest import Row, read_manifest, write_manifest  # noqa: E402
from train.recipe import Recipe, read_recipe, with_labels  # noqa: E402

RATE, SIZE = 8000, 2400


class Loudness(torch.nn.Module):
    """Says "word" where it is loud, else "silence"."""

    def forward(self, x):
        loud = x.square().mean((1, 2, 3)) > 0.01
        return torch.where(loud[:, None], torch.tensor([9.0, 0.0]), torch.tensor([0.0, 9.0]))


@pytest.fixture
def talking(tones: Path, tmp_path: Path) -> Recipe:
    """The tones, of which "low" is background, and two recordings of talk with a loud part."""
    rows = read_manifest(tmp_path / "m.csv")
    for number in range(2):
        sound = 0.02 * np.random.default_rng(number).standard_normal(4 * RATE)
        sound[(number + 1) * RATE :][: RATE // 2] *= 15.0
        soundfile.write(tmp_path / f"talk{number}.wav", sound, RATE)
        rows.append(Row(f"talk{number}.wav", "low", f"t{number}", "train", "talk"))
    write_manifest(tmp_path / "m.csv", rows)
    return read_recipe(
        tones, ("data.cached=false", 'data.background=["low"]', "mix.hard=1.0", "mix.talk=0.0",
                "mix.silence=0.0", "mix.fragment=0.0", "mix.batch=64"),
    )  # fmt: skip


def test_what_sounds_like_a_word_is_drawn():
    clips = [np.full(6 * RATE, 0.01, np.float32) for _ in range(3)]
    clips[1][2 * RATE : 3 * RATE] = 0.5
    hard = Hard(clips, SIZE, RATE, lambda x: x[:, None], Loudness(), np.array([False, True]))
    rng = np.random.default_rng(0)
    drawn = [hard.draw(rng) for _ in range(1000)]
    hits = [number == 1 and 2 * RATE - SIZE < at < 3 * RATE for number, at in drawn]
    assert 0.85 < np.mean(hits) < 1.0  # the rest is drawn, too
    assert all(at % round(HOP_S * RATE) == 0 and at + SIZE <= 6 * RATE for _, at in drawn)


def test_it_is_no_word_whatever_it_sounds_like(talking: Recipe, tmp_path: Path):
    rows = read_manifest(tmp_path / "m.csv")
    recipe = with_labels(talking, rows)
    network = build(recipe.model, 2)
    weights = {f"model.{k}": v for k, v in network.state_dict().items()}
    save_checkpoint(tmp_path / "w.safetensors", weights, recipe.model, card_of(recipe, 0))
    fit = msgspec.structs.replace(recipe.fit, init=str(tmp_path / "w.safetensors"))
    batches = Batches(msgspec.structs.replace(recipe, fit=fit), rows)
    batch = batches.draw(1)
    assert torch.isfinite(batch.features).all()
    assert batch.features.std() > 0.1
    assert (batch.targets[:, 0] == 0.0).all()  # not "high"
    assert batch.targets[:, 1].isnan().all()  # any background will do


def test_somebody_has_to_say_what_is_hard(talking: Recipe, tmp_path: Path):
    with pytest.raises(UsageError, match=r"mix\.hard"):
        Batches(talking, read_manifest(tmp_path / "m.csv"))


@given(
    begin=st.integers(0, 4000), length=st.integers(200, 2000), total=st.integers(6000, 9000),
    share=st.floats(0.0, 1.0),
)  # fmt: skip
def test_a_clip_that_is_moved_as_far_as_it_may_is_whole(begin, length, total, share):
    clip = np.zeros(total, np.float32)
    clip[begin : begin + length] = 0.5
    least, most = room_of(clip, SIZE, RATE)
    first, last = active_span(clip, RATE)
    assert least <= most
    out = np.zeros(SIZE, np.float32)
    place(out, clip, round(least + share * (most - least)))
    assert np.count_nonzero(out) == length
    place(beyond := np.zeros(SIZE, np.float32), clip, most + (last - first))
    assert np.count_nonzero(beyond) < length
