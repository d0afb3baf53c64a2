"""`Head`: the part of a gate that is learned here, and how it is trained.

Used by `realtime.learn.lesson`. A hidden layer and a score for each look-ahead over the
embedding, exactly the head of `models.gate.GateNetwork`; the gradients are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from realtime.learn.judging import ONSET_WEIGHT

Floats = NDArray[np.float32]
Labels = NDArray[np.bool_]

BATCH: Final = 512  # hops in a step
RATE: Final = 2e-3  # of the first steps; it falls along a half cosine
WARM_UP: Final = 50  # steps in which it rises
DECAY: Final = 0.2  # of the matrices, relative to the rate
DROP: Final = 0.2  # of the embedding's values, and of the hidden layer's
EPOCHS: Final = 8
LEAST_SPREAD: Final = 1e-2  # a value of the embedding that never changes is not blown up


class Head(msgspec.Struct):
    """Weights, as PyTorch lays them out.

    Attributes:
        hidden_weight: float32 [hidden, embedding].
        hidden_bias: float32 [hidden].
        score_weight: float32 [scores, hidden].
        score_bias: float32 [scores].
    """

    hidden_weight: Floats
    hidden_bias: Floats
    score_weight: Floats
    score_bias: Floats

    def logits(self, embedding: Floats) -> Floats:
        """Float32 [hops, embedding] to [hops, scores]."""
        hidden = np.maximum(embedding @ self.hidden_weight.T + self.hidden_bias, 0.0)
        out: Floats = hidden @ self.score_weight.T + self.score_bias
        return out

    def scores(self, embedding: Floats) -> Floats:
        """Float32 [hops, embedding] to p(open) [hops, scores]."""
        return sigmoid(self.logits(embedding))


class Lessons(msgspec.Struct):
    """Hops to learn from, or to judge by.

    Attributes:
        embedding: float32 [hops, embedding].
        label: bool [hops, scores], whether the gate should be open.
        onset: bool [hops, scores], whether that is the beginning of an opening.
        share: float32 [hops], how much a hop counts beside those of its class.
    """

    embedding: Floats
    label: Labels
    onset: Labels
    share: Floats

    @property
    def weight(self) -> Floats:
        """How much each hop matters, float32 [hops, scores], 1 in the mean.

        Beginnings count for more, and what should be open as much as what should not.
        """
        weight = np.where(self.onset, np.float32(ONSET_WEIGHT), np.float32(1.0))
        weight = weight * self.share[:, None]
        for wanted in (self.label, ~self.label):
            total = (weight * wanted).sum(axis=0)
            weight *= np.where(wanted, 0.5 * len(weight) / np.maximum(total, 1e-9), 1.0)
        return weight.astype(np.float32)


def together(one: Lessons, other: Lessons) -> Lessons:
    """The hops of both."""
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    return Lessons(*(np.concatenate(pair) for pair in pairs))


def loss(lessons: Lessons, weight: Floats, logits: Floats) -> float:
    """Mean cross-entropy."""
    each = np.logaddexp(0.0, logits) - lessons.label * logits
    return float((weight * each).sum() / weight.sum())


class Adam:
    """Adam with decoupled decay of the weights.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1;
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), algorithm 2.

    Args:
        weights: float32 arrays, changed in place.
        decay: decay of the matrices, relative to the rate of each step; biases do not decay.
    """

    def __init__(self, weights: list[Floats], decay: float) -> None:
        self.weights = weights
        self._decay = decay
        self._first = [np.zeros_like(w) for w in weights]
        self._second = [np.zeros_like(w) for w in weights]
        self._steps = 0

    def step(self, gradients: list[Floats], rate: float) -> None:
        """One step down these gradients."""
        self._steps += 1
        one = 1.0 - 0.9**self._steps
        two = 1.0 - 0.999**self._steps
        for w, g, m, v in zip(self.weights, gradients, self._first, self._second, strict=True):
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            if w.ndim > 1:
                w -= np.float32(rate * self._decay) * w
            w -= np.float32(rate / one) * m / (np.sqrt(v / np.float32(two)) + np.float32(1e-8))


def fit_head(
    lessons: Lessons,
    validation: Lessons,
    hidden: int,
    seed: int,
    start: Head | None = None,
    epochs: int = EPOCHS,
    done: Callable[[], None] | None = None,
) -> Head:
    """Train a head; the epoch with the least loss on the validation part is kept.

    Args:
        lessons: what is learned.
        validation: what chooses the epoch.
        hidden: size of the hidden layer.
        seed: of the first weights, the order and the dropped values.
        start: weights to go on from.
        epochs: times that every hop is seen.
        done: called after each epoch.
    """
    rng = np.random.default_rng(seed)
    mean = lessons.embedding.mean(axis=0)
    spread = lessons.embedding.std(axis=0) + np.float32(LEAST_SPREAD)
    x = (lessons.embedding - mean) / spread
    seen = (validation.embedding - mean) / spread
    w = _first(x.shape[1], hidden, lessons.label.shape[1], rng)
    if start is not None:
        bias = start.hidden_bias + start.hidden_weight @ mean
        w = [(start.hidden_weight * spread).T, bias, start.score_weight.T, start.score_bias]
    w = [np.array(a, np.float32) for a in w]
    adam = Adam(w, DECAY)
    batch = min(BATCH, len(x))
    steps, step = epochs * (len(x) // batch), 0
    weight, judged = lessons.weight, validation.weight
    kept, least = [a.copy() for a in w], loss(validation, judged, _forward(seen, w))
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for begin in range(0, len(x) - batch + 1, batch):
            rows = order[begin : begin + batch]
            gradients = _gradients(x[rows], lessons.label[rows], weight[rows], w, rng)
            fall = 0.5 * (1.0 + np.cos(np.pi * step / steps))
            adam.step(gradients, RATE * float(fall) * min(1.0, (step + 1) / WARM_UP))
            step += 1
        now = loss(validation, judged, _forward(seen, w))
        if now < least:
            kept, least = [a.copy() for a in w], now
        if done is not None:
            done()
    # the scaling of the embedding goes into the weights
    scaled = kept[0].T / spread
    return Head(scaled, kept[1] - scaled @ mean, kept[2].T.copy(), kept[3])


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x), which never overflows."""
    e = np.exp(-np.abs(x))
    out: Floats = np.where(x >= 0, np.float32(1), e) / (1 + e)
    return out


