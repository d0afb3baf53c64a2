"""ONNX models from elsewhere, through the real command."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from realtime.card import Card, InputSpec
from realtime.runners import open_runner

BOTH = ["loud", "quiet"]  # a long window begins with silence, which may be quiet, too
AUDIOSET = 527


def level(kit, x: str) -> tuple[list, dict]:
    """Nodes to the mean of a tensor, [1, 1]."""
    node = kit.helper.make_node
    nodes = [
        node("ReduceMean", [x], ["mean"], keepdims=0),
        node("Reshape", ["mean", "one"], ["level"]),
    ]
    return nodes, {"one": np.array([1, 1], np.int64)}


def test_panns_that_hears_samples(tag, onnx_kit, page_card, clip, tmp_path):
    """[1, 320000] samples at 32 kHz in; clipwise_output [1, 527] and embedding [1, 2048] out.

    Source: qiuqiangkong/audioset_tagging_cnn, pytorch/inference.py (32 kHz, samples of -1 to 1,
    `clipwise_output` are probabilities, `embedding` beside it).
    """
    kit, node = onnx_kit, onnx_kit.helper.make_node
    mean, one = level(kit, "size")
    nodes, constants = kit.scores("level", AUDIOSET, "clipwise_output", 400.0, 0.02, False)
    nodes = [
        node("Abs", ["waveform"], ["size"]),
        *mean,
        node("Expand", ["level", "wide"], ["embedding"]),
        *nodes,
    ]
    model = kit.save(
        tmp_path / "cnn14.onnx",
        nodes,
        [kit.value("waveform", [1, 320_000])],
        [kit.value("embedding", [1, 2048]), kit.value("clipwise_output", [1, AUDIOSET])],
        constants | one | {"wide": np.array([1, 2048], np.int64)},
    )
    assert tag.starts(model, page_card("panns.json", AUDIOSET), clip(11.0, 32_000))[-2:] == BOTH


def test_efficientat_that_hears_mel_frames(tag, onnx_kit, page_card, clip, tmp_path):
    """[1, 1, 128, 1000] log-mel in, logits [1, 527] and features out.

    Source: fschmid56/EfficientAT, models/preprocess.py (AugmentMelSTFT) and inference.py: the
    input is spec.unsqueeze(0), a sigmoid follows. 320,000 samples lose one to the preemphasis,
    so that there are 1000 frames.
    """
    kit = onnx_kit
    mean, one = level(kit, "mel")
    nodes, constants = kit.scores("level", AUDIOSET, "logits", 5.0, 0.0, True)
    features = kit.helper.make_node("Expand", ["level", "wide"], ["features"])
    model = kit.save(
        tmp_path / "mn10_as.onnx",
        [*mean, features, *nodes],
        [kit.value("mel", [1, 1, 128, 1000])],
        [kit.value("logits", [1, AUDIOSET]), kit.value("features", [1, 960])],
        constants | one | {"wide": np.array([1, 960], np.int64)},
    )
    card = page_card("efficientat.json", AUDIOSET)
    assert tag.starts(model, card, clip(11.0, 32_000))[-2:] == BOTH


def sherpa(kit, path):
    """x [N, T, 80] and x_lens [N] in, logits [N, 527] out: a sum over all, by the length."""
    node = kit.helper.make_node
    nodes, constants = kit.scores("level", AUDIOSET, "logits", 2.0, -8.0, True)
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Cast", ["x_lens"], ["length"], to=1),
        node("Mul", ["length", "bands"], ["count"]),
        node("Div", ["sum", "count"], ["mean"]),
        node("Reshape", ["mean", "one"], ["level"]),
        *nodes,
    ]
    return kit.save(
        path,
        nodes,
        [kit.value("x", ["N", "T", 80]), kit.value("x_lens", ["N"], "INT64")],
        [kit.value("logits", ["N", AUDIOSET])],
        constants | {"one": np.array([1, 1], np.int64), "bands": np.array([80.0], np.float32)},
    )


def test_zipformer_of_sherpa(tag, onnx_kit, page_card, clip, tmp_path):
    """x [N, T, 80], x_lens [N] int64; logits [N, 527].

    Source: k2-fsa/icefall, egs/audioset/AT/zipformer/export-onnx.py (names, shapes, logits) and
    k2-fsa/sherpa-onnx, sherpa-onnx/csrc/features.h (the filter bank).
    """
    model = sherpa(onnx_kit, tmp_path / "model.onnx")
    card = page_card("zipformer.json", AUDIOSET)
    assert tag.starts(model, card, clip(11.0, 16_000))[-2:] == BOTH
    del card["constants"]
    assert "x_lens" in tag.refused(model, card, clip(1.0, 16_000))
    card["constants"] = {"lens": 998}
    assert "constants.lens" in tag.refused(model, card, clip(1.0, 16_000))


def wake_chain(kit, folder) -> None:
    """The three files of an openWakeWord chain.

    Source: dscripka/openWakeWord, openwakeword/utils.py: `input` [1, samples] of int16 range to
    [1, 1, ceil(samples / 160 - 3), 32]; `input_1` [n, 76, 32, 1] to [n, 1, 1, 96]; a head
    takes [1, 16, 96]. Frames are scaled by x / 10 + 2, embeddings are 8 frames apart.
    """
    node, value = kit.helper.make_node, kit.value
    kit.save(
        folder / "melspectrogram.onnx",
        [
            node("Abs", ["input"], ["size"]),
            node("Unsqueeze", ["size", "axis"], ["row"]),
            node("Conv", ["row", "w"], ["level"], strides=[160], kernel_shape=[512]),
            node("Max", ["level", "least"], ["over"]),
            node("Log", ["over"], ["log"]),
            node("Transpose", ["log"], ["turned"], perm=[0, 2, 1]),
            node("Unsqueeze", ["turned", "axis"], ["output"]),
        ],
        [value("input", ["batch", "samples"])],
        [value("output", ["time", 1, "frames", 32])],
        {
            "w": np.full((32, 1, 512), 1 / 512, np.float32),
            "axis": np.array([1], np.int64),
            "least": np.array([1.0], np.float32),
        },
        opset=13,
    )
    kit.save(
        folder / "embedding_model.onnx",
        [
            node("ReduceMean", ["input_1"], ["mean"], axes=[1, 2], keepdims=1),
            node("Mul", ["mean", "ones"], ["conv2d_19"]),
        ],
        [value("input_1", ["unk__294", 76, 32, 1])],
        [value("conv2d_19", ["unk__295", 1, 1, 96])],
        {"ones": np.ones((1, 1, 1, 96), np.float32)},
        opset=12,
    )
    mean, one = level(kit, "onnx::Flatten_0")
    nodes, constants = kit.scores("level", 1, "39", 40.0, 2.3, False)
    kit.save(
        folder / "hey_you.onnx",
        [*mean, *nodes],
        [value("onnx::Flatten_0", [1, 16, 96])],
        [value("39", [1, 1])],
        constants | one,
        opset=14,
    )


def test_openwakeword_in_one_file(tag, onnx_kit, page_card, page_text, clip, tmp_path):
    wake_chain(onnx_kit, tmp_path)
    script = tmp_path / "merge.py"
    script.write_text(page_text("merge.py"))
    names = ["melspectrogram.onnx", "embedding_model.onnx", "hey_you.onnx", "wake.onnx"]
    done = subprocess.run(
        [sys.executable, script, *names], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    card = page_card("wake.json", 1)
    assert tag.starts(tmp_path / "wake.onnx", card, clip(3.0, 16_000)) == ["loud"]


@pytest.mark.parametrize(
    ("layout", "shape"), [("bnctf", [1, 1, 1, 8, 16]), ("ft", [16, 8]), ("tbcf", [8, 1, 1, 16])]
)
def test_axes_in_any_order(onnx_kit, tmp_path, kit, layout, shape):
    """Clips of a batch, as some taggers have them, or no batch at all."""
    base = kit.band_card()
    spec = base.input.features
    assert spec is not None
    import msgspec

    spec = msgspec.structs.replace(spec, mels=16)
    card = msgspec.structs.replace(
        base,
        input=InputSpec(kind="features", features=spec, layout=layout),
        window_s=(spec.frame + 7 * spec.hop) / base.rate,
        hop_s=8 * spec.hop / base.rate / 4,
        labels=("loud",),
        scores="logit",
        thresholds={},
        digest="",
        decision=type(base.decision)(),
    )
    node = onnx_kit.helper.make_node
    axis = layout.index("t")
    last = [0] * len(shape)
    last[axis] = 7
    model = onnx_kit.save(
        tmp_path / "m.onnx",
        [node("GatherND", ["x", "at"], ["picked"]), node("Reshape", ["picked", "one"], ["y"])],
        [onnx_kit.value("x", shape)],
        [onnx_kit.value("y", [1, 1])],
        {"at": np.array([last], np.int64), "one": np.array([1, 1], np.int64)},
    )
    window = np.zeros((8, 16), np.float32)
    window[7, 0] = 3.0
    assert open_runner(model, card=card).run(window)[0] == pytest.approx(1 / (1 + np.exp(-3)))


def test_samples_as_whole_numbers(onnx_kit, tmp_path):
    kit, node = onnx_kit, onnx_kit.helper.make_node
    model = kit.save(
        tmp_path / "m.onnx",
        [
            node("Cast", ["pcm"], ["real"], to=1),
            node("ReduceMax", ["real"], ["top"], keepdims=0),
            node("Mul", ["top", "small"], ["y"]),
        ],
        [kit.value("pcm", [1, 1600], "INT16")],
        [kit.value("y", [1])],
        {"small": np.array([1 / 32768], np.float32)},
    )
    card = Card(
        format=1,
        name="x",
        task="tag",
        input=InputSpec(kind="waveform", layout="bt", scale=32768.0),
        rate=16_000,
        window_s=0.1,
        hop_s=0.1,
        labels=("loud",),
    )
    runner = open_runner(model, card=card)
    assert runner.run(np.full(1600, 0.25, np.float32))[0] == 0.25
    assert runner.run(np.full(1600, 3.0, np.float32))[0] == pytest.approx(1.0, abs=1e-4)
