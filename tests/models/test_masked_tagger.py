"""Audio-MAE: it sees what it may see, learns to fill in, and starts a tagger."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("timm", reason="needs the train extra")

from safetensors.torch import save_file  # noqa: E402

from models import build, parameters  # noqa: E402
from models.masked_tagger import (  # noqa: E402
    MaskedAutoencoder,
    MaskedTagger,
    MaskedTaggerConfig,
    places,
)
from realtime.errors import ModelError, UsageError  # noqa: E402

torch.set_num_threads(1)

CONFIG = MaskedTaggerConfig(
    labels=5, width=48, layers=2, heads=2, patch=4, decoder=32, decoder_layers=2,
    decoder_heads=2, window=4,
)  # fmt: skip
FIELDS = {"network": "audiomae", "width": 48, "layers": 2, "heads": 2, "patch": 4}


def autoencoder() -> MaskedAutoencoder:
    torch.manual_seed(1)
    return MaskedAutoencoder(CONFIG, 32, 16)


def test_the_error_is_of_hidden_patches_only() -> None:
    network = autoencoder().eval()
    x = torch.randn(2, 1, 32, 16)
    order = torch.rand(2, 32).argsort(1)
    with torch.no_grad():
        error, guess, hidden = network(x, order)
    assert hidden.sum(1).tolist() == [26, 26]  # four fifths of 32
    by_hand = (guess - network.cut(x))[hidden].square().mean()
    assert torch.allclose(error, by_hand)
    # patches are the picture's: the second is the next four bands of the same frames
    assert torch.equal(network.cut(x)[0, 1], x[0, 0, :4, 4:8].flatten())


def test_what_is_hidden_is_not_seen() -> None:
    network = autoencoder().eval()
    x, order = torch.randn(1, 1, 32, 16), torch.rand(1, 32).argsort(1)
    other = x.clone()
    for patch in order[0, 6:].tolist():  # all but the six seen ones
        row, column = 4 * (patch // 4), 4 * (patch % 4)
        other[0, 0, row : row + 4, column : column + 4] = 9.0
    with torch.no_grad():
        assert torch.equal(network(x, order)[1], network(other, order)[1])


def test_it_learns_to_fill_in() -> None:
    network = autoencoder()
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    g = torch.Generator().manual_seed(2)
    band, losses = torch.linspace(0, 3, 16), []
    for _ in range(100):  # every picture is one wave over bands, of its own phase
        phase = 6.28 * torch.rand(16, 1, 1, 1, generator=g)
        x = torch.sin(band + phase).expand(-1, 1, 32, -1)
        loss, _, _ = network(x, torch.rand(16, 32, generator=g).argsort(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) / 5 < 0.3  # knowing nothing leaves a half
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_a_tagger_starts_from_it(tmp_path: Path) -> None:
    network = autoencoder()
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    save_file(tensors, tmp_path / "mae.safetensors")
    tagger = build({**FIELDS, "weights": str(tmp_path / "mae.safetensors")}, 5)
    theirs = network.encoder.state_dict()
    assert all(torch.equal(v, theirs[k]) for k, v in tagger.encoder.state_dict().items())
    with pytest.raises(ModelError, match="no fitting"):
        build({**FIELDS, "width": 64, "weights": str(tmp_path / "mae.safetensors")}, 5)


def test_names_of_the_original_are_read(tmp_path: Path) -> None:
    source = autoencoder().encoder
    named = {
        {"token": "cls_token"}.get(k, k.replace("patches.", "patch_embed.proj.")): v
        for k, v in source.state_dict().items()
    }
    torch.save({"model": {**named, "pos_embed": torch.zeros(1, 33, 48)}}, tmp_path / "p.pth")
    tagger = build({**FIELDS, "weights": str(tmp_path / "p.pth"), "freeze": True}, 5)
    assert torch.equal(tagger.encoder.token, source.token)
    assert not any(p.requires_grad for p in tagger.encoder.parameters())


def test_stripes_are_hidden_while_a_tagger_learns() -> None:
    tagger = MaskedTagger(CONFIG)
    seen: list[int] = []
    tagger.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    x = torch.randn(2, 1, 40, 40)  # 10 x 10 patches
    first, second = tagger.train()(x), tagger(x)
    assert not torch.equal(first, second)
    tagger.eval()
    assert torch.equal(tagger(x), tagger(x))
    assert seen == [49, 49, 100, 100]  # 7 x 7 of 10 x 10


def test_positions_are_all_different() -> None:
    at = places((6, 5), 48, torch.device("cpu"))
    assert at.shape == (30, 48)
    assert (torch.cdist(at, at) + torch.eye(30) > 0.1).all()


def test_the_base_has_the_published_size() -> None:
    with torch.device("meta"):
        network = MaskedAutoencoder(MaskedTaggerConfig(), 1024, 128)
    encoder = parameters(network.encoder)
    assert encoder == pytest.approx(86e6, rel=0.02)  # ViT-B: Huang 2022, table 3
    assert parameters(network) - encoder == pytest.approx(51e6, rel=0.02)


def test_windows_are_whole() -> None:
    with pytest.raises(UsageError, match="30 x 16") as e:
        MaskedAutoencoder(CONFIG, 30, 16)
    assert "multiples of 16" in e.value.hint
