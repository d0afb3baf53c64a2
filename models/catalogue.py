"""The networks that have a name: family, fields, paper, and the input their figures are for.

`models.build` takes these names beside those of the families, docs/models.md lists them, and
tests hold their parameters against what was published. No torch here.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A network with a name.

    Args:
        family: as `models.FAMILIES` names it.
        fields: of its configuration.
        paper: author and year.
        frames: frames of the input that the figures are for.
        width: values in a frame.
        labels: scores that the figures are for.
        published: parameters as published, in thousands; 0 where they are not.
        within: by which share ours may differ from that, for rounding.
        note: what one should know.
    """

    family: str
    paper: str
    frames: int
    width: int
    labels: int
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    published: float = 0.0
    within: float = 0.0
    note: str = ""


def _ast(size: str, published: float) -> Entry:
    return Entry(
        family="ast", paper="Gong 2021", frames=1024, width=128, labels=527,
        fields={"backbone": f"deit_{size}_distilled_patch16_224"},
        published=published, within=0.02,
    )  # fmt: skip


def _backbone(name: str, paper: str, **more: Any) -> Entry:
    fields = {"backbone": name}
    entry = {"frames": 98, "width": 40, "labels": 12} | more
    return Entry(family="backbone", paper=paper, fields=fields, **entry)


def _wave(published: float, within: float, **fields: Any) -> Entry:
    return Entry(
        family="waveform", paper="Dai 2017", frames=400, width=80, labels=10, fields=fields,
        published=published, within=within,
    )  # fmt: skip


def _keyword(family: str, paper: str, published: float, **fields: Any) -> Entry:
    return Entry(
        family=family, paper=paper, frames=98, width=40, labels=12, fields=fields,
        published=published, within=0.01,
    )  # fmt: skip


def _edge(**fields: Any) -> Entry:
    return Entry(
        family="hello-edge", paper="Zhang 2017", frames=49, width=10, labels=12, fields=fields
    )


def _pann(published: float, **fields: Any) -> Entry:
    return Entry(
        family="panns", paper="Kong 2020", frames=1001, width=64, labels=527, fields=fields,
        published=published,
    )  # fmt: skip


def _mn(published: float, width: float) -> Entry:
    return Entry(
        family="mn", paper="Schmid 2023", frames=1000, width=128, labels=527,
        fields={"width": width}, published=published, within=0.005,
    )  # fmt: skip


def _instances(paper: str, published: float = 0.0, within: float = 0.0, note: str = "",
               **fields: Any) -> Entry:  # fmt: skip
    return Entry(
        family="instances", paper=paper, frames=400, width=64, labels=527, fields=fields,
        published=published, within=within, note=note,
    )  # fmt: skip


def _baseline(kind: str, frames: int = 98, width: int = 40, **fields: Any) -> Entry:
    fields = {"kind": kind, "frames": frames, "mels": width, **fields}
    return Entry(
        family="baseline", paper="", frames=frames, width=width, labels=12, fields=fields
    )


