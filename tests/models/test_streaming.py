"""A twin says at every step what its network says of an endless recording."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")

from models import build  # noqa: E402
from models.runner import TorchRunner  # noqa: E402
from models.streaming import (  # noqa: E402
    Borderless,
    Twin,
    TwinRunner,
    reach_of,
    silence_of,
    twin_of,
)
from models.streaming_layers import family_of  # noqa: E402
from realtime.card import FORMAT, Card, Decision, InputSpec  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from realtime.features import FeatureSpec  # noqa: E402

SPEC = FeatureSpec(
    kind="mel", rate=16_000, frame=480, mels=40, log_floor=1e-5, mean=-4.0, std=4.0
)
DSCNN = {"network": "dscnn", "stem": 8, "stages": [[12, 1, 2], [16, 2, 2]]}
NETWORKS = {  # name: description, frames of a window, mels, frames a step
    "dscnn": (DSCNN, 98, 40, 8),
    "dscnn-s": ({"network": "dscnn-s"}, 49, 10, 6),
    "dscnn-l": ({"network": "dscnn-l"}, 49, 10, 4),
    "bcresnet": ({"network": "bcresnet-1"}, 98, 40, 10),
    "crnn": ({"network": "crnn", "channels": 8, "units": 8}, 101, 96, 16),
}


def sounds(count: int, frames: int, mels: int):
    """Noise whose colour changes some five times a second, float32 [count, 1, frames, mels]."""
    slow = torch.randn(count, 1, frames // 20 + 2, max(2, mels // 8))
    colour = torch.nn.functional.interpolate(slow, (frames, mels), mode="bilinear")
    return 3 * colour + torch.randn(count, 1, frames, mels)


def trained(description: dict, frames: int, mels: int, labels: int = 4):
    """A network of random weights whose scores differ as a trained one's do."""
    torch.set_num_threads(1)  # two wait for each other on a busy machine
    torch.manual_seed(1)
    network = build(description, labels)
    noise = sounds(8, frames, mels)
    network.train()
    with torch.no_grad():
        for _ in range(5):
            network(noise)
        network.eval()
        last = list(network.parameters())[-2]
        last.mul_(2 / network(noise).std(0).mean())
    return network


def card_of(**changes) -> Card:
    fields = {
        "format": FORMAT,
        "name": "trial",
        "task": "tag",
        "input": InputSpec(kind="features", features=SPEC),
        "rate": SPEC.rate,
        "window_s": 1.0,
        "hop_s": 0.1,
        "labels": ("yes", "no", "up", "unknown"),
        "scores": "logit_softmax",
        "digest": SPEC.digest(),
    }
    return Card(**fields | changes)


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_to_the_network_at_every_step(name):
    description, frames, mels, step = NETWORKS[name]
    network = trained(description, frames, mels)
    silence = torch.randn(mels)
    instants = 12
    twin, whole = Twin(network, step, instants, silence), Borderless(network, instants)
    steps = 2 * whole.frames // step
    sound = sounds(1, steps * step, mels)
    heard = torch.cat([silence.expand(1, 1, whole.frames, mels), sound], 2)
    states = [torch.zeros(shape) for shape in twin.state_shapes().values()]
    seen = []
    with torch.no_grad():
        for i in range(steps):
            scores, *states = twin(sound[:, :, i * step : (i + 1) * step], *states)
            end = whole.frames + (i + 1) * step
            want = whole(heard[:, :, end - whole.frames : end])
            torch.testing.assert_close(scores, want, rtol=1e-5, atol=1e-5)
            seen.append(want)
    assert torch.cat(seen).std(0).mean() > 0.1, "scores that never change show nothing"


@pytest.mark.parametrize("name", NETWORKS)
def test_inside_a_long_window_the_network_itself_says_the_same(name):
    """Not by code of ours: the network's own forward, with its padding far away."""
    description, frames, mels, _ = NETWORKS[name]
    network = trained(description, frames, mels)
    reach, whole = reach_of(network), Borderless(network, 3)
    step = reach.stride
    sound = sounds(1, whole.frames + 40 * step, mels)
    with torch.no_grad():
        far = family_of(network).instants(network, sound, None)
        near = family_of(network).instants(network, sound[:, :, 20 * step :], None)
        inside = slice(20 + reach.first, 20 + reach.first + 3)
        torch.testing.assert_close(
            far[:, inside], near[:, reach.first : reach.first + 3], rtol=1e-4, atol=1e-5
        )
        edge = (far[:, 20] - near[:, 0]).abs().max()
    assert edge > 1e-3, "a padded instant does differ: `first` is no larger than it need be"


