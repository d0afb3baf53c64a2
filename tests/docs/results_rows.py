"""The rows of docs/results.md: which network, on what task, with which fields of the recipe.

Written down before the first of them ran. Six small ones had run when bands, frames and
steps were cut, to a fifth of the work, for all alike, and these were thrown away; later, the
steps of the costliest that had not run. No row was changed after its figure was seen, but
for one fault: networks on waveforms had the mean and deviation of the recipe's log-mel values
taken from their samples, and the first three stayed at chance.
"""

from __future__ import annotations

from typing import Any

import msgspec

SLOW = 0.5e-3  # peak learning rate of transformers, a quarter of the others'
MFCC = {  # what mixtures of Gaussians expect
    "features.kind": "mfcc", "features.cepstra": 23, "features.mels": 40,
    "features.frame": 1024, "features.hop": 640, "features.fft": 1024,
    "augment.time_masks": 0, "augment.mel_masks": 0, "augment.mixup": 0.0,
}  # fmt: skip
FITTED = {"fit.steps": 1, "fit.rate": 1e-12, "fit.validate": 1}  # not trained
WAVES = {
    "features.kind": "waveform", "features.rate": 8000, "features.hop": 80,
    "features.mean": 0.0, "features.std": 0.03,  # of samples, about
    "data.cached": False, "mix.talk": 0.0, "mix.silence": 0.0,
    "augment.time_masks": 0, "augment.mel_masks": 0, "augment.shift_s": 0.3,
    "mix.fragment": 0.0, "window_s": 5.0, "fit.steps": 100, "fit.validate": 100,
}  # fmt: skip
SHORT = {"fit.steps": 100, "fit.validate": 100}  # of what has over 250 million MACs


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table.

    Args:
        name: of the line, and of the file that keeps it.
        model: `[model]` of the recipe.
        fields: other fields of the recipe, by their dotted names.
        folds: held out in turn; one for what takes long, none for what takes too long. The
            keyword task has one split of its own, so any fold means that it is trained.
        seeds: of the recipe.
        note: what one should know.
    """

    name: str
    model: dict[str, Any]
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    folds: tuple[int, ...] = (1, 2, 3, 4)
    seeds: tuple[int, ...] = (1,)
    note: str = ""


def _row(name: str, model: dict[str, Any] | None = None, **more: Any) -> Row:
    return Row(name=name, model={"network": name, **(model or {})}, **more)


def _baseline(kind: str, **model: Any) -> Row:
    fields = {"network": "baseline", "kind": kind, "frames": 69, "mels": 32, **model}
    return Row(name=kind, model=fields)


ONE = (1,)
MASKED = {"network": "audiomae", "width": 192, "layers": 6, "heads": 3, "patch": 8}
PATCHES = {"frames": 69, "mels": 32, "patch": [8, 8]}
LOW = {"mels": 32}
FORTY = {"features.mels": 40}
INSTANCES = {"network": "instances", "mels": 32, "embedding": 128, "width": 64, "body": "gru"}

TAGGERS = (  # in the order in which they run: the small ones first
    _row("gmm", {"mels": 23}, fields=MFCC | FITTED),
    _baseline("dnn"),
    _baseline("conv1d", units=128),
    _baseline("gru", units=128),
    Row(name="kws12", model={"network": "dscnn"}, note="the shape of the shipped model"),
    Row(name="kws12-tiny", note="the shape of the shipped model", model={
        "network": "dscnn", "stem": 16, "stages": [[32, 1, 2], [64, 2, 3], [96, 2, 3]],
    }),
    _row("dscnn-s"),
    _row("bcresnet-1", fields=FORTY, note="40 bands, the least it takes"),
    _row("kwt-1", {"frames": 69, "mels": 32}, fields={"fit.rate": SLOW}),
    _baseline("linear"),
    _baseline("conv2d", units=32, layers=3),
    _baseline("lstm", units=128, layers=1),
    _row("cnn-single"),
    _row("cnn-multi"),
    _row("mn04"),
    Row(name="mil-dense", note="one second an instance", model={
        "network": "instances", "mels": 32, "front": "stack", "stack": 12, "body": "dense",
        "width": 256, "layers": 3,
    }),
    Row(name="audiomae", fields={"fit.rate": SLOW}, note="192 wide, 6 layers; from scratch",
        model=MASKED),
    _row("dscnn-m"),
    _row("crnn", {"mels": 32, "pools": [[2, 2], [2, 4], [2, 4]]}, fields=SHORT, folds=ONE),
    _row("vgglike", folds=ONE),
    _row("bcresnet-3", fields=FORTY, folds=ONE, note="40 bands"),
    _row("ivector", {"mels": 23, "components": 64, "size": 100}, fields=MFCC | FITTED,
         folds=ONE, note="64 components, 100 dimensions: 240 clips are too few for more"),
    _row("m3", fields=WAVES, folds=ONE),
    _row("m5", fields=WAVES, folds=ONE),
    _row("m11", fields=WAVES, folds=ONE),
    _row("ast-tiny", {**PATCHES, "stride": [8, 8]}, fields={"fit.rate": SLOW}, folds=ONE),
    _row("resnet18", folds=ONE),
    _row("cnn6", LOW, fields=SHORT, folds=ONE),
    _row("mn10", folds=ONE),
    _row("talnet", LOW, fields=SHORT, folds=ONE),
    _row("cnn-transformer", LOW, fields=SHORT | {"fit.rate": SLOW}, folds=ONE),
    _row("transformer", LOW, fields=SHORT | {"fit.rate": SLOW}, folds=ONE),
    _row("conformer", LOW, fields=SHORT | {"fit.rate": SLOW}, folds=ONE),
    _row("m18", fields=WAVES, folds=ONE),
    _row("m34-res", fields=WAVES, folds=ONE),
    _row("densenet121", folds=ONE),
    _row("efficientnet-b1", folds=ONE),
    _row("cnn10", LOW, fields=SHORT, folds=ONE),
    _row("cnn14", LOW, folds=()),
    _row("resnet50-attention", fields=SHORT, folds=ONE),
    _row("ast-small", {"frames": 69, "mels": 32}, fields=SHORT | {"fit.rate": SLOW},
         folds=ONE),
    _row("ast-base", {"frames": 69, "mels": 32}, folds=()),
)  # fmt: skip

KEYWORDS = (
    Row(name="kws12-tiny", model=TAGGERS[5].model, folds=ONE),
    Row(name="kws12", model={"network": "dscnn"}, folds=ONE),
    _row("dscnn-s", folds=ONE),
    _row("kwt-1", fields={"fit.rate": SLOW}, folds=ONE),
    _row("bcresnet-1", folds=ONE),
    _row("mn04", folds=ONE),
    _row("dscnn-m", folds=ONE),
    _row("dscnn-l", folds=ONE),
    _row("bcresnet-3", folds=ONE),
    _row("kwt-2", folds=()),
    _row("kwt-3", folds=()),
    _row("bcresnet-8", folds=()),
    _row("mn10", folds=ONE),
    _row("efficientnet-b1", folds=()),
    _row("resnet50", folds=()),
    _row("efficientnetv2-m", folds=()),
    _row("efficientnet-b7", folds=()),
    _row("vgg19-bn", folds=()),
    _row("efficientnetv2-xl", folds=()),
)  # fmt: skip

PLAIN = {"augment.time_masks": 0, "augment.mel_masks": 0, "augment.mixup": 0.0}
THIN = {"thin": True}  # every other label keeps a quarter of its clips for training
THREE = (1, 2, 3)


def _claim(name: str, model: dict[str, Any] | None = None, **fields: Any) -> Row:
    changes = {k.replace("__", "."): v for k, v in fields.items()}
    return Row(name=name, model=model or {"network": "dscnn"}, fields=changes, seeds=THREE,
               folds=ONE)  # fmt: skip


def _pooled(kind: str) -> Row:
    return _claim(f"pooling {kind}", {**INSTANCES, "pooling": kind})


def _patches(stride: int) -> Row:
    model = {"network": "ast", "layers": 4, **PATCHES, "stride": [stride] * 2}
    return _claim(f"patch overlap {8 - stride}", model, fit__rate=SLOW)


CLAIMS = (
    _claim("no remedy", **PLAIN),
    _claim("SpecAugment", augment__mixup=0.0),
    _claim("mixup", augment__time_masks=0, augment__mel_masks=0),
    _claim("SpecAugment and mixup"),
    _claim("uneven labels", **PLAIN, **THIN, mix__balance=0.0),
    _claim("uneven labels, oversampling", **PLAIN, **THIN, mix__balance=1.0),
    _claim("uneven labels, all three", **THIN, mix__balance=1.0),
    _claim("variance 0.25", spread=2.0),
    _claim("variance 4", spread=0.5),
    _claim("no normalisation", spread=0.0),
    *(_pooled(k) for k in ("max", "average", "linear", "exponential", "attention")),
    _claim("half the bands and frames", features__mels=16, features__hop=2560),
    _claim("twice the bands and frames", features__mels=64, features__hop=640),
    *(_patches(s) for s in (8, 6, 5)),
    _claim("no pretraining", MASKED, fit__rate=SLOW),
    _claim("pretraining", MASKED, fit__rate=SLOW, pretrain=True),
    *(_claim(f"depth {n}", {"network": n}, **WAVES) for n in ("m3", "m5", "m11", "m18")),
)  # fmt: skip
TABLES = {"esc10": TAGGERS, "keywords": KEYWORDS, "claims": CLAIMS}
