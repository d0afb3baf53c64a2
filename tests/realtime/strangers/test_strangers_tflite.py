"""TFLite models from elsewhere, through the real command."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.card import Card, InputSpec
from realtime.runners import open_runner

BOTH = ["loud", "quiet"]  # a long window begins with silence, which may be quiet, too
YAMNET = 521


def test_yamnet_for_classification(tag, flat, page_card, level_column, clip, tmp_path):
    """[15600] float32 of -1 to 1 at 16 kHz in, [1, 521] probabilities out.

    Source: the page of `yamnet/classification/tflite/1` on tfhub.dev; AudioSet's YAMNet README
    (tensorflow/models, research/audioset/yamnet) for the window of 0.975 s.
    """
    flat.tensor("waveform_binary", [15_600])
    flat.dense(flat.level("waveform_binary"), "logits", *level_column(YAMNET, 400.0, 0.02))
    flat.tensor("tower0/network/layer32/final_output", [1, YAMNET])
    flat.op("LOGISTIC", ["logits"], ["tower0/network/layer32/final_output"])
    model = flat.save(
        tmp_path / "yamnet.tflite",
        {"waveform": "waveform_binary"},
        {"scores": "tower0/network/layer32/final_output"},
    )
    assert tag.starts(model, page_card("yamnet.json", YAMNET), clip(2.0, 16_000))[-2:] == BOTH


def test_yamnet_with_three_outputs(tag, flat, page_card, level_column, clip, tmp_path):
    """Any number of samples in; scores [n, 521], embeddings [n, 1024], spectrogram [m, 64] out.

    Source: tensorflow/models, research/audioset/yamnet/export.py: the signature's input is
    `waveform` with a free length, its outputs are output_0 to output_2.
    """
    flat.tensor("serving_default_waveform:0", [1], signature=[-1])
    level = flat.level("serving_default_waveform:0")
    flat.dense(level, "logits", *level_column(YAMNET, 400.0, 0.02))
    flat.tensor("StatefulPartitionedCall:0", [1, YAMNET], signature=[-1, YAMNET])
    flat.op("LOGISTIC", ["logits"], ["StatefulPartitionedCall:0"])
    rng = np.random.default_rng(1)
    for i, width in ((1, 1024), (2, 64)):
        weights = rng.standard_normal((width, 1)).astype(np.float32)
        flat.dense(level, f"StatefulPartitionedCall:{i}", weights, np.zeros(width, np.float32))
    names = {f"output_{i}": f"StatefulPartitionedCall:{i}" for i in (2, 0, 1)}
    model = flat.save(
        tmp_path / "yamnet.tflite",
        {"waveform": "serving_default_waveform:0"},
        names,
        signature=True,
    )
    card = page_card("yamnet-hub.json", YAMNET)
    assert tag.starts(model, card, clip(2.0, 16_000))[-2:] == BOTH
    runner = open_runner(model, card=tmp_path / "card.json")
    assert runner.run(np.zeros(15_600, np.float32)).shape == (YAMNET,)


def card_of(**changes):
    kinds = {"layout": "bt", **changes.pop("input", {})}
    return Card(
        format=1,
        name="x",
        task="tag",
        input=InputSpec(kind="waveform", **kinds),
        rate=16_000,
        window_s=0.1,
        hop_s=0.1,
        labels=("loud", "quiet"),
        scores="logit",
        **changes,
    )


def test_samples_as_whole_numbers(flat, level_column, tmp_path):
    """int16 samples in, without a scale of their own: the card's makes them."""
    flat.tensor("pcm", [1, 1600], kind="INT16")
    flat.tensor("real", [1, 1600])
    options = flat.tfl.CastOptionsT()
    options.inDataType, options.outDataType = flat.tfl.TensorType.INT16, 0
    flat.op("CAST", ["pcm"], ["real"], options)
    flat.dense(flat.level("real"), "logits", *level_column(2, 0.001, 0.0))
    model = flat.save(tmp_path / "m.tflite", {"pcm": "pcm"}, {"logits": "logits"})
    runner = open_runner(model, card=card_of(input={"scale": 32768.0}))
    scores = runner.run(np.full(1600, 0.1, np.float32))
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-3.277)), abs=1e-3)
    assert runner.run(np.full(1600, 2.0, np.float32))[0] == pytest.approx(1.0)  # clipped


def test_a_constant_input(flat, level_column, tmp_path):
    """An input beside the sound is filled with the card's number at every run."""
    flat.tensor("sound", [1, 1600])
    flat.tensor("gain", [1, 1], signature=[-1, 1])
    flat.tensor("louder", [1, 1])
    flat.op("MUL", [flat.level("sound"), "gain"], ["louder"], flat.tfl.MulOptionsT())
    flat.dense("louder", "logits", *level_column(2, 1.0, 0.0))
    names = {"sound": "sound", "gain": "gain"}
    model = flat.save(tmp_path / "m.tflite", names, {"logits": "logits"}, signature=True)
    card = card_of(constants={"gain": 20.0}, input={"name": "sound"})
    runner = open_runner(model, card=card)
    for _ in range(3):
        scores = runner.run(np.full(1600, 0.1, np.float32))
        assert scores[0] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-5)
