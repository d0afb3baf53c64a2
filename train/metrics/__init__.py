"""Figures. Pure functions on arrays; no model, no audio.

`counts` has shares and rates with their uncertainty, `ranking` what scores are worth at any
threshold, `thresholds` F1 and where it is best, `calibration` whether scores are
probabilities, `families` labels taken together.
"""

from train.metrics.calibration import (
    calibration_error,
    decisions,
    find_temperature,
    reliability,
    scaled,
)
from train.metrics.counts import confusion, poisson_upper, quantiles, wilson
from train.metrics.ranking import (
    average_precision,
    d_prime,
    lwlrap,
    mean_of,
    per_label,
    precision_recall,
    roc_auc,
    roc_curve,
)
from train.metrics.thresholds import choose_thresholds, f1_scores

__all__ = [
    "average_precision",
    "calibration_error",
    "choose_thresholds",
    "confusion",
    "d_prime",
    "decisions",
    "f1_scores",
    "find_temperature",
    "lwlrap",
    "mean_of",
    "per_label",
    "poisson_upper",
    "precision_recall",
    "quantiles",
    "reliability",
    "roc_auc",
    "roc_curve",
    "scaled",
    "wilson",
]
