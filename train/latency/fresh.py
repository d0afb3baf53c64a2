"""A network of the catalogue with random weights, as an ONNX file: its time is its shape's.

The means and deviations of its BatchNorms are set from noise, so that the numbers inside stay
of the size that they have in a trained network. A file for timing, not for use: rt-export
makes those.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.catalogue import CATALOGUE
from realtime.card import FORMAT, Card, InputSpec
from realtime.errors import MissingExtra, ModelError
from realtime.features import FeatureSpec

OPSET = 20
BATCH = 4  # windows of noise for the BatchNorms
HOP = 160  # samples, at 16 kHz


def card_of(name: str) -> Card:
    """A card with the catalogue's shape of input.

    Args:
        name: of the catalogue.
    """
    entry = CATALOGUE[name]
    spec = FeatureSpec(kind="mel", rate=16_000, frame=HOP, hop=HOP, mels=entry.width)
    return Card(
        format=FORMAT,
        name=name,
        task="tag",
        input=InputSpec(kind="features", features=spec),
        rate=spec.rate,
        window_s=entry.frames * HOP / spec.rate,
        hop_s=HOP / spec.rate,
        labels=tuple(f"label {i}" for i in range(entry.labels)),
        scores="logit",
    )


def write_fresh(name: str, path: Path, seed: int = 1) -> Card:
    """Write the network as an ONNX file.

    Args:
        name: of the catalogue.
        path: the file to write.
        seed: of the weights.

    Returns:
        A card for it; the file carries none.

    Raises:
        MissingExtra: torch, or a library of the family, is not installed.
        ModelError: the network has no ONNX form.
    """
    try:
        import torch

        from models import build
    except ModuleNotFoundError as e:
        raise MissingExtra(
            f"{name} is no file, and making one needs {e.name}",
            "pipx inject rt-tag 'rt-tag[train]'",
        ) from e
    entry = CATALOGUE[name]
    torch.manual_seed(seed)
    network = build({"network": name}, entry.labels, load=False)
    with torch.no_grad():
        for part in network.modules():
            # timm begins blocks of a ResNet at nothing; files keep equal zeros but once
            if isinstance(part, torch.nn.BatchNorm2d) and not part.weight.any():
                part.weight.fill_(1.0)
        network.train()
        network(torch.randn(BATCH, 1, entry.frames, entry.width))
        network.eval()
    faults = []
    # the older exporter first: ten times as quick, and the runtime fuses both forms alike
    for newer in (False, True):
        more: dict[str, Any] = {"external_data": False, "verbose": False} if newer else {}
        try:
            with warnings.catch_warnings(), _quiet():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    network,
                    (torch.zeros(1, 1, entry.frames, entry.width),),
                    str(path),
                    dynamo=newer,
                    opset_version=OPSET,
                    input_names=["features"],
                    output_names=["scores"],
                    **more,
                )
        except Exception as e:  # torch's exporters have no common base of errors
            faults.append((str(e).strip().splitlines() or [type(e).__name__])[0])
        else:
            return card_of(name)
    raise ModelError(f"{name} has no ONNX form: {faults[0][:200]}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing through that is printed: C++ does it too, a whole graph at a time."""
    sys.stdout.flush()
    sys.stderr.flush()
    with Path(os.devnull).open("w") as nowhere:
        saved = {fd: os.dup(fd) for fd in (1, 2)}
        try:
            for fd in saved:
                os.dup2(nowhere.fileno(), fd)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for fd, copy in saved.items():
                os.dup2(copy, fd)
                os.close(copy)
