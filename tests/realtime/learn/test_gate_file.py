"""A gate as a file: read, written with another head, and run by everything else."""

import msgspec
import numpy as np
import pytest

from realtime.errors import CardError, ModelError, ParityError, RunnerError
from realtime.learn.backbone import Backbone
from realtime.learn.gate_file import check_gate, read_gate, write_gate
from realtime.learn.head import Head, Lessons
from realtime.learn.memory import TAUGHT, remember
from realtime.runners import open_runner


def random_head(gate, seed=0):
    rng = np.random.default_rng(seed)
    parts = (
        rng.normal(0, 0.2, p.shape).astype(np.float32)
        for p in msgspec.structs.astuple(gate.head)
    )
    return Head(*parts)


@pytest.fixture
def memory(gate):
    n = gate.backbone.size
    rows = Lessons(np.ones((5, n), np.float32), *(np.ones((5, 3), bool),) * 2, np.ones(5, "f4"))
    return remember({TAUGHT: rows}, {"open": [], "closed": []}, np.random.default_rng(0))


@pytest.mark.parametrize("turned", [False, True])
def test_another_head_runs_as_it_was_learned(kit, tmp_path, memory, sounds, turned):
    path = kit.write_learnable_onnx(tmp_path / "a.onnx", kit.learnable_card(), turned=turned)
    gate = read_gate(path)
    head = random_head(gate)
    card = msgspec.structs.replace(gate.card, name="mine")
    out = tmp_path / "mine.gate"
    out.write_bytes(write_gate(gate, head, card, memory))
    check_gate(out, head, gate.backbone, sounds.claps(2, 0))
    assert open_runner(out).card == card
    again = read_gate(out)
    for a, b in zip(*map(msgspec.structs.astuple, (again.head, head)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.memory is not None
    with pytest.raises(ParityError):
        check_gate(out, random_head(gate, 1), gate.backbone, sounds.claps(2, 0))


def test_a_written_gate_passes_the_checker_of_onnx(gate, memory):
    onnx = pytest.importorskip("onnx")
    data = write_gate(gate, random_head(gate), gate.card, memory)
    onnx.checker.check_model(onnx.load_from_string(data))


def test_embeddings_are_those_that_the_gate_scores(learnable_model, gate, sounds):
    runner = open_runner(learnable_model)
    sound = sounds.beeps(1, 440, 0)
    frames = gate.backbone.frames(sound)
    want = np.stack([runner.run(f[None]) for f in frames])
    np.testing.assert_allclose(gate.head.scores(gate.backbone.embed(sound)), want, atol=1e-6)


def test_frames_are_those_of_the_gate_s_scorer(learnable_model, gate, sounds):
    from realtime.gate.scorer import Scorer

    sound = sounds.claps(1, 0)
    told = Scorer(open_runner(learnable_model), 16_000).process(sound)
    want = np.stack([np.array(scores) for _, _, scores in told])
    np.testing.assert_allclose(gate.head.scores(gate.backbone.embed(sound)), want, atol=1e-5)


def test_many_sounds_in_order_whatever_the_threads(gate, sounds, monkeypatch):
    many = [sounds.claps(0.5, i) for i in range(20)]
    one = [gate.backbone.embed(s) for s in many]
    for threads in (1, 4):
        monkeypatch.setattr("realtime.learn.network.THREADS", threads)
        for a, b in zip(gate.backbone.embed_all(iter(many)), one, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_shipped_gate_that_was_not_learned_has_no_memory(gate):
    assert gate.memory is None


def test_no_gate(band_model, tmp_path):
    with pytest.raises(CardError, match="opens no gate"):
        read_gate(band_model)
    with pytest.raises(ModelError):
        read_gate(tmp_path / "no.gate")


def test_a_gate_without_an_embedding_or_a_head(gate_model, kit, tmp_path):
    with pytest.raises(RunnerError, match="no head that can be replaced"):
        read_gate(gate_model)
    onnx = pytest.importorskip("onnx")
    path = kit.write_learnable_onnx(tmp_path / "a.onnx", kit.learnable_card())
    model = onnx.load(path)
    kept = [o for o in model.graph.output if o.name != "embedding"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(RunnerError, match="no output embedding"):
        read_gate(path)


def test_a_gate_of_windows(kit):
    card = kit.band_card(task="gate")
    with pytest.raises(CardError, match="one frame a step"):
        Backbone(b"", card, "windows")
