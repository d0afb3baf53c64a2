"""A wider gate begins as the narrower one, and learns with all its weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from models import build  # noqa: E402
from models.grow import grow  # noqa: E402

OLD = {
    "network": "gate",
    "mels": 20,
    "channels": [6, 8],
    "units": [10, 12],
    "head": 5,
    "kinds": 4,
}
WIDE = OLD | {"channels": [9, 8], "units": [13, 20], "head": 24}


def test_scores_stay_and_new_units_learn():
    torch.manual_seed(3)
    old, wide = build(OLD, 3), build(WIDE, 3)
    x = torch.randn(2, 40, 20)
    assert (wide(x)[0] - old(x)[0]).abs().max() > 0.01  # or the next line would prove nothing
    assert grow(wide, old.state_dict())
    embedding = wide.embed(x)[0]
    torch.testing.assert_close(wide(x)[0], old(x)[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        wide.kind(embedding), old.kind(old.embed(x)[0]), rtol=1e-5, atol=1e-5
    )
    wide(x)[0].square().sum().backward()
    assert wide.upper.weight_ih_l0.grad[:12, 10:13].abs().max() > 0  # new below, old above
    assert wide.score.weight.grad[:, 5:].abs().max() > 0


@pytest.mark.parametrize(
    "change", [{"mels": 24}, {"units": [8, 12]}, {"head": 4}, {"kinds": 9}]
)
def test_what_is_not_narrower_does_not_grow(change):
    wide = build(WIDE | change, 3)
    before = {k: v.clone() for k, v in wide.state_dict().items()}
    assert not grow(wide, build(OLD, 3).state_dict())
    assert all(torch.equal(v, before[k]) for k, v in wide.state_dict().items())


def test_another_networks_weights_do_not_grow():
    assert not grow(build(WIDE, 3), {"some.weight": torch.zeros(3)})
