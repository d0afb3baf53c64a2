"""The gate network: the same scores whole, in pieces and by step; it hears nothing later."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the train extra")

from models.gate import GateConfig, GateNetwork, GateStep  # noqa: E402

torch.set_num_threads(1)  # two wait for each other on a busy machine

CONFIG = GateConfig(labels=3, mels=10, channels=(6, 8), units=(7, 9), head=24, kinds=4)


@pytest.fixture(scope="module")
def network() -> GateNetwork:
    torch.manual_seed(3)
    return GateNetwork(CONFIG).eval()


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    return torch.randn(2, 60, CONFIG.mels, generator=torch.Generator().manual_seed(1))


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 59), max_size=6))
def test_any_partition_gives_the_scores_of_the_whole(network, clip, cuts) -> None:
    whole, _ = network(clip)
    states, parts = None, []
    edges = [0, *sorted(set(cuts)), 60]
    for a, b in pairwise(edges):
        part, states = network(clip[:, a:b], states)
        parts.append(part)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-6)


def test_the_exported_step_gives_the_scores_of_the_whole(network, clip) -> None:
    whole, _ = network(clip[:1])
    embedding, _ = network.embed(clip[:1])
    step = GateStep(network)
    states = [torch.zeros(shape) for shape in network.state_shapes().values()]
    for t in range(60):
        scores, *states, known = step(clip[:1, t : t + 1], *states)
        assert torch.allclose(scores, whole[:, t], atol=1e-6)
        assert torch.allclose(known, embedding[:, t], atol=1e-6)
        assert [s.shape for s in states] == list(network.state_shapes().values())


def test_nothing_later_is_heard(network, clip) -> None:
    changed = clip.clone()
    changed[:, 30:] = 5.0
    before, _ = network(clip)
    after, _ = network(changed)
    assert torch.allclose(before[:, :30], after[:, :30], atol=1e-6)
    assert not torch.allclose(before[:, 30], after[:, 30])


def test_a_frame_long_past_is_still_known(network, clip) -> None:
    changed = clip.clone()
    changed[:, 0] += 3.0
    assert not torch.equal(network(clip)[0][:, 12], network(changed)[0][:, 12])
