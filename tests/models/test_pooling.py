"""Pooling functions against cases worked by hand, and instants found in time."""

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from models import build  # noqa: E402
from models.pooling import InstanceHead, Pooling, pooled  # noqa: E402

KINDS = ("max", "average", "linear", "exponential", "attention")
Y = torch.tensor([[[0.2], [0.6]]])  # two instants, one label
EXPONENTIAL = (0.2 * math.exp(0.2) + 0.6 * math.exp(0.6)) / (math.exp(0.2) + math.exp(0.6))


@pytest.mark.parametrize(("kind", "want"), [
    ("max", 0.6), ("average", 0.4), ("linear", 0.4 / 0.8), ("exponential", EXPONENTIAL),
])  # fmt: skip
def test_by_hand(kind: Pooling, want: float) -> None:
    assert float(pooled(Y, kind)) == pytest.approx(want)


def test_attention_by_hand() -> None:
    weights = torch.tensor([[[0.25], [0.75]]])
    assert float(pooled(Y, "attention", weights)) == pytest.approx(0.25 * 0.2 + 0.75 * 0.6)
    with pytest.raises(ValueError, match="weights"):
        pooled(Y, "attention")


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_between_its_instants(kind: Pooling) -> None:
    torch.manual_seed(1)
    head = InstanceHead(6, 4, kind)
    x = torch.randn(3, 9, 6)
    y, clip = head.instants(x), head(x).sigmoid()
    assert (clip <= y.amax(1) + 1e-6).all()
    assert (clip >= y.amin(1) - 1e-6).all()
    # one instant is its own clip
    assert torch.allclose(head(x[:, :1]).sigmoid(), y[:, 0], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_surest_scores_still_have_a_slope(kind: Pooling) -> None:
    head = InstanceHead(1, 1, kind)
    with torch.no_grad():
        head.scores.weight.fill_(1.0)
        head.scores.bias.zero_()
    x = torch.tensor([[[12.0], [11.0]]], requires_grad=True)
    head(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.any()


def test_a_clip_learned_whole_is_found_in_time() -> None:
    """Clips labelled as a whole; then the instants say where the sound was."""
    torch.manual_seed(2)
    network = build(
        {"network": "mil-dense", "mels": 8, "width": 16, "layers": 1, "pooling": "linear"}, 1
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    g = torch.Generator().manual_seed(3)

    def clips(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = 0.3 * torch.randn(n, 1, 10, 8, generator=g)
        at = torch.randint(0, 20, (n,), generator=g)  # half of them nowhere
        for i, k in enumerate(at.tolist()):
            if k < 10:
                x[i, 0, k, 2:5] += 2.0
        return x, at

    for _ in range(80):
        x, at = clips(32)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(x)[:, 0], (at < 10).float()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, at = clips(200)
    with torch.no_grad():
        found = network.instants(x)[:, :, 0].argmax(1)
    there = at < 10
    assert (found[there] == at[there]).float().mean() > 0.9
