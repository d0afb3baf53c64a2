"""The tables of a tagger's recipe: data, batch, augmentation, loss and optimisation.

`Listed` and `Fit` are those of every recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every recipe is learned from: recordings that a manifest lists.

    Args:
        manifest: CSV of the recordings; relative to where rt-train runs.
        root: folder that the manifest's file names are relative to.
        shards: folder that `rt-train shard` wrote; sounds are read from there, not from `root`.
        licence: of the weights, for the card.
        trained_on: data sets with their licences, for the card.
    """

    manifest: str
    root: str
    shards: str = ""
    licence: str = "Apache-2.0"
    trained_on: tuple[str, ...] = ()


class Data(Listed, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a tagger is learned from.

    Args:
        labels: names of the scores, in order; none for all of the manifest's, by name.
        background: labels that are no event (unknown, silence).
        cached: compute the features of labelled clips once and keep them on disk. Nothing then
            changes the sound, and talk and noises are not used; files of features need it.
        tile: with `cached`, clips that are too short are repeated, not put into silence.
    """

    labels: tuple[str, ...] = ()
    background: tuple[str, ...] = ()
    cached: bool = False
    tile: bool = False


class Mix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a batch is made of.

    Shares of the rows that are no labelled clips; the rest are clips.

    Where rows may have several labels (`loss.kind`), talk and noises have those that the
    manifest gives them, and a label counts where its sound can be heard.

    Args:
        batch: rows.
        talk: running speech, with the label that the manifest gives it.
        silence: noises alone and near silence, labelled `silence`.
        fragment: clips cut so that most of the word is missing; target words become "no word"
            (the loss accepts unknown and silence).
        hard: parts of running speech and of noises, drawn by how much the weights in `fit.init`
            take them for a word (one label for a window only); "no word", too.
        events: mixtures of several clips; needs a loss for several labels.
        most: clips in such a mixture, at most.
        apart_db: level of each of them, from and to.
        audible_db: a sound is heard where it is at most this far under the whole.
        balance: exponent of the class weights, 0 = as often as they are, 1 = every label
            equally often (rare clips are drawn again and again).
    """

    batch: int = 128
    talk: float = 0.10
    silence: float = 0.12
    fragment: float = 0.05
    hard: float = 0.0
    events: float = 0.0
    most: int = 3
    apart_db: tuple[float, float] = (-15.0, 0.0)
    audible_db: float = 12.0
    balance: float = 0.5


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a row is changed. Probabilities 0 to 1; levels in dB.

    Args:
        shift_s: a clip is moved by up to this, either way.
        whole: but no further than leaves its sound in the window.
        speeds: playing speeds, chosen evenly.
        room: probability of an impulse response.
        neighbour: probability that the edge of another word or of talk falls into the window.
        noise: probability of added noise.
        snr_db: level of the clip over that noise, from and to.
        level_db: level of the loudest 25 ms after augmentation, dBFS.
        stretch: a clip is played faster or slower by up to this share, on top of `speeds`.
        hiss_db: level of an added white noise floor, dBFS; at least 10 dB under the sound.
        tilt_db: random spectral tilt and bumps, as microphones have.
        time_masks, time_mask: number and greatest width (frames) of SpecAugment's time masks.
        mel_masks, mel_mask: the same for bands.
        mixup: probability that a row is mixed with another one, features and labels.
        cutmix: probability that a span of up to half a row's time is another row's.
    """

    shift_s: float = 0.2
    whole: bool = False
    speeds: tuple[float, ...] = (1.0,)
    stretch: float = 0.0
    room: float = 0.0
    neighbour: float = 0.0
    noise: float = 0.0
    snr_db: tuple[float, float] = (0.0, 25.0)
    level_db: tuple[float, float] = (-40.0, -3.0)
    hiss_db: tuple[float, float] = (-95.0, -60.0)
    tilt_db: float = 0.0
    time_masks: int = 0
    time_mask: int = 0
    mel_masks: int = 0
    mel_mask: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is minimised: a loss of the labels, and optionally of the teachers' probabilities.

    Args:
        kind: "cross_entropy" gives one label to a window. "bce" and "focal" give any number:
            scores are independent, and labels of the manifest stand between semicolons.
        smoothing: label smoothing.
        class_weights: exponent of weights by inverse frequency; 0 is none, 1 weighs a label
            that is ten times as rare ten times as much. Their mean is 1.
        alpha: of focal: weight of what is there; what is not has 1 - alpha.
        gamma: of focal: how much less what is already told counts.
        begin: what scores begin with, by the last layer's bias: as it comes ("zero"), the
            share of the clips that have the label ("frequency") or `prior` ("prior").
        prior: chance of every label.
        teachers: checkpoints whose mean probabilities are imitated.
        imitate: weight of the imitation, 0 to 1.
        temperature: of the imitation.
    """

    kind: Literal["cross_entropy", "bce", "focal"] = "cross_entropy"
    smoothing: float = 0.0
    class_weights: float = 0.0
    alpha: float = 0.25
    gamma: float = 2.0
    begin: Literal["zero", "frequency", "prior"] = "zero"
    prior: float = 0.01
    teachers: tuple[str, ...] = ()
    imitate: float = 0.0
    temperature: float = 2.0


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The optimisation.

    Args:
        steps: batches.
        optimizer: AdamW's weight decay is apart from the gradient, the others' is not.
        rate: peak learning rate.
        decay: weight decay, of matrices only.
        schedule: of the rate after the warm-up: half a cosine to 0, times `drop` every
            `drop_every`, one cycle (it also warms up by half a cosine, from a 25th), or none.
        warmup: share of the steps in which the rate rises.
        drop, drop_every: factor, and share of the steps, of the schedule "step".
        clip: greatest norm of the gradient, 0 for any; absent is 5, and 1 for gates.
        precision: of the network's arithmetic; float16 needs cuda. Weights stay float32.
        ema: decay of the averaged weights, which are the ones kept.
        average: weights of so many validations, the last ones, are averaged in the end, and
            kept if they are no worse; 0 is none.
        freeze: names of the network's parts that stay as they are, each with all below it.
        freeze_steps: steps for which they do; 0 is all.
        validate: steps between validations (and checkpoints).
        patience: validations without a better figure after which the run ends; 0 is any.
        seed: of everything random.
        pool: validation of a clip that is longer than the window: its middle, or its windows'
            highest or mean scores.
        init: checkpoint to start from, "" for fresh weights. What has another shape there (the
            last layer, for other labels) is left as it is, and said; a gate may be wider, and
            begins as the narrower one.
        parts: a batch is drawn, and its gradient taken, in so many parts: for a batch that does
            not fit into memory. The processes of torchrun share them, at least one each.
        threads: CPU threads, 0 = all.
        workers: processes that make batches ahead; 0 makes them in between.
        device: "auto", "cpu" or "cuda".
    """

    steps: int
    optimizer: Literal["adamw", "adam", "rmsprop", "adagrad"] = "adamw"
    rate: float = 3e-3
    decay: float = 0.01
    schedule: Literal["cosine", "step", "one_cycle", "constant"] = "cosine"
    warmup: float = 0.05
    drop: float = 0.5
    drop_every: float = 0.1
    clip: float | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    ema: float = 0.999
    average: int = 0
    freeze: tuple[str, ...] = ()
    freeze_steps: int = 0
    validate: int = 500
    patience: int = 0
    seed: int = 1
    pool: Literal["middle", "max", "mean"] = "middle"
    init: str = ""
    parts: int = 1
    threads: int = 0
    workers: int = 0
    device: str = "auto"


PATHS = (("data", "manifest"), ("data", "root"), ("data", "shards"), ("fit", "init"))


def plain(recipe: msgspec.Struct) -> dict[str, Any]:
    """A recipe as plain data for a card, with names in place of paths: a card travels."""
    out: dict[str, Any] = msgspec.to_builtins(recipe)
    for table, field in PATHS:
        if field in out[table]:
            out[table][field] = Path(out[table][field]).name
    return out
