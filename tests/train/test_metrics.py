"""Figures against values worked out elsewhere: scikit-learn, torchmetrics, or by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train import metrics
from train.datasets.ontology import Node, Ontology
from train.metrics import confusion, poisson_upper, quantiles, wilson
from train.metrics.families import by_family, families_of


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    """Scores of 400 clips and 6 labels, better than chance, with ties; 0 to 3 labels a clip."""
    rng = np.random.default_rng(4)
    truth = rng.random((400, 6)) < (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
    scores = 1 / (1 + np.exp(-(rng.normal(0, 1, truth.shape) + 1.5 * truth - 1)))
    scores[:, 2] = np.round(scores[:, 2], 1)
    return scores.astype(np.float32), truth


@pytest.mark.parametrize(
    ("events", "bound"), [(0, 2.996), (1, 4.744), (5, 10.513), (20, 29.062)]
)
def test_poisson_bound(events: int, bound: float) -> None:
    # one-sided 95 % bounds: half the 0.95 quantile of chi-squared with 2 (n + 1) degrees
    assert poisson_upper(events) == pytest.approx(bound, abs=2e-3)


def test_wilson_interval() -> None:
    assert wilson(81, 263) == pytest.approx(
        (0.2553, 0.3662), abs=5e-4
    )  # Newcombe 1998, table I
    assert wilson(0, 20)[0] == 0.0
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500), st.data())
def test_the_interval_holds_the_share(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = wilson(hits, n)
    assert 0.0 <= low <= hits / n <= high <= 1.0


def test_confusion_counts_every_clip() -> None:
    table = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]), 3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_no_values_give_no_quantile() -> None:
    assert np.isnan(quantiles([])).all()
    assert quantiles([1.0, 2.0, 3.0]) == pytest.approx([2.0, 2.9])


def test_rankings_are_those_of_scikit_learn(scored: tuple[np.ndarray, np.ndarray]) -> None:
    theirs = pytest.importorskip("sklearn.metrics", reason="needs the train extra")
    scores, truth = scored
    ap, auc = metrics.per_label(scores, truth)
    assert ap == pytest.approx(theirs.average_precision_score(truth, scores, average=None))
    assert auc == pytest.approx(theirs.roc_auc_score(truth, scores, average=None))
    some = truth.any(1)
    weighted = theirs.label_ranking_average_precision_score(
        truth[some], scores[some], sample_weight=truth[some].sum(1)
    )
    assert metrics.lwlrap(scores, truth) == pytest.approx(weighted)
    false, true = metrics.roc_curve(scores[:, 2], truth[:, 2])
    x, y, _ = theirs.roc_curve(truth[:, 2], scores[:, 2], drop_intermediate=False)
    assert np.allclose(false, x)
    assert np.allclose(true, y)
    precision, recall = metrics.precision_recall(scores[:, 2], truth[:, 2])
    p, r, _ = theirs.precision_recall_curve(truth[:, 2], scores[:, 2])
    assert np.allclose(precision[::-1], p[:-1])
    assert np.allclose(recall[::-1], r[:-1])


def test_f1_is_that_of_scikit_learn(scored: tuple[np.ndarray, np.ndarray]) -> None:
    theirs = pytest.importorskip("sklearn.metrics", reason="needs the train extra")
    scores, truth = scored
    said = scores >= 0.5
    assert metrics.f1_scores(said, truth) == pytest.approx(
        [theirs.f1_score(truth, said, average=a) for a in ("micro", "macro")]
    )


def test_calibration_is_that_of_torchmetrics(scored: tuple[np.ndarray, np.ndarray]) -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra")
    theirs = pytest.importorskip(
        "torchmetrics.functional.classification", reason="of the tests"
    )
    scores, truth = scored
    said = metrics.calibration_error(*metrics.decisions(scores, truth, exclusive=False))
    flat = torch.from_numpy(scores).reshape(-1), torch.from_numpy(truth).reshape(-1).int()
    assert said == pytest.approx(float(theirs.binary_calibration_error(*flat, 15)), abs=1e-6)

    shares = scores / scores.sum(1, keepdims=True)
    one = np.eye(6, dtype=bool)[truth.argmax(1)]
    said = metrics.calibration_error(*metrics.decisions(shares, one, exclusive=True))
    wanted = theirs.multiclass_calibration_error(
        torch.from_numpy(shares), torch.from_numpy(truth.argmax(1)), 6, 15
    )
    assert said == pytest.approx(float(wanted), abs=1e-6)


def test_a_hand_worked_ranking() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.3, 0.2, 0.7]], np.float32)
    truth = np.array([[True, False, True], [False, False, True]])
    # first clip: 1/1 for the first label, 2/3 for the third; second clip 1/1
    assert metrics.lwlrap(scores, truth) == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert metrics.average_precision(scores[0], truth[0]) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.d_prime(0.5) == pytest.approx(0.0)
    # sqrt(2) times the normal quantile of 0.9, which tables give as 1.2816
    assert metrics.d_prime(0.9) == pytest.approx(1.8124, abs=1e-4)
    assert metrics.d_prime(1.0) == math.inf


def test_a_label_without_clips_is_in_no_mean() -> None:
    scores = np.array([[0.9, 0.8], [0.3, 0.2]], np.float32)
    truth = np.array([[True, False], [False, False]])
    ap, auc = metrics.per_label(scores, truth)
    assert np.isnan(ap[1])
    assert np.isnan(auc[1])
    assert metrics.mean_of(ap) == 1.0


def test_no_single_threshold_is_better_than_the_chosen(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, truth = scored
    begin = np.full(6, 0.5)
    chosen = metrics.choose_thresholds(scores, truth, begin)
    best = metrics.f1_scores(scores >= chosen, truth)[0]
    assert best > metrics.f1_scores(scores >= begin, truth)[0] + 0.01
    for i in range(6):
        for x in np.linspace(0.0, 1.0, 101):
            tried = chosen.copy()
            tried[i] = x
            assert metrics.f1_scores(scores >= tried, truth)[0] <= best + 1e-9


def test_hand_worked_thresholds() -> None:
    scores = np.array([[0.9, 0.3], [0.6, 0.2], [0.5, 0.1], [0.2, 0.6]], np.float32)
    truth = np.array([[1, 1], [1, 0], [0, 0], [0, 0]], bool)
    # between 0.6 and 0.5 the first label has no fault. The second is best over 0.6: said
    # down to 0.3 it is one hit and one mistake, 6 / 7; unsaid a miss, 4 / 5
    assert metrics.choose_thresholds(scores, truth, np.full(2, 0.5)) == pytest.approx(
        [0.55, 0.25]
    )
    never = np.array([[0.9, 0.3], [0.6, 0.2], [0.5, 0.6], [0.2, 0.8]], np.float32)
    again = metrics.choose_thresholds(never, truth, np.full(2, 0.5))
    assert again == pytest.approx([0.55, 0.9])  # over the highest score: better not said


@pytest.mark.parametrize("softmax", [True, False])
def test_the_temperature_that_was_put_in_is_found(softmax: bool) -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(0, 2, (4000, 5))
    if softmax:
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        truth = np.eye(5, dtype=bool)[[rng.choice(5, p=row) for row in p]]
        sharp = np.exp(3 * z) / np.exp(3 * z).sum(1, keepdims=True)
    else:
        p = 1 / (1 + np.exp(-z))
        truth = rng.random(z.shape) < p
        sharp = 1 / (1 + np.exp(-3 * z))
    sharp = sharp.astype(np.float32)
    t = metrics.find_temperature(sharp, truth, softmax)
    assert t == pytest.approx(3.0, rel=0.1)
    mended = metrics.scaled(sharp, t, softmax)
    before, after = (
        metrics.calibration_error(*metrics.decisions(s, truth, softmax))
        for s in (sharp, mended)
    )
    assert after < 0.03 < before
    assert (mended.argmax(1) == sharp.argmax(1)).mean() > 0.999
    assert metrics.scaled(sharp, 1.0, softmax) == pytest.approx(sharp, abs=1e-5)


def test_families() -> None:
    ontology = Ontology(
        [
            Node("/a", "Animal", ("/b", "/c")), Node("/b", "Dog"),
            Node("/c", "Chirp, tweet"), Node("/m", "Music", ("/p",)), Node("/p", "Piano"),
        ]
    )  # fmt: skip
    labels = ["dog", "Chirp_and_tweet", "piano", "/m", "nothing of theirs"]
    families = families_of(labels, ontology)
    assert families == {"Animal": [0, 1], "Music": [2, 3]}
    scores = np.array([[0.1, 0.7, 0.2, 0.3, 0.9]], np.float32)
    truth = np.array([[True, False, False, False, True]])
    best, has = by_family(scores, truth, families)
    assert best == pytest.approx(np.array([[0.7, 0.3]]))
    assert has.tolist() == [[True, False]]
