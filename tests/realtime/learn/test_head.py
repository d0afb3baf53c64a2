"""The head and Adam, against numerical gradients and PyTorch."""

import numpy as np
import pytest

from realtime.learn import head as module
from realtime.learn.head import Adam, Head, Lessons, fit_head, loss, sigmoid, together


def lessons(count=600, seed=0, size=6):
    """Open where two of six values are large together: no line parts them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, size)).astype(np.float32)
    label = np.repeat((x[:, :1] * x[:, 1:2] > 0), 3, axis=1)
    onset = np.zeros_like(label)
    return Lessons(x, label, onset, np.ones(count, np.float32))


def test_adam_is_pytorch_s_adamw():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = [rng.normal(size=s).astype(np.float32) for s in ((5, 4), (4,), (4, 3), (3,))]
    mine = [w.copy() for w in start]
    theirs = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    groups = [
        {"params": [p for p in theirs if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in theirs if p.ndim == 1], "weight_decay": 0.0},
    ]
    adam, witness = Adam(mine, decay=0.1), torch.optim.AdamW(groups, lr=1e-2)
    for _ in range(30):
        gradients = [rng.normal(size=w.shape).astype(np.float32) for w in start]
        adam.step(gradients, 1e-2)
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = torch.tensor(g)
        witness.step()
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-4, atol=2e-6)


def test_gradients_are_those_of_the_loss(monkeypatch):
    monkeypatch.setattr(module, "DROP", 0.0)
    data = lessons(40)
    data.embedding, weight = data.embedding.astype(float), data.weight.astype(float)
    rng = np.random.default_rng(1)
    w = [rng.normal(size=s).astype(np.float64) for s in ((6, 5), (5,), (5, 3), (3,))]

    def value():
        return loss(data, weight, module._forward(data.embedding, w)) * weight.sum() / 40

    exact = module._gradients(data.embedding, data.label, weight, w, rng)
    for array, gradient in zip(w, exact, strict=True):
        for place in list(np.ndindex(array.shape))[::3]:
            kept = array[place]
            array[place] = kept + 1e-5
            up = value()
            array[place] = kept - 1e-5
            down = value()
            array[place] = kept
            assert gradient[place] == pytest.approx((up - down) / 2e-5, rel=1e-3, abs=1e-5)


def test_it_learns_what_no_line_parts():
    taught, chose, fresh = lessons(20000), lessons(400, 1), lessons(2000, 2)
    head = fit_head(taught, chose, 16, seed=0, epochs=20)
    right = (head.logits(fresh.embedding) > 0) == fresh.label
    assert right.mean() > 0.85


def test_the_same_seed_gives_the_same_head():
    one, two = (fit_head(lessons(), lessons(200, 1), 8, seed=3, epochs=2) for _ in range(2))
    other = fit_head(lessons(), lessons(200, 1), 8, seed=4, epochs=2)
    np.testing.assert_array_equal(one.hidden_weight, two.hidden_weight)
    assert not np.array_equal(one.hidden_weight, other.hidden_weight)


def test_going_on_from_a_head_is_never_worse_on_validation():
    taught, chose = lessons(3000), lessons(500, 1)
    first = fit_head(taught, chose, 16, seed=0, epochs=15)
    again = fit_head(lessons(50, 9), chose, 16, seed=1, start=first, epochs=1)
    before = loss(chose, chose.weight, first.logits(chose.embedding))
    after = loss(chose, chose.weight, again.logits(chose.embedding))
    assert after <= before + 1e-5


def test_few_hops_and_values_that_never_change():
    few = lessons(20)
    few.embedding[:, 3] = 7.0
    head = fit_head(few, few, 4, seed=0, epochs=3)
    assert np.isfinite(head.logits(few.embedding)).all()


def test_beginnings_and_the_rarer_side_count_for_more():
    data = lessons(10)
    data.label[:] = False
    data.label[:2] = True
    data.onset[0] = True
    weight = data.weight
    assert weight[:2].sum() == pytest.approx(weight[2:].sum())
    assert weight[0, 0] == pytest.approx(5 * weight[1, 0])
    assert weight.mean() == pytest.approx(1.0)


def test_one_side_alone_has_weights():
    data = lessons(10)
    data.label[:] = False
    assert np.isfinite(data.weight).all()


def test_together():
    both = together(lessons(10), lessons(5, 1))
    assert len(both.embedding) == len(both.share) == 15


def test_sigmoid_does_not_overflow():
    found = sigmoid(np.array([-1e4, -1.0, 0.0, 1.0, 1e4], np.float32))
    np.testing.assert_allclose(found, [0, 0.26894143, 0.5, 0.73105857, 1], rtol=1e-6)


def test_scores_are_shaped_like_hops():
    rng = np.random.default_rng(0)
    head = Head(
        rng.normal(size=(4, 6)).astype(np.float32), np.zeros(4, np.float32),
        rng.normal(size=(3, 4)).astype(np.float32), np.zeros(3, np.float32),
    )  # fmt: skip
    assert head.scores(np.zeros((2, 5, 6), np.float32)).shape == (2, 5, 3)