CATALOGUE: dict[str, Entry] = {
    "ast-tiny": _ast("tiny", 0.0),
    "ast-small": _ast("small", 0.0),
    "ast-base": _ast("base", 87_000.0),
    "ast-base384": Entry(
        family="ast", paper="Gong 2021", frames=1024, width=128, labels=527,
        fields={"backbone": "deit_base_distilled_patch16_384"}, published=87_000.0, within=0.02,
        note="the paper's best starts from this one",
    ),
    "audiomae-base": Entry(
        family="audiomae", paper="Huang 2022", frames=1024, width=128, labels=527,
        published=85_659.407, within=0.001, note="with a decoder beside it at first",
    ),
    "cnn-single": Entry(
        family="cnn", paper="study of FSD50K", frames=216, width=64, labels=6,
        fields={
            "channels": (32, 64, 128), "pool": (2, 2), "grid": (1, 1), "head": (),
            "dropout": (0.2,),
        },
        note="three blocks; their widths are ours",
    ),
    "cnn-multi": Entry(
        family="cnn", paper="study of FSD50K", frames=516, width=128, labels=200,
        published=1472.776,
    ),
    "vgglike": Entry(
        family="vgglike", paper="Fonseca 2022", frames=101, width=96, labels=200,
        published=270.0, within=0.02,
    ),
    "crnn": Entry(
        family="crnn", paper="Fonseca 2022", frames=101, width=96, labels=200,
        published=960.0, within=0.02,
    ),
    "cnn6": _pann(4837.455),
    "cnn10": _pann(5219.279, kernel=3),
    "cnn14": _pann(80_753.615, kernel=3, channels=(64, 128, 256, 512, 1024, 2048)),
    "mn04": _mn(983.0, 0.4),
    "mn05": _mn(1430.0, 0.5),
    "mn10": _mn(4880.0, 1.0),
    "mn20": _mn(17_910.0, 2.0),
    "mn40": _mn(68_430.0, 4.0),
    "dscnn-s": _edge(),
    "dscnn-m": _edge(width=172, stride=(2, 1), second=2),
    "dscnn-l": _edge(width=276, layers=5, stride=(2, 1), second=2),
    "bcresnet-1": _keyword("bcresnet", "Kim 2021", 9.2, width=8),
    "bcresnet-3": _keyword("bcresnet", "Kim 2021", 54.2, width=24),
    "bcresnet-8": _keyword("bcresnet", "Kim 2021", 321.0, width=64),
    "kwt-1": _keyword("kwt", "Berg 2021", 607.0),
    "kwt-2": _keyword("kwt", "Berg 2021", 2394.0, width=128, heads=2),
    "kwt-3": _keyword("kwt", "Berg 2021", 5361.0, width=192, heads=3),
    "m3": _wave(200.0, 0.15, stem=256, stages=((256, 1),)),
    "m5": _wave(500.0, 0.15),
    "m11": _wave(1800.0, 0.03, stem=64, stages=((64, 2), (128, 2), (256, 3), (512, 2))),
    "m18": _wave(3700.0, 0.03, stem=64, stages=((64, 4), (128, 4), (256, 4), (512, 4))),
    "m34-res": _wave(
        4000.0, 0.03, stem=48, stages=((48, 6), (96, 8), (192, 12), (384, 6)), residual=True
    ),
    "talnet": _instances(
        "Wang 2019", note="the published code's layers; its thesis gives 8 M"
    ),
    "cnn-transformer": _instances(
        "Li 2022", 12_000.0, 0.05, body="transformer", width=512, layers=2
    ),
    "transformer": _instances(
        "Li 2022", note="eight layers; their width is ours", front="stack",
        body="transformer", width=512, layers=8,
    ),
    "conformer": _instances(
        "Gulati 2020", note="twelve blocks; their width is ours", front="stack",
        body="conformer", width=256, layers=12, heads=4, feedforward=1024,
    ),
    "mil-dense": Entry(
        family="instances", paper="Wang 2019", frames=10, width=128, labels=527,
        fields={
            "mels": 128, "front": "stack", "stack": 1, "body": "dense", "width": 450,
            "layers": 3,
        },
        published=700.0, within=0.01, note="their width is ours, to give the published size",
    ),
    "resnet18": _backbone("resnet18", "He 2016", frames=101, width=96, labels=200,
                          published=11_300.0, within=0.01),
    "resnet50": _backbone("resnet50", "He 2016"),
    "densenet121": _backbone(
        "densenet121", "Huang 2017", frames=101, width=96, labels=200,
        note="12.5 M in Fonseca 2022",
    ),
    "vgg19-bn": _backbone("vgg19_bn", "Simonyan 2015"),
    "efficientnet-b1": _backbone("efficientnet_b1", "Tan 2019"),
    "efficientnet-b7": _backbone("tf_efficientnet_b7", "Tan 2019"),
    "efficientnetv2-m": _backbone("tf_efficientnetv2_m", "Tan 2021"),
    "efficientnetv2-xl": _backbone("tf_efficientnetv2_xl", "Tan 2021"),
    "resnet50-attention": Entry(
        family="backbone", paper="Li 2022", frames=400, width=64, labels=527,
        fields={"backbone": "resnet50", "pooling": "attention"},
    ),
    "gmm": Entry(
        family="mixtures", paper="Reynolds 1995", frames=98, width=23, labels=15,
        note="fitted, not trained",
    ),
    "ivector": Entry(
        family="ivector", paper="Dehak 2011", frames=98, width=23, labels=15,
        note="fitted, not trained; 256 components, 400 dimensions",
    ),
    "linear": _baseline("linear", 10, 128),
    "conv1d": _baseline("conv1d", 10, 128, units=128),
    "conv2d": _baseline("conv2d", 10, 128, units=32, layers=3),
    "lstm": _baseline("lstm", 10, 128, units=128, layers=1),
    "dnn": _baseline("dnn", units=512, layers=3),
    "gru": _baseline("gru", units=128),
}  # fmt: skip
