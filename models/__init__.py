"""The torch networks, and nothing else. `build` makes one from a recipe's `[model]` table.

A tagger takes float32 [batch, 1, time, mel], or [batch, 1, hops, hop] of a waveform, and gives
logits [batch, labels]. Families are imported when they are asked for: timm and torchaudio take
seconds.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import msgspec
from torch import nn

from models.catalogue import CATALOGUE
from realtime.errors import MissingExtra, UsageError

# name: module, class of the network, class of its configuration
FAMILIES: dict[str, tuple[str, str, str]] = {
    "dscnn": ("models.dscnn", "DSCNN", "DSCNNConfig"),
    "gate": ("models.gate", "GateNetwork", "GateConfig"),
    "ast": ("models.transformer_tagger", "TransformerTagger", "TransformerTaggerConfig"),
    "backbone": ("models.backbone", "Backbone", "BackboneConfig"),
    "baseline": ("models.baselines", "Baseline", "BaselineConfig"),
    "bcresnet": ("models.bcresnet", "BCResNet", "BCResNetConfig"),
    "cnn": ("models.cnn", "CNN", "CNNConfig"),
    "crnn": ("models.crnn", "CRNN", "CRNNConfig"),
    "hello-edge": ("models.hello_edge", "HelloEdge", "HelloEdgeConfig"),
    "instances": ("models.instances", "Instances", "InstancesConfig"),
    "ivector": ("models.ivector", "IVector", "IVectorConfig"),
    "kwt": ("models.keyword_transformer", "KeywordTransformer", "KeywordTransformerConfig"),
    "mixtures": ("models.mixtures", "Mixtures", "MixturesConfig"),
    "mn": ("models.mobilenet", "MobileNet", "MobileNetConfig"),
    "panns": ("models.panns", "PANN", "PANNConfig"),
    "vgglike": ("models.vgglike", "VGGLike", "VGGLikeConfig"),
    "audiomae": ("models.masked_tagger", "MaskedTagger", "MaskedTaggerConfig"),
    "waveform": ("models.waveform", "WaveformCNN", "WaveformCNNConfig"),
}
LOADED = ("weights", "pretrained")  # fields that say where a fresh network's weights come from


def build(description: dict[str, Any], labels: int, load: bool = True) -> nn.Module:
    """Make a network with fresh weights, or with those that its description names.

    Args:
        description: {"network": name, ...fields of its configuration}. The name is one of a
            family or of a network of the catalogue, whose fields the description may change.
        labels: number of scores.
        load: load the weights that the description names; False where others follow anyway.

    Raises:
        UsageError: unknown network or field, or a shape that cannot be.
        MissingExtra: a library of the family is not installed.
    """
    fields = dict(description)
    name = str(fields.pop("network", ""))
    family = name
    if name in CATALOGUE:
        family = CATALOGUE[name].family
        fields = {**CATALOGUE[name].fields, **fields}
    elif name not in FAMILIES:
        known = [*FAMILIES, *CATALOGUE]
        near = difflib.get_close_matches(name, known, 1)
        raise UsageError(
            f"there is no network {name!r}",
            f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}",
        )
    if not load:
        fields = {k: v for k, v in fields.items() if k not in LOADED}
    network, config = classes_of(family)
    try:
        return network(msgspec.convert({**fields, "labels": labels}, config))
    except msgspec.ValidationError as e:
        raise UsageError(f"[model] of {name}: {e}", "see docs/models.md") from e


def classes_of(family: str) -> tuple[type[nn.Module], type[msgspec.Struct]]:
    """The network's class of a family, and its configuration's.

    Raises:
        MissingExtra: a library of the family is not installed.
    """
    module, *names = FAMILIES[family]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as e:
        raise MissingExtra(
            f"the network {family} needs {e.name}", "pipx inject rt-tag 'rt-tag[train]'"
        ) from e
    network, config = (getattr(found, name) for name in names)
    return network, config


def parameters(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in network.parameters())
