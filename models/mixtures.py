"""GMM: a mixture of Gaussians over frames for each label, the classic of scene classification.

Reynolds, Rose, "Robust Text-Independent Speaker Identification Using Gaussian Mixture Speaker
Models" (1995). Each label has its own mixture of MFCC frames with their slopes; a clip's
score is the sum of its frames' log likelihoods. Mixtures are fitted by scikit-learn before the
first step (`begin`); steps of training, if any, then tell labels apart better.

    input 98 x 23 with slopes twice, 15 labels of 16 components: 33,360 parameters, 3.3 M MACs
"""

from __future__ import annotations

import math

import msgspec
import torch
from torch import Tensor, nn

from realtime.errors import MissingExtra

LEAST = 1e-3  # of a variance, in units of the frames' own
MOST = 20_000  # frames that a mixture is fitted to


class MixturesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of a GMM classifier.

    Args:
        labels: scores.
        mels: values in a frame.
        deltas: 1 adds each value's slope over five frames, 2 the slope of that too.
        components: Gaussians of a label.
        seed: of the fit.
    """

    labels: int
    mels: int = 23
    deltas: int = 2
    components: int = 16
    seed: int = 1


class Gaussians(nn.Module):
    """Mixtures with diagonal covariances: log likelihoods of frames."""

    def __init__(self, mixtures: int, components: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(mixtures, components))
        self.mean = nn.Parameter(torch.randn(mixtures, components, size))
        self.spread = nn.Parameter(torch.zeros(mixtures, components, size))  # ln of deviation

    def forward(self, x: Tensor) -> Tensor:
        """[batch, frames, size] to ln(weight x density), [batch, frames, mixtures, components].

        Expanded into products of matrices, so that nothing of all four axes and the size is
        ever made.
        """
        precision = torch.exp(-2.0 * self.spread)
        constant = (
            self.weight.log_softmax(1)
            - self.spread.sum(2)
            - 0.5 * (self.mean.square() * precision).sum(2)
            - 0.5 * math.log(2 * math.pi) * x.shape[2]
        )
        linear = torch.einsum("btd,mkd->btmk", x, self.mean * precision)
        return constant + linear - 0.5 * torch.einsum("btd,mkd->btmk", x.square(), precision)

    @torch.no_grad()
    def fit(self, mixture: int, frames: Tensor, seed: int) -> None:
        """Fit one mixture to frames [n, size] by expectation and maximisation.

        Raises:
            MissingExtra: scikit-learn is not installed.
        """
        try:
            from sklearn.mixture import GaussianMixture
        except ModuleNotFoundError as e:
            raise MissingExtra(
                f"fitting mixtures needs {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
            ) from e
        picks = torch.randperm(len(frames), generator=torch.Generator().manual_seed(seed))
        model = GaussianMixture(
            min(self.mean.shape[1], len(frames)), covariance_type="diag", reg_covar=LEAST,
            random_state=seed, max_iter=50, tol=1e-2,
        )  # fmt: skip
        model.fit(frames[picks[:MOST]].double().cpu().numpy())
        n = model.weights_.shape[0]
        self.weight[mixture] = -30.0  # components that too few frames leave empty
        self.weight[mixture, :n] = torch.from_numpy(model.weights_).log().to(self.weight)
        self.mean[mixture, :n] = torch.from_numpy(model.means_).to(self.mean)
        self.spread[mixture, :n] = 0.5 * torch.from_numpy(model.covariances_).log().to(
            self.mean
        )


class Mixtures(nn.Module):
    """The classifier. Logits for a window of any length."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: MixturesConfig) -> None:
        super().__init__()
        self.config = config
        size = config.mels * (1 + config.deltas)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.gaussians = Gaussians(config.labels, config.components, size)

    def frames(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to standardised frames with slopes, [batch, time, size]."""
        return (with_deltas(x[:, 0], self.config.deltas) - self.mean) * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        logits: Tensor = self.gaussians(self.frames(x)).logsumexp(3).sum(1)
        return logits

    @torch.no_grad()
    def begin(self, x: Tensor, targets: Tensor) -> None:
        """Fit the mixtures to whole clips.

        Args:
            x: float32 [clips, 1, time, mel].
            targets: int64 [clips]; negative ones are left out.
        """
        self.mean, self.scale = standard(with_deltas(x[:, 0], self.config.deltas))
        frames = self.frames(x)
        for label in range(self.config.labels):
            mine = frames[targets == label].flatten(0, 1)
            if len(mine):
                self.gaussians.fit(label, mine, self.config.seed + label)


def with_deltas(x: Tensor, orders: int) -> Tensor:
    """Frames with their slopes: [batch, time, size] to [batch, time, size x (1 + orders)].

    The slope is the regression over two frames before and after (HTK Book 3.4, section 5.9).
    """
    parts = [x]
    for _ in range(orders):
        y = nn.functional.pad(parts[-1].transpose(1, 2), (2, 2), mode="replicate")
        slope = (2.0 * (y[..., 4:] - y[..., :-4]) + y[..., 3:-1] - y[..., 1:-3]) / 10.0
        parts.append(slope.transpose(1, 2))
    return torch.cat(parts, 2)


def standard(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of every value over frames [batch, time, size], and one over its deviation."""
    flat = frames.flatten(0, 1)
    return flat.mean(0), 1.0 / flat.std(0).clamp_min(1e-6)
