"""Measure where models' milliseconds go: the tables of docs/latency.md and its picture.

    python tests/docs/make_latency.py --keep DIR

Networks of the catalogue have random weights. Their files, and those of the streaming twins,
are made first (the larger ones take a minute each) and kept in DIR: a second run only
measures, about four minutes on an idle machine. With `--only` the figures of the other models
are those of the last run, in build/latency.json; with `--again` all are.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
sys.path.insert(0, str(Path(__file__).parent))

import msgspec
import numpy as np
import report
from make_reference import PROJECT, replaced, shrink

from models.catalogue import CATALOGUE
from realtime.card import Card
from realtime.library import WEIGHTS
from realtime.outputs.picture import Picture
from realtime.runners import Runner, open_runner
from train.latency import fresh, judge
from train.latency.by_onnx import file_layers
from train.latency.command import amount
from train.latency.judge import Latency, judge_latency
from train.latency.kinds import KINDS
from train.latency.picture import draw

PAGE = PROJECT / "docs/latency.md"
PICTURE = PROJECT / "docs/latency.png"
KEPT = PROJECT / "build/latency.json"
SHIPPED = {  # name: its float file, if that is another
    "kws12": "kws12-float", "kws12-tiny": "", "ast_q": "", "household": "", "ears": "",
    "voice": "", "voice-tiny": "",
}  # fmt: skip
FLOAT = ("ears", "voice", "voice-tiny")  # of those, what ships in float alone
NETWORKS = (
    "vgg19-bn", "dscnn-s", "dscnn-m", "dscnn-l", "efficientnet-b1", "efficientnet-b7",
    "efficientnetv2-m", "efficientnetv2-xl", "resnet50", "kwt-1", "kwt-2", "kwt-3",
    "bcresnet-1", "bcresnet-3", "bcresnet-8", "mn04", "mn10",
)  # fmt: skip
TWINS = {  # name: what models.build takes, the network of the window, frames a step
    "kws12": ({"network": "dscnn"}, "kws12-float", 8),
    "dscnn-l": ({"network": "dscnn-l"}, "dscnn-l", 4),
    "bcresnet-1": ({"network": "bcresnet-1"}, "bcresnet-1", 10),
    "bcresnet-3": ({"network": "bcresnet-3"}, "bcresnet-3", 10),
    "crnn": ({"network": "crnn"}, "crnn", 8),
}
NOISES = 4  # windows that set the ranges of int8
TURNS, RUNS = 5, 40  # of a window and its twin


class Gain(msgspec.Struct):
    """A window's network beside its twin, one thread, in turns."""

    name: str
    window_frames: int
    step_frames: int
    window_ms: float
    twin_ms: float
    window_macs: int
    twin_macs: int
    delay_frames: int


def float_file(name: str, folder: Path) -> tuple[Path, Card]:
    """A network's file in float, made if it is not there."""
    path = folder / f"{name}.onnx"
    if not path.exists():
        part = path.with_suffix(".part")
        fresh.write_fresh(name, part)
        part.rename(path)
    return path, fresh.card_of(name)


def int8_file(name: str, folder: Path) -> Path:
    """The same in int8, by the quantizer of rt-export; noise sets the ranges."""
    path = folder / f"{name}_q.onnx"
    if not path.exists():
        from export.int8_onnx import onnx_int8, onnx_spans
        from export.quantize import Choice

        source, card = float_file(name, folder)
        spec = card.input.features
        assert spec is not None
        rng = np.random.default_rng(0)
        shape = (1, 1, card.window_frames, spec.width)
        noise = [rng.standard_normal(shape).astype(np.float32) for _ in range(NOISES)]
        model = plain(source.read_bytes())
        path.write_bytes(onnx_int8(model, onnx_spans(model, noise), Choice(1.0, "first")))
    return path


def plain(model: bytes) -> bytes:
    """An ONNX file whose constants are no operators: the quantizer wants them as weights."""
    import onnx

    proto = onnx.load_from_string(model)
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    for node in nodes:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            proto.graph.initializer.append(node.attribute[0].t)
            proto.graph.initializer[-1].name = node.output[0]
        else:
            proto.graph.node.append(node)
    data: bytes = proto.SerializeToString()
    return data


def twin_file(name: str, folder: Path) -> tuple[Path, Card, int]:
    """A twin's file in float, its card, and by how many frames it is late."""
    import torch

    from export.to_onnx import with_names
    from export.twin import twin_to_onnx
    from models import build
    from models.streaming import twin_of

    description, source, frames = TWINS[name]
    shipped = WEIGHTS / f"{source}.onnx"
    card = open_runner(shipped).card if shipped.exists() else fresh.card_of(source)
    torch.manual_seed(1)
    network = build(description, len(card.labels)).eval()
    twin, card = twin_of(network, card, frames)
    path = folder / f"{name}_stream.onnx"
    if not path.exists():
        path.write_bytes(twin_to_onnx(twin, card)[0])
    return path, with_names(card), twin.reach.delay


