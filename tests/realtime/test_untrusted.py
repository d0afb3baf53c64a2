"""Models of unknown origin: no file elsewhere is read, no code loaded, no size endless."""

import zipfile

import numpy as np
import pytest

from realtime.card import MOST_BYTES
from realtime.errors import CardError, RtError, RunnerError
from realtime.protobuf import BYTES, VARINT, Field, message
from realtime.runners import open_runner

onnx = pytest.importorskip("onnx", reason="making models needs onnx")
from onnx import TensorProto, helper  # noqa: E402  after the skip


@pytest.fixture
def folder(tmp_path):
    """A model's folder with a file of weights, and one outside."""
    home = tmp_path / "model"
    home.mkdir()
    for path in (home / "inside.bin", tmp_path / "outside.bin"):
        path.write_bytes(np.zeros(4096, np.float32).tobytes())
    (home / "link.bin").symlink_to(tmp_path / "outside.bin")
    (home / "below").mkdir()
    (home / "below" / "inside.bin").write_bytes((home / "inside.bin").read_bytes())
    return home


def external(location, name="w", shape=(1, 3)):
    tensor = TensorProto(name=name, data_type=1, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "12")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def write(path, kit, *, initializer=(), nodes=(), domain=""):
    """A model of the bands' shape whose scores are a constant, and what else is given."""
    frames = kit.band_card().window_frames
    sound = helper.make_tensor_value_info("sound", 1, [1, 1, frames, 32])
    scores = helper.make_tensor_value_info("scores", 1, [1, 3])
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["sound"], ["mean"], keepdims=0),
            helper.make_node("Add", ["mean", "w"], ["scores"]),
            *nodes,
        ],
        "g", [sound], [scores], list(initializer),
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    helper.set_model_props(model, {"rt.card": kit.band_card().to_json()})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "location", ["inside.bin", "below/inside.bin", "./below/../inside.bin"]
)
def test_weights_beside_the_model(folder, kit, location):
    runner = open_runner(write(folder / "m.onnx", kit, initializer=[external(location)]))
    assert runner.card.labels == kit.labels


@pytest.mark.parametrize(
    "location",
    ["../outside.bin", "link.bin", "/etc/passwd", "/dev/zero", "", ".", "a\0b", "\udcff"],
)
def test_weights_elsewhere_are_refused(folder, kit, location):
    tensor = external("LOCATION")
    path = write(folder / "m.onnx", kit, initializer=[tensor])
    raw = location.encode("utf-8", "surrogateescape")
    tensor.external_data[0].value = "x" * len(raw)
    data = write(path, kit, initializer=[tensor]).read_bytes()
    path.write_bytes(data.replace(b"x" * len(raw), raw) if raw else data)
    with pytest.raises(RunnerError) as e:
        open_runner(path)
    assert "\n" not in e.value.line()
    assert e.value.hint


def test_wherever_they_are_named(folder, kit):
    """In a constant, in a graph within a graph, in a function."""
    bad = external("../outside.bin", "c")
    constant = helper.make_node("Constant", [], ["c"], value=bad)
    inner = helper.make_graph(
        [constant], "then", [], [helper.make_tensor_value_info("c", 1, [1, 3])]
    )
    condition = helper.make_node(
        "Constant", [], ["yes"], value=helper.make_tensor("", 9, [], [True])
    )
    branch = helper.make_node("If", ["yes"], ["c"], then_branch=inner, else_branch=inner)
    good = helper.make_tensor("w", 1, [1, 3], [0.0, 0.0, 0.0])
    for nodes in ([constant], [condition, branch]):
        path = write(folder / "m.onnx", kit, initializer=[good], nodes=nodes)
        with pytest.raises(RunnerError, match="outside its own folder"):
            open_runner(path)
    model = onnx.load(str(write(folder / "m.onnx", kit, initializer=[good])))
    model.functions.append(
        helper.make_function("own", "F", [], ["c"], [constant], [helper.make_opsetid("", 17)])
    )
    path.write_bytes(model.SerializeToString())
    with pytest.raises(RunnerError, match="outside its own folder"):
        open_runner(path)


