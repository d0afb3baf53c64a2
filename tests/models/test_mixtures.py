"""GMM and i-vectors: likelihoods as scikit-learn has them, fits that tell clips apart."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
mixture = pytest.importorskip("sklearn.mixture", reason="needs the train extra")

from models import build  # noqa: E402
from models.mixtures import with_deltas  # noqa: E402
from realtime.errors import UsageError  # noqa: E402

torch.set_num_threads(1)


def clips(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips of three kinds: the same two sounds in turn, more of one, or one with a slant."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    share = np.where(y == 0, 0.5, 0.85)[:, None]
    loud = rng.random((n, 40)) < share
    x = rng.normal(0, 0.5, (n, 40, 4)) + np.where(loud[..., None], 2.0, -2.0)
    x[y == 2, :, :2] += 1.0
    return torch.from_numpy(x[:, None]).float(), torch.from_numpy(y)


@pytest.mark.parametrize("fields", [
    {"network": "gmm", "mels": 4, "deltas": 0, "components": 2},
    {"network": "ivector", "mels": 4, "deltas": 1, "components": 4, "size": 6},
])  # fmt: skip
def test_a_fit_tells_clips_apart(fields: dict[str, object]) -> None:
    x, y = clips(150, 1)
    torch.manual_seed(1)
    network = build(fields, 3).eval()
    network.begin(x, y)
    new, truth = clips(150, 2)
    with torch.no_grad():
        right = (network(new).argmax(1) == truth).float().mean()
    assert right > 0.9
    again = build(fields, 3).eval()
    again.begin(x, y)
    assert torch.allclose(again(new), network(new), atol=1e-3)


def test_likelihoods_are_those_of_scikit_learn() -> None:
    x, y = clips(60, 3)
    network = build({"network": "gmm", "mels": 4, "deltas": 0, "components": 3}, 3)
    network.begin(x, y)
    theirs = mixture.GaussianMixture(3, covariance_type="diag")
    g = network.gaussians
    with torch.no_grad():
        theirs.weights_ = g.weight[1].softmax(0).double().numpy()
        theirs.means_ = g.mean[1].double().numpy()
        theirs.covariances_ = (2 * g.spread[1]).exp().double().numpy()
        theirs.precisions_cholesky_ = 1.0 / np.sqrt(theirs.covariances_)
        want = theirs.score_samples(network.frames(x)[0].double().numpy()).sum()
        assert float(network(x)[0, 1]) == pytest.approx(float(want), rel=1e-4)


def test_an_ivector_is_the_likeliest_point() -> None:
    x, y = clips(60, 4)
    network = build(
        {"network": "ivector", "mels": 4, "deltas": 0, "components": 3, "size": 2}, 3
    )
    network.begin(x, y)
    count, first = network.counts(x[:5])
    assert torch.allclose(count.sum(1), torch.full((5,), 40.0), atol=1e-3)
    w, precision = network.points(count, first)

    def log_posterior(v: torch.Tensor) -> torch.Tensor:
        gain = torch.einsum("bkd,kdr,br->b", first, network.total, v)
        shift = torch.einsum("kdr,br->bkd", network.total, v)
        return (
            gain
            - 0.5 * (count[..., None] * shift.square()).sum((1, 2))
            - 0.5 * v.square().sum(1)
        )

    best = log_posterior(w)
    for seed in range(5):
        step = 0.1 * torch.randn(w.shape, generator=torch.Generator().manual_seed(seed))
        assert (log_posterior(w + step) < best).all()
    assert (torch.linalg.eigvalsh(precision) >= 1.0 - 1e-4).all()


def test_slopes() -> None:
    ramp = torch.arange(10.0)[None, :, None] * torch.tensor([1.0, -3.0])
    y = with_deltas(ramp, 2)
    assert y.shape == (1, 10, 6)
    assert y[0, 5].tolist() == pytest.approx([5.0, -15.0, 1.0, -3.0, 0.0, 0.0], abs=1e-6)


def test_a_label_without_clips_is_never_said() -> None:
    x, y = clips(60, 5)
    y = y.where(y < 2, -1)
    network = build({"network": "ivector", "mels": 4, "components": 2, "size": 3}, 3)
    network.begin(x, y)
    assert set(network(x).argmax(1).tolist()) <= {0, 1}
    with pytest.raises(UsageError, match="clips of 1 labels"):
        network.begin(x[:3], torch.zeros(3, dtype=torch.int64))