def latencies(folder: Path, only: list[str]) -> Iterator[tuple[str, str, Latency]]:
    """Name, runtime with numbers, and figures of every model, or of those in `only`."""
    for name, source in SHIPPED.items():
        if only and name not in only:
            continue
        if source:
            yield name, "float", judge_latency(source)
        int8 = "float" if name in FLOAT else "int8"
        yield name, int8, judge_latency(name, runtime="onnx")
        if (WEIGHTS / f"{name}.tflite").exists():
            yield name, f"litert {int8}", judge_latency(name, runtime="litert")
    for name in NETWORKS:
        if only and name not in only:
            continue
        path, card = float_file(name, folder)
        yield name, "float", judge_latency(str(path), card)
        yield name, "int8", judge_latency(str(int8_file(name, folder)), card)


def gains(folder: Path, only: list[str]) -> Iterator[Gain]:
    """Windows and their twins, in turns."""
    for name, (_, source, frames) in TWINS.items():
        if only and f"{name}_stream" not in only:
            continue
        shipped = WEIGHTS / f"{source}.onnx"
        path, card = (shipped, None) if shipped.exists() else float_file(source, folder)
        window = open_runner(path, card, threads=1)
        late, twin_card, delay = twin_file(name, folder)
        twin = open_runner(late, twin_card, threads=1)
        found: tuple[list[float], list[float]] = ([], [])
        for _ in range(TURNS):
            for runner, times in zip((window, twin), found, strict=True):
                times += spent(runner)
        work = [sum(layer.macs for layer in file_layers(p)) for p in (path, late)]
        yield Gain(
            name, window.card.window_frames, frames, *map(float, np.median(found, axis=1)),
            *work, delay,
        )  # fmt: skip


def spent(runner: Runner) -> list[float]:
    """The processor's milliseconds of some runs."""
    spec = runner.card.input.features
    assert spec is not None
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((runner.card.window_frames, spec.width)).astype(np.float32)
    times = []
    for i in range(RUNS + 5):
        began = time.thread_time()
        runner.run(rows)
        if i >= 5:
            times.append(1e3 * (time.thread_time() - began))
    return times


def measure(folder: Path, only: list[str]) -> dict[str, Any]:
    """Everything, or what is in `only`; the figures are kept."""
    last = msgspec.json.decode(KEPT.read_bytes()) if only and KEPT.exists() else {}
    told = {(t["name"], t["numbers"]): t for t in last.get("latencies", ())}
    twins = {g["name"]: g for g in last.get("gains", ())}
    machine = {**report.machine(), "seconds": judge.BUDGET_S}
    order = [*SHIPPED, *NETWORKS]

    def keep() -> dict[str, Any]:
        told_now = sorted(told.values(), key=lambda t: order.index(t["name"]))
        kept = {"machine": machine, "latencies": told_now, "gains": list(twins.values())}
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_bytes(msgspec.json.encode(kept))
        return dict(msgspec.json.decode(KEPT.read_bytes()))

    for name, numbers, found in latencies(folder, only):
        sys.stderr.write(f"{name} {numbers}: {found.cpu_ms:.3g} ms\n")
        told[name, numbers] = {"name": name, "numbers": numbers, "found": found}
        keep()  # what is measured so far, if it is broken off
    twins |= {g.name: g for g in gains(folder, only)}
    return keep()


def number(x: float | None) -> str:
    """A number with three digits."""
    return "" if x is None else f"{x:.3g}" if x < 100 else f"{x:.0f}"


