"""`rt-eval tag`: how often a model names a clip rightly, by the live Runner and front end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from rich.progress import track

from realtime.card import Card
from realtime.errors import AudioError, UsageError
from realtime.frontend import finish_window, one_shot
from realtime.library import find_model
from realtime.runners import Runner, open_runner
from train.bank import read_mono
from train.clips import place
from train.datasets import folder_of_folders
from train.manifest import Row, pick, read_manifest
from train.metrics import confusion, wilson

Array = NDArray[np.float32]


def open_scorer(
    model: str, card: str | None = None, runtime: str | None = None, threads: int = 1
) -> Runner:
    """A Runner for a shipped name, .onnx or .tflite; the torch network for a checkpoint."""
    if model.endswith(".safetensors"):
        import torch

        from models.checkpoint import load_model
        from models.runner import TorchRunner

        torch.set_num_threads(max(1, threads))
        return TorchRunner(*load_model(Path(model)))
    return open_runner(find_model(model, runtime or ""), card, runtime, threads)


def window_of(card: Card, clip: Array) -> Array:
    """A clip as one window: centred between silence, or the loudest part of a longer one."""
    size = round(card.window_s * card.rate)
    x = np.zeros(size, np.float32)
    if len(clip) > size:
        energy = np.concatenate([[0.0], np.cumsum(np.square(clip, dtype=np.float64))])
        at = int(np.argmax(energy[size:] - energy[:-size]))
        clip = clip[at : at + size]
    place(x, clip, 0)
    spec = card.input.features
    return (
        x * np.float32(card.input.scale)
        if spec is None
        else finish_window(spec, one_shot(spec, x))
    )


def judge_tag(
    scorer: Runner, rows: Sequence[Row], root: Path, quiet: bool = False
) -> dict[str, Any]:
    """Score every row's clip.

    Args:
        scorer: the model.
        rows: labelled clips; a label that the model lacks counts as "unknown" where the model
            has that.
        root: folder of the files.
        quiet: no progress bar.

    Returns:
        The figures of docs/commands.md, plain data.

    Raises:
        UsageError: a label the model cannot give.
        AudioError: not one clip could be read.
    """
    card = scorer.card
    labels = list(card.labels)
    truth, said, times, bad = [], [], [], []
    for row in track(rows, "scoring", transient=True, disable=quiet):
        label = row.label if row.label in labels else "unknown"
        if label not in labels:
            raise UsageError(
                f"{row.file}: {card.name} has no label {row.label}",
                f"it has {', '.join(labels)}",
            )
        try:
            window = window_of(card, read_mono(root / row.file, card.rate))
        except (OSError, soundfile.SoundFileError) as e:
            bad.append(f"{row.file}: {e}")
            continue
        began = time.perf_counter()
        scores = scorer.run(window)
        times.append(time.perf_counter() - began)
        truth.append(labels.index(label))
        said.append(int(np.argmax(scores)))
    if not truth:
        raise AudioError(
            f"{root}: no clip could be read ({len(bad)} tried)", "check the folder"
        )
    table = confusion(np.array(truth), np.array(said), len(labels))
    hits, n = int(np.trace(table)), int(table.sum())
    heard = [i for i, name in enumerate(labels) if name != "silence"]
    spoken, spoken_hits = int(table[heard].sum()), int(np.diag(table)[heard].sum())
    return {
        "model": card.name,
        "n": n,
        "accuracy": hits / n,
        "accuracy_95": wilson(hits, n),
        "accuracy_without_silence": spoken_hits / max(spoken, 1),
        "accuracy_without_silence_95": wilson(spoken_hits, spoken),
        "per_label": {
            name: {
                "n": int(table[i].sum()),
                "recall": float(table[i, i] / max(1, table[i].sum())),
                "precision": float(table[i, i] / max(1, table[:, i].sum())),
            }
            for i, name in enumerate(labels)
        },
        "confusion": table.tolist(),
        "labels": labels,
        "ms_per_window": 1e3 * float(np.median(times)),
        "unreadable": bad,
    }


def rows_of(data: str, split: str, root: str | None) -> tuple[list[Row], Path]:
    """Labelled clips of a manifest (its `split`) or of a folder of label folders (all)."""
    path = Path(data)
    if path.suffix == ".csv":
        rows = pick(read_manifest(path), split, "clip")
        if not rows:
            raise UsageError(
                f"{path}: no labelled clips in split {split}", "choose another --split"
            )
        return rows, Path(root) if root else path.parent
    return folder_of_folders(path), path  # all of it, whatever its split


def model_bytes(model: str, runtime: str | None) -> int:
    """Size of a model's file."""
    path = Path(model) if model.endswith(".safetensors") else find_model(model, runtime or "")
    return path.stat().st_size