def _first(size: int, hidden: int, scores: int, rng: np.random.Generator) -> list[Floats]:
    """Weights to begin with. Source: He et al., "Delving Deep into Rectifiers" (2015)."""
    return [
        rng.normal(0.0, np.sqrt(2.0 / size), (size, hidden)).astype(np.float32),
        np.zeros(hidden, np.float32),
        rng.normal(0.0, np.sqrt(1.0 / hidden), (hidden, scores)).astype(np.float32),
        np.zeros(scores, np.float32),
    ]


def _forward(x: Floats, w: list[Floats]) -> Floats:
    out: Floats = np.maximum(x @ w[0] + w[1], 0.0) @ w[2] + w[3]
    return out


def _gradients(
    x: Floats, label: Labels, weight: Floats, w: list[Floats], rng: np.random.Generator
) -> list[Floats]:
    """Of the mean weighted cross-entropy, some values dropped: Srivastava et al. (2014)."""
    x = x * _kept(x.shape, rng)
    before = x @ w[0] + w[1]
    through: Floats = (before > 0) * _kept(before.shape, rng)
    hidden: Floats = before * through
    logits = hidden @ w[2] + w[3]
    out = weight * (sigmoid(logits) - label) / np.float32(len(x))
    back = (out @ w[2].T) * through
    return [x.T @ back, back.sum(axis=0), hidden.T @ out, out.sum(axis=0)]


def _kept(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    kept = rng.random(shape, dtype=np.float32) >= np.float32(DROP)
    out: Floats = np.where(kept, np.float32(1.0 / (1.0 - DROP)), np.float32(0.0))
    return out
