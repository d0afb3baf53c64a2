"""`rt-eval tag`: what a model's scores of labelled clips are worth.

Figures of clips with one label each, and of clips with any number of them; what
`docs/metrics.md` says of each is what is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.errors import CardError, UsageError
from realtime.library import find_model
from realtime.runners import Runner, open_runner
from train import metrics
from train.clip_scores import ClipScores, Over, best_of, score_clips
from train.datasets import folder_of_folders
from train.datasets.folders import SPLITS
from train.datasets.ontology import Ontology
from train.manifest import Row, pick, read_manifest
from train.metrics.families import by_family, families_of


def open_scorer(
    model: str, card: str | None = None, runtime: str | None = None, threads: int = 1
) -> Runner:
    """A Runner for a shipped name, .onnx or .tflite; the torch network for a checkpoint.

    Raises:
        CardError: it is a gate, and names no sounds.
    """
    scorer = _opened(model, card, runtime, threads)
    if scorer.card.task == "gate":
        raise CardError(
            f"model {scorer.card.name} is a gate and names no sounds", f"rt-eval gate {model}"
        )
    return scorer


def _opened(model: str, card: str | None, runtime: str | None, threads: int) -> Runner:
    if model.endswith(".safetensors"):
        import torch

        from models.checkpoint import load_model
        from models.runner import TorchRunner

        torch.set_num_threads(max(1, threads))
        return TorchRunner(*load_model(Path(model)))
    return open_runner(find_model(model, runtime or ""), card, runtime, threads)


def judge_tag(
    scorer: Runner,
    rows: Sequence[Row],
    root: Path,
    quiet: bool = False,
    over: Over = "mean",
) -> dict[str, Any]:
    """Score every row's clip, and judge; see `score_clips` and `figures`."""
    return figures(score_clips([scorer], rows, root, over, quiet)[0])


def figures(heard: ClipScores) -> dict[str, Any]:
    """The figures of docs/metrics.md, plain data: those of single labels where clips have one
    each, and those of rankings.
    """  # noqa: D205  one sentence
    said = best_of(heard.scores) if heard.exclusive else heard.scores >= heard.thresholds
    ap, auc = metrics.per_label(heard.scores, heard.truth)
    micro, macro = metrics.f1_scores(said, heard.truth)
    sure, right = metrics.decisions(heard.scores, heard.truth, heard.exclusive)
    mean_auc = metrics.mean_of(auc)
    return {
        "model": heard.model,
        "n": len(heard.truth),
        **(_single(heard) if heard.exclusive else {}),
        "mAP": metrics.mean_of(ap),
        "per_label_ap": named(heard.labels, ap),
        "auc": mean_auc,
        "d_prime": metrics.d_prime(mean_auc),
        "lwlrap": metrics.lwlrap(heard.scores, heard.truth),
        "f1_micro": micro,
        "f1_macro": macro,
        "ece": metrics.calibration_error(sure, right),
        "per_label": _per_label(heard.labels, said, heard.truth),
        "labels": heard.labels,
        "ms_per_window": heard.ms_per_window,
        "unreadable": heard.unreadable,
    }


def at_chosen(heard: ClipScores, others: ClipScores) -> dict[str, Any]:
    """Figures with what is chosen on other clips: thresholds, and a temperature.

    Args:
        heard: the clips to judge.
        others: clips to choose on.
    """
    chosen = metrics.choose_thresholds(others.scores, others.truth, others.thresholds)
    micro, macro = metrics.f1_scores(heard.scores >= chosen, heard.truth)
    temperature = metrics.find_temperature(others.scores, others.truth, others.softmax)
    mended = metrics.scaled(heard.scores, temperature, heard.softmax)
    sure, right = metrics.decisions(mended, heard.truth, heard.exclusive)
    return {
        "thresholds": named(heard.labels, chosen),
        "f1_micro_chosen": micro,
        "f1_macro_chosen": macro,
        "temperature": temperature,
        "ece_scaled": metrics.calibration_error(sure, right),
    }


def of_families(heard: ClipScores, ontology: Ontology) -> dict[str, Any]:
    """AP of the families of labels.

    Raises:
        UsageError: the ontology has none of the labels.
    """
    families = families_of(heard.labels, ontology)
    if not families:
        raise UsageError(
            f"the ontology has none of the labels of {heard.model}",
            f"they are {', '.join(heard.labels[:5])}, ...",
        )
    ap, _ = metrics.per_label(*by_family(heard.scores, heard.truth, families))
    placed = {i for members in families.values() for i in members}
    return {
        "family_mAP": metrics.mean_of(ap),
        "per_family_ap": named(list(families), ap),
        "without_family": [x for i, x in enumerate(heard.labels) if i not in placed],
    }


def named(labels: Sequence[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    """Values by label; None for NaN, which JSON has not."""
    return {
        label: None if np.isnan(value) else float(value)
        for label, value in zip(labels, values, strict=True)
    }


def rows_of(data: str, split: str, root: str | None) -> tuple[list[Row], Path]:
    """Labelled clips of a manifest or a folder of label folders.

    Of a manifest, and of a folder that holds the parts train, val and test, those of `split`;
    of a folder of label folders all.

    Raises:
        UsageError: no data, or none in that split.
    """
    path = Path(data)
    if path.suffix == ".csv":
        rows = pick(read_manifest(path), split, "clip")
        if not rows:
            raise UsageError(
                f"{path}: no labelled clips in split {split}", "choose another --split"
            )
        return rows, Path(root) if root else path.parent
    rows = folder_of_folders(path)
    if all(SPLITS.get(Path(r.file).parts[0].lower()) == r.split for r in rows):
        rows = pick(rows, split, "clip") or rows
    return rows, path


def model_bytes(model: str, runtime: str | None) -> int:
    """Size of a model's file."""
    path = Path(model) if model.endswith(".safetensors") else find_model(model, runtime or "")
    return path.stat().st_size


def _single(heard: ClipScores) -> dict[str, Any]:
    """Figures of the best label, of clips with one label each."""
    truth, said = heard.truth.argmax(1), heard.scores.argmax(1)
    table = metrics.confusion(truth, said, len(heard.labels))
    hits, n = int(np.trace(table)), int(table.sum())
    loud = [i for i, name in enumerate(heard.labels) if name != "silence"]
    spoken, spoken_hits = int(table[loud].sum()), int(np.diag(table)[loud].sum())
    return {
        "accuracy": hits / n,
        "accuracy_95": metrics.wilson(hits, n),
        "accuracy_without_silence": spoken_hits / max(spoken, 1),
        "accuracy_without_silence_95": metrics.wilson(spoken_hits, spoken),
        "confusion": table.tolist(),
    }


def _per_label(
    labels: Sequence[str], said: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> dict[str, Any]:
    hits = (said & truth).sum(0)
    return {
        name: {
            "n": int(truth[:, i].sum()),
            "recall": float(hits[i] / max(1, truth[:, i].sum())),
            "precision": float(hits[i] / max(1, said[:, i].sum())),
        }
        for i, name in enumerate(labels)
    }
