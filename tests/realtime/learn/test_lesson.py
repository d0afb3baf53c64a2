"""Whole lessons, over a network that hears a frame and what was before it."""

import numpy as np
import pytest

from realtime.errors import AudioError, CardError
from realtime.learn.hearing import ahead_of, aligned
from realtime.learn.lesson import learn
from realtime.learn.more import learn_more
from realtime.learn.report import advise, card_of, summary, summary_more


class Counts:
    """`Progress` that counts."""

    def __init__(self):
        self.stages = {}

    def begin(self, stage, steps):
        self.stage = stage
        self.stages[stage] = [0, steps]

    def step(self):
        self.stages[self.stage][0] += 1


@pytest.fixture(scope="module")
def lesson(opens, closeds, learnable_model, sounds):
    from realtime.learn.gate_file import read_gate

    counts = Counts()
    gate = read_gate(learnable_model)
    return learn(opens, closeds, gate, 1, counts, sounds.few), counts, gate


def test_it_tells_tones_from_claps_of_the_same_level(lesson):
    learned, _, _ = lesson
    assert learned.apart > 0.65
    for c in learned.comparisons:
        assert c.learned.cost < 0.2
        assert c.learned.missed <= 0.1 * c.learned.targets
    assert learned.held == {"open": "files", "closed": "files"}


def test_both_levels_without_and_with_look_ahead(lesson):
    learned, _, _ = lesson
    assert [(c.levels, c.lookahead_ms) for c in learned.comparisons] == [
        ("recorded", 0.0), ("recorded", 20.0), ("any", 0.0), ("any", 20.0),
    ]  # fmt: skip
    for now, ahead in zip(learned.comparisons[::2], learned.comparisons[1::2], strict=True):
        assert ahead.learned.onset_cut_ms["median"] <= now.learned.onset_cut_ms["median"]


def test_progress_comes_to_its_end(lesson):
    _, counts, _ = lesson
    assert list(counts.stages) == ["listening", "learning", "tuning the level gate"]
    assert all(done == steps for done, steps in counts.stages.values())


def test_the_same_seed_learns_the_same(lesson, opens, closeds, sounds):
    learned, _, gate = lesson
    again = learn(opens, closeds, gate, 1, sizes=sounds.few)
    np.testing.assert_array_equal(again.head.hidden_weight, learned.head.hidden_weight)
    assert summary(again, "x") == summary(learned, "x")


def test_advice_names_a_command(lesson):
    learned, _, _ = lesson
    use, text = advise(learned.comparisons, "my.gate")
    assert use in ("learned", "level", "either")
    assert "rt-gate --" in text


def test_the_card_says_where_it_comes_from(lesson):
    learned, _, gate = lesson
    card = card_of(gate.card, "mine", learned.rule, {"from": "ears"}, [])
    assert card.trained_on == ("your own recordings", "nothing at all")
    assert card.threshold("open") == 0.5
    again = card_of(card, "mine", learned.rule, {}, [])
    assert again.trained_on == card.trained_on


def test_sides_that_sound_alike_are_refused(sounds, learnable_model):
    from realtime.learn.gate_file import read_gate

    one, two = (sounds.side(n, [sounds.claps(6, 20 * k + i) for i in range(4)])
                for k, n in enumerate(("open", "closed")))  # fmt: skip
    with pytest.raises(AudioError, match="sound alike"):
        learn(one, two, read_gate(learnable_model), 1, sizes=sounds.few)


def test_one_file_a_side(sounds, learnable_model):
    from realtime.learn.gate_file import read_gate

    one = sounds.side("open", [sounds.beeps(30, 440, 1)])
    two = sounds.side("closed", [sounds.claps(30, 2)])
    learned = learn(one, two, read_gate(learnable_model), 1, sizes=sounds.few)
    assert learned.held == {"open": "time", "closed": "time"}
    assert learned.apart > 0.65


def test_alignment(lesson):
    _, _, gate = lesson
    hops = np.zeros((1, 6), bool)
    hops[0, 3] = True
    assert ahead_of(gate.card) == [0, 1, 2]
    # decision 2 has heard what is before hop 3: its first score speaks of that instant
    np.testing.assert_array_equal(
        np.argwhere(aligned(hops, gate.card)[0]), [[2, 0], [3, 1], [4, 2]]
    )


@pytest.fixture(scope="module")
def mine(lesson, tmp_path_factory):
    """The learned gate as a file that was read again."""
    from realtime.learn.gate_file import read_gate, write_gate

    learned, _, gate = lesson
    path = tmp_path_factory.mktemp("gates") / "mine.gate"
    card = card_of(gate.card, "mine", learned.rule, {}, [])
    path.write_bytes(write_gate(gate, learned.head, card, learned.memory))
    return read_gate(path)


def test_a_mistake_is_unlearned_and_nothing_forgotten(mine, sounds):
    hum = sounds.side("closed", [sounds.beeps(6, 1900 + 80 * i, 30 + i) for i in range(4)])
    more = learn_more({"closed": hum}, mine, 1, sizes=sounds.few)
    before, after = more.new
    assert after.false_open_s_per_min < 0.5 * before.false_open_s_per_min + 0.3
    assert more.old[1].right_pct > more.old[0].right_pct - 3
    assert more.memory.lessons == 2
    assert more.memory.digests["closed"] == mine.memory.digests["closed"] + [
        c.digest for c in hum.clips
    ]
    told = summary_more(more)
    assert told["old_examples"]["worse"] == more.worse
    assert "right in" in told["advice"] or "did not help" in told["advice"]


def test_more_to_open_for(mine, sounds):
    high = sounds.side("open", [sounds.beeps(6, 2500 + 90 * i, 50 + i) for i in range(4)])
    more = learn_more({"open": high}, mine, 1, sizes=sounds.few)
    assert more.new[1].target_lost_pct < more.new[0].target_lost_pct
    assert more.new[1].missed <= more.new[0].missed


def test_the_old_mistake_cannot_be_its_own_opposite(mine, opens):
    with pytest.raises(AudioError, match=r"learned open1\.wav as --open"):
        learn_more({"closed": type(opens)("closed", [opens.clips[1]])}, mine, 1)


def test_a_gate_without_memory(gate, closeds):
    with pytest.raises(CardError, match="remembers no examples"):
        learn_more({"closed": closeds}, gate, 1)