def main_table(told: list[dict[str, Any]]) -> str:
    """Sizes, work and milliseconds."""
    lines = [
        "| model | input | MACs | float KB | float ms | int8 KB | int8 ms | Pi float ms "
        "| Pi int8 ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(t["name"] for t in told):
        by = {t["numbers"]: t["found"] for t in told if t["name"] == name}
        one = next(iter(by.values()))
        cells = [f"`{name}`", shape_of(name), amount(one["macs"])]
        for numbers in ("float", "int8"):
            found = by.get(numbers)
            cells += (
                [f"{found['model_bytes'] / 1000:.0f}", number(found["cpu_ms"])]
                if found
                else ["", ""]
            )
        lines.append(f"| {' | '.join([*cells, '', ''])} |")
    return "\n".join(lines)


def shape_of(name: str) -> str:
    """A model's input."""
    if name in CATALOGUE:
        return f"{CATALOGUE[name].frames} x {CATALOGUE[name].width}"
    card = open_runner(WEIGHTS / f"{name}.onnx").card
    assert card.input.features is not None
    return f"{card.window_frames} x {card.input.features.width}"


def kinds_table(told: list[dict[str, Any]], numbers: tuple[str, ...]) -> str:
    """Percentages by kind."""
    chosen = [t for t in told if t["numbers"] in numbers]
    shown = [
        k for k in KINDS if any(s["kind"] == k for t in chosen for s in t["found"]["kinds"])
    ]
    lines = [
        f"| model | {' | '.join(shown)} | ms in layers |",
        f"| --- |{' --- |' * (len(shown) + 1)}",
    ]
    for t in chosen:
        found = t["found"]
        by = {s["kind"]: s["percent"] for s in found["kinds"]}
        cells = [f"{by[k]:.1f}" if by.get(k) else "" for k in shown]
        lines.append(
            f"| `{t['name']}` | {' | '.join(cells)} | {number(found['profiled_ms'])} |"
        )
    return "\n".join(lines)


def litert_table(told: list[dict[str, Any]]) -> str:
    """What ships as TFLite."""
    lines = ["| model | KB | ms | ms by ONNX Runtime |", "| --- | --- | --- | --- |"]
    for t in told:
        if not t["numbers"].startswith("litert"):
            continue
        other = next(
            o
            for o in told
            if o["name"] == t["name"] and o["numbers"] == t["numbers"].split()[1]
        )
        found = t["found"]
        cells = (
            f"{t['name']}`, {t['numbers'].split()[1]}", f"{found['model_bytes'] / 1000:.0f}",
            number(found["cpu_ms"]), number(other["found"]["cpu_ms"]),
        )  # fmt: skip
        lines.append(f"| `{' | '.join(cells)} |")
    return "\n".join(lines)


def gains_table(found: list[dict[str, Any]]) -> str:
    """Windows beside twins."""
    lines = [
        "| network | window, frames | step, frames | MACs of a window | of a step "
        "| ms of a window | of a step | times as quick | later by, ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for g in found:
        gain = g["window_ms"] / g["twin_ms"]
        cells = (
            f"`{g['name']}`", str(g["window_frames"]), str(g["step_frames"]),
            amount(g["window_macs"]), amount(g["twin_macs"]), number(g["window_ms"]),
            number(g["twin_ms"]), f"{gain:.1f}", str(10 * g["delay_frames"]),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine_line(m: dict[str, Any]) -> str:
    """Where and when."""
    versions = ", ".join(
        f"{k} {v}" for k, v in m["versions"].items() if k in ("onnxruntime", "ai-edge-litert")
    )
    busy = m["load"] is not None and m["load"] > m["cores"] / 2
    line = f"{m['cpu']}, {m['cores']} cores, {m['system']}, {versions}, {m['date']}"
    line += f", {m['seconds']:g} s for each\nreading"
    return f"{line}. Load {m['load']}" + (": other work was running." if busy else ".")


def page(kept: dict[str, Any]) -> str:
    """docs/latency.md with its made parts made anew."""
    told = kept["latencies"]
    parts = {
        "machine": machine_line(kept["machine"]),
        "main": main_table(told),
        "litert": litert_table(told),
        "kinds-float": kinds_table(told, ("float",)),
        "kinds-int8": kinds_table(told, ("int8",)),
        "kinds-litert": kinds_table(told, ("litert float", "litert int8")),
        "twins": gains_table(kept["gains"]),
    }
    text = PAGE.read_text("utf-8")
    for name, body in parts.items():
        text = replaced(text, name, body)
    return text


def picture(told: list[dict[str, Any]]) -> None:
    """The picture, in few colours."""
    bars = [
        (
            t["name"] + (" int8" if t["numbers"] == "int8" else ""),
            msgspec.convert(t["found"], Latency),
        )
        for t in told
        if t["numbers"] in ("float", "int8")
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latency.png"
        draw(Picture(path), bars)
        shrink(path, PICTURE)


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", metavar="DIR", help="folder of the files made (temporary)")
    parser.add_argument("--only", default="", metavar="NAME,...", help="kws12_stream for twins")
    parser.add_argument("--seconds", type=float, default=judge.BUDGET_S, help="of a reading")
    parser.add_argument("--again", action="store_true", help="the last run's figures")
    args = parser.parse_args()
    judge.BUDGET_S = args.seconds
    with tempfile.TemporaryDirectory() as folder:
        keep = Path(args.keep or folder)
        keep.mkdir(parents=True, exist_ok=True)
        if args.again:
            kept = msgspec.json.decode(KEPT.read_bytes())
        else:
            kept = measure(keep, [name for name in args.only.split(",") if name])
    picture(kept["latencies"])
    PAGE.write_text(page(kept), "utf-8")


if __name__ == "__main__":
    main()