@pytest.mark.parametrize("name", NETWORKS)
def test_instants_are_pooled_as_the_network_does_it(name):
    description, frames, mels, _ = NETWORKS[name]
    network = trained(description, frames, mels)
    family = family_of(network)
    x = sounds(3, frames, mels)
    with torch.no_grad():
        scores = family.scores(network, family.instants(network, x, None))
        torch.testing.assert_close(scores, network(x), rtol=1e-5, atol=1e-5)


def test_silence_before_the_start():
    """After a reset the engine's windows hold silence, and so does a twin's past."""
    network = trained(DSCNN, 98, 40)
    twin, card = twin_of(network, card_of())
    runner = TwinRunner(twin, card)
    quiet = silence_of(SPEC).expand(card.window_frames, 40).numpy()
    first = runner.run(quiet)
    for _ in range(30):
        np.testing.assert_allclose(runner.run(quiet), first, atol=1e-6)
    runner.run(np.random.default_rng(0).standard_normal((8, 40)).astype(np.float32))
    runner.reset()
    np.testing.assert_allclose(runner.run(quiet), first, atol=1e-6)


def test_card():
    rule = Decision(average=3, confirm=3, hysteresis=0.2)
    twin, card = twin_of(trained(DSCNN, 98, 40), card_of(decision=rule))
    assert twin.reach.stride == 4
    assert card.window_s == card.hop_s == pytest.approx(0.08)
    assert card.window_frames == twin.frames == 8
    assert [s.name for s in card.states] == list(twin.state_shapes())
    assert (card.decision.average, card.decision.confirm) == (4, 4), "0.3 s, as before"
    assert card.decision.hysteresis == 0.2


def test_whole_windows_give_the_same_events(tmp_path):
    from export.calibrate import take_clips
    from export.sounds import DEMO, read_mono
    from export.verify import events_of

    sound = tmp_path / "part.wav"
    soundfile.write(sound, read_mono(DEMO, SPEC.rate)[: 8 * SPEC.rate], SPEC.rate)
    card = card_of(thresholds={"default": 0.4}, decision=Decision(exclusive=True))
    network = trained(DSCNN, 98, 40)
    clips = torch.from_numpy(take_clips(card, [], "val", 20, "demo").windows)[:, None]
    with torch.no_grad():
        network.train()(clips)
        network.eval().classifier.bias -= network(clips).mean(0)
    twin, streaming = twin_of(network, card, instants=6)
    whole = Borderless(network, 6)
    window_s = ((whole.frames - 1) * SPEC.hop + SPEC.frame) / SPEC.rate
    windows = msgspec.structs.replace(card, window_s=window_s, hop_s=streaming.hop_s)
    ours = events_of(TwinRunner(twin, streaming), sound)
    theirs = events_of(TorchRunner(whole, windows), sound)
    assert len(ours) > 5
    for a, b in zip(ours[:-1], theirs[:-1], strict=False):  # they end in other silences
        assert (a.label, a.t, a.stop) == (b.label, b.t, b.stop)
        assert a.peak == pytest.approx(b.peak, abs=1e-4)


def test_wrong_use():
    network = trained(DSCNN, 98, 40)
    silence = torch.zeros(40)
    for frames in (0, 3, 7, 400):
        with pytest.raises(UsageError, match="a step of"):
            Twin(network, frames, 6, silence)
    with pytest.raises(UsageError, match="VGGLike has no streaming twin"):
        reach_of(build({"network": "vgglike"}, 4))
    waveform = card_of(input=InputSpec(kind="waveform", layout="bt"), digest="")
    with pytest.raises(UsageError, match="has no streaming twin"):
        twin_of(network, waveform)