def test_graphs_without_end(tmp_path):
    """A graph in an attribute of a node of a graph, and so on, as no library writes it."""
    inner = b""
    for _ in range(1000):
        for number in (6, 5, 1):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            inner = message([Field(number, BYTES, inner)])
    path = tmp_path / "m.onnx"
    path.write_bytes(message([Field(1, VARINT, b"\x09"), Field(7, BYTES, inner)]))
    with pytest.raises(RunnerError, match="without end"):
        open_runner(path)


def test_operators_of_a_library_are_not_looked_for(folder, kit):
    good = helper.make_tensor("w", 1, [1, 3], [0.0, 0.0, 0.0])
    for name, domain in (("RunThis", "com.example"), ("NoSuchThing", "")):
        node = helper.make_node(name, ["w"], ["z"], domain=domain)
        path = write(folder / "m.onnx", kit, initializer=[good], nodes=[node], domain=domain)
        with pytest.raises(RunnerError) as e:
            open_runner(path)
        assert name in e.value.line()
        assert "\n" not in e.value.line()


def test_a_card_names_no_library(tmp_path, kit, band_model):
    text = kit.band_card().to_json()
    card = tmp_path / "card.json"
    card.write_text(text[:-1] + ', "custom_ops": "evil.so"}')
    with pytest.raises(CardError, match="custom_ops"):
        open_runner(band_model, card)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_s": 1e9}, "window_s is 1e+09: use up to 600"),
        ({"labels": tuple(f"l{i}" for i in range(200_000))}, "the number of labels"),
    ],
)
def test_a_card_that_asks_for_too_much(kit, band_model, changes, message):
    with pytest.raises(RtError) as e:
        open_runner(band_model, kit.band_card(**changes))
    assert message in e.value.line()


def test_states_of_any_size(tmp_path, kit):
    import msgspec

    small = kit.sum_card()
    path = kit.write_stateful_onnx(tmp_path / "s.onnx", small)
    state = msgspec.structs.replace(small.states[0], shape=(1 << 20, 1 << 20))
    with pytest.raises(CardError, match="the size of all states"):
        open_runner(path, kit.sum_card(states=(state,)))


def test_a_card_that_unpacks_to_a_flood(tmp_path, kit):
    path = kit.write_tflite(tmp_path / "m.tflite", None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escaped", "x")
        archive.writestr("rt.card.json", " " * (100 * MOST_BYTES))
    assert path.stat().st_size < MOST_BYTES
    with pytest.raises(RunnerError, match="more than"):
        open_runner(path)
    assert not (tmp_path.parent.parent / "escaped").exists()


@pytest.mark.parametrize(
    ("packing", "old", "new"),
    [
        (zipfile.ZIP_STORED, "é".encode(), b"\xff\xff"),  # a name that is no text
        (zipfile.ZIP_LZMA, b"]\x00\x00\x80", b"\xff\x00\x00\x80"),
        (zipfile.ZIP_BZIP2, b"BZh", b"BZx"),
    ],
)
def test_an_archive_that_is_damaged(tmp_path, kit, packing, old, new):
    path = kit.write_tflite(tmp_path / "m.tflite", None)
    model = path.read_bytes()
    with zipfile.ZipFile(path, "a", packing) as archive:
        archive.writestr("rt.card.json", kit.band_card().to_json())
        archive.writestr("é", "x")
    added = path.read_bytes()[len(model) :]
    assert old in added
    path.write_bytes(model + added.replace(old, new))
    with pytest.raises(RunnerError, match="cannot be read"):
        open_runner(path)


def test_a_file_beside_the_model_that_is_no_card(tmp_path, band_model, kit):
    path = kit.write_onnx(tmp_path / "m.onnx", None)
    (tmp_path / "model.json").write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(CardError, match="more than"):
        open_runner(path)


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_file_that_breaks_off(tmp_path, band_model, cut):
    path = tmp_path / "m.onnx"
    path.write_bytes(band_model.read_bytes()[:-cut])
    with pytest.raises(RtError) as e:
        open_runner(path)
    assert "\n" not in e.value.line()
