"""A folder in which the commands of the pages can be run."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit_pages import PAGES, PROJECT

from realtime.card import Card, parse_card

STANDINS = {
    "arecord": "cat demo.raw",
    "ffmpeg": "cat demo.raw",
}
LIVE = """#!/bin/sh
for a in "$@"; do case $a in
  --device|--device=*|--virtual-mic|--mqtt|--wyoming) exec REAL "$@" --print-config ;;
  --list-*) exec REAL "$@" ;;
esac; done
exec REAL "$@" realtime/sounds/demo.flac OUT
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, kit: Any) -> Path:
    """A folder with what the commands name: recordings, models, settings, stand-ins."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "realtime/sounds").mkdir(parents=True)
    demo = PROJECT / "realtime/sounds/demo.flac"
    shutil.copy(demo, folder / "realtime/sounds/demo.flac")
    shutil.copy(demo, folder / "clip.flac")
    import soundfile

    soundfile.read(demo, dtype="int16")[0].tofile(folder / "demo.raw")
    for name, model, text in cards():
        (folder / name).write_text(text)
        linear_model(kit, folder / model, parse_card(text, name))
    for path, body in files():
        (folder / path).write_text(body)
    tools = folder / "bin"
    tools.mkdir()
    for name, script in STANDINS.items():
        tool(tools / name, f"#!/bin/sh\n{script}\n")
    (tools / "live").mkdir()
    for name, out in (("rt-tag", ""), ("rt-gate", "gated-$$.flac")):
        real = shutil.which(name, path=str(Path(sys.executable).parent))
        assert real, f"{name} is not installed beside this Python"
        tool(tools / "live" / name, LIVE.replace("REAL", real).replace("OUT", out))
    return folder


def cards() -> list[tuple[str, str, str]]:
    """Cards of docs/card.md: its file, its model's file, its text."""
    text = (PROJECT / "docs/card.md").read_text("utf-8")
    found: list[tuple[str, str, str]] = re.findall(
        r"<!-- card: (\S+) for (\S+) -->\n```json\n(.*?)```", text, re.DOTALL
    )
    return found


def files() -> list[tuple[str, str]]:
    """Files that the pages have their reader write."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = (PROJECT / page).read_text("utf-8")
        found += re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL)
    return found


def linear_model(kit: Any, path: Path, card: Card) -> None:
    """A model with the input that the page describes; of any file name, content tells the kind.

    Its weights are zero and its bias is large: each window has the first label.
    """
    if card.input.kind == "waveform":
        shape = [round(card.window_s * card.rate)]
    else:
        assert card.input.features is not None
        shape = [1, 1, card.input.features.width, card.window_frames]
        assert shape == [1, 1, 64, 101]  # as the page says
    if len(shape) == 1:
        waveform_model(path, shape[0], len(card.labels))
        return
    weights = np.zeros((int(np.prod(shape)), len(card.labels)), np.float32)
    bias = np.zeros(len(card.labels), np.float32)
    bias[0] = 9.0
    kit.write_onnx(path, None, weights=weights, bias=bias, shape=shape)


def waveform_model(path: Path, samples: int, labels: int) -> None:
    """[samples] to probabilities [1, labels]."""
    pytest.importorskip("onnx", reason="making models needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    assert samples == 15_600  # as the page says
    bias = np.zeros(labels, np.float32)
    bias[0] = 0.9
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["sound"], ["row"], axis=0),
            helper.make_node("Gemm", ["row", "w", "b"], ["scores"]),
        ],
        "house",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, [samples])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        [
            numpy_helper.from_array(np.zeros((samples, labels), np.float32), "w"),
            numpy_helper.from_array(bias, "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def tool(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)
