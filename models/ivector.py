"""i-vectors: a clip as a point in a space of how clips differ, then discriminant analysis.

Dehak, Kenny, Dehak, Dumouchel, Ouellet, "Front-End Factor Analysis for Speaker Verification"
(2011); for scenes Elizalde, Lei, Friedland, "An i-Vector Representation of Acoustic
Environments" (2013). A mixture over all frames (the universal background model) says how many
frames each Gaussian takes and how far they lie from its mean; the i-vector is the point that
explains those best through a matrix learned by expectation and maximisation. The scores are
those of linear discriminant analysis on i-vectors of length 1. All of it is fitted before the
first step (`begin`).

    input 98 x 23 with slopes twice, 15 labels, 256 components, 400 dimensions:
    7,107,199 parameters, 2.9 G MACs
"""

from __future__ import annotations

import math

import msgspec
import torch
from torch import Tensor, nn

from models.mixtures import Gaussians, standard, with_deltas
from realtime.errors import MissingExtra, UsageError


class IVectorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape of an i-vector classifier.

    Args:
        labels: scores.
        mels: values in a frame.
        deltas: 1 adds each value's slope over five frames, 2 the slope of that too.
        components: Gaussians of the background model.
        size: dimensions of an i-vector.
        rounds: of expectation and maximisation.
        seed: of the fit.
    """

    labels: int
    mels: int = 23
    deltas: int = 2
    components: int = 256
    size: int = 400
    rounds: int = 5
    seed: int = 1


class IVector(nn.Module):
    """The classifier. Logits for a window of any length."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: IVectorConfig) -> None:
        super().__init__()
        self.config = config
        size = config.mels * (1 + config.deltas)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.background = Gaussians(1, config.components, size)
        # in units of each Gaussian's deviation
        self.total = nn.Parameter(0.1 * torch.randn(config.components, size, config.size))
        self.scores = nn.Linear(config.size, config.labels)

    def counts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What a clip gives to each Gaussian.

        Args:
            x: float32 [batch, 1, time, mel].

        Returns:
            Frames [batch, components], and the sum of their distances from the mean in
            deviations [batch, components, values].
        """
        frames = (with_deltas(x[:, 0], self.config.deltas) - self.mean) * self.scale
        share = self.background(frames)[:, :, 0].softmax(2)
        count = share.sum(1)
        first = torch.einsum("btk,btd->bkd", share, frames)
        first = first - count[..., None] * self.background.mean[0]
        return count, first * torch.exp(-self.background.spread[0])

    def points(self, count: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """i-vectors [batch, size], and their precisions [batch, size, size]."""
        inner = torch.einsum("kdr,kds->krs", self.total, self.total)
        precision = torch.einsum("bk,krs->brs", count, inner)
        precision = precision + torch.eye(self.config.size, device=count.device)
        right = torch.einsum("kdr,bkd->br", self.total, first)
        return torch.linalg.solve(precision, right[..., None])[..., 0], precision

    def embed(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to i-vectors of length 1 [batch, size]."""
        return nn.functional.normalize(self.points(*self.counts(x))[0], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 1, time, mel] to logits [batch, labels]."""
        logits: Tensor = self.scores(self.embed(x) * math.sqrt(self.config.size))
        return logits

    @torch.no_grad()
    def begin(self, x: Tensor, targets: Tensor) -> None:
        """Fit background model, matrix and discriminant analysis to whole clips.

        Args:
            x: float32 [clips, 1, time, mel].
            targets: int64 [clips]; negative ones are left out of the analysis.

        Raises:
            MissingExtra: scikit-learn is not installed.
            UsageError: under two labels.
        """
        try:
            from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        except ModuleNotFoundError as e:
            raise MissingExtra(
                f"fitting i-vectors needs {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
            ) from e
        known = sorted(set(targets[targets >= 0].tolist()))
        if len(known) < 2:
            raise UsageError(
                f"clips of {len(known)} labels", "i-vectors tell two or more apart"
            )
        raw = with_deltas(x[:, 0], self.config.deltas)
        self.mean, self.scale = standard(raw)
        frames = ((raw - self.mean) * self.scale).flatten(0, 1)
        self.background.fit(0, frames, self.config.seed)
        parts = [self.counts(clips) for clips in x.split(64)]
        count, first = torch.cat([c for c, _ in parts]), torch.cat([f for _, f in parts])
        generator = torch.Generator().manual_seed(self.config.seed)
        self.total.copy_(0.1 * torch.randn(self.total.shape, generator=generator))
        for _ in range(self.config.rounds):
            self._improve(count, first)
        vectors = nn.functional.normalize(self.points(count, first)[0], dim=1)
        vectors = vectors * math.sqrt(self.config.size)
        labelled = targets >= 0
        # shrunk: there are often fewer clips than dimensions
        analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        analysis.fit(vectors[labelled].double().cpu().numpy(), targets[labelled].cpu().numpy())
        weight, bias = torch.from_numpy(analysis.coef_), torch.from_numpy(analysis.intercept_)
        if len(known) == 2:  # one line between the two
            weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
        self.scores.weight.zero_()
        self.scores.bias.fill_(-30.0)  # labels that no clip has
        self.scores.weight[known] = weight.to(self.scores.weight)
        self.scores.bias[known] = bias.to(self.scores.bias)

    def _improve(self, count: Tensor, first: Tensor) -> None:
        """One round: where the clips lie, then the matrix that explains them best."""
        size = self.config.size
        left = torch.zeros(self.config.components, size, size, device=count.device)
        right = torch.zeros_like(self.total)
        for n, f in zip(count.split(64), first.split(64), strict=True):
            w, precision = self.points(n, f)
            second = torch.linalg.inv(precision) + w[:, :, None] * w[:, None, :]
            left += torch.einsum("bk,brs->krs", n, second)
            right += torch.einsum("bkd,br->kdr", f, w)
        # a Gaussian that no frame falls on keeps a solvable system
        left += 1e-4 * torch.eye(size, device=count.device)
        self.total.copy_(torch.linalg.solve(left, right.transpose(1, 2)).transpose(1, 2))
