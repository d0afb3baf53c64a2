"""AST: as transformers computes it, from everybody's weights, in every shape of patch."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
timm = pytest.importorskip("timm", reason="needs the train extra")

from safetensors.torch import save_file  # noqa: E402

from models import build  # noqa: E402
from models.checkpoint import load_model, save_checkpoint  # noqa: E402
from models.foreign import adopt, carried, read_tensors  # noqa: E402
from realtime.card import Card, InputSpec  # noqa: E402
from realtime.errors import ModelError  # noqa: E402
from realtime.features import kaldi_fbank  # noqa: E402

torch.set_num_threads(1)

SMALL = {"network": "ast-tiny", "frames": 64, "mels": 48}


def random(seed: int = 1, **fields: object) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build({**SMALL, **fields}, 5).eval()


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    """transformers' AST with weights that are all different."""
    transformers = pytest.importorskip(
        "transformers", reason="AST is held against transformers' where that is installed"
    )
    torch.manual_seed(2)
    config = transformers.ASTConfig(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768,
        max_length=64, num_mel_bins=48, num_labels=5,
    )  # fmt: skip
    model = transformers.ASTForAudioClassification(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            value += 0.02 * torch.randn_like(value)
    return model


def test_it_computes_what_transformers_computes(theirs: torch.nn.Module) -> None:
    ours = random(epsilon=1e-12)
    assert adopt(ours, theirs.state_dict()) == []
    x = torch.randn(3, 64, 48, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        want = theirs(x).logits
        assert want.std() > 0.1
        assert (ours(x[:, None]) - want).abs().max() <= 1e-4


def test_files_of_transformers_are_read(theirs: torch.nn.Module, tmp_path: Path) -> None:
    theirs.save_pretrained(tmp_path)  # by the names of release 4
    assert any("encoder.layer" in n for n in read_tensors(str(tmp_path / "model.safetensors")))
    ours = random(weights=str(tmp_path / "model.safetensors"), epsilon=1e-12)
    x = torch.randn(2, 64, 48)
    with torch.no_grad():
        assert (ours(x[:, None]) - theirs(x).logits).abs().max() <= 1e-4


def original_names(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A network's weights as a checkpoint of the original project names them."""
    out = {}
    for name, value in network.state_dict().items():
        if name == "tokens":
            out["module.v.cls_token"], out["module.v.dist_token"] = value.split(1, 1)
        elif name == "positions":
            out["module.v.pos_embed"] = value
        elif name.startswith("head"):
            part, field = name.split(".")
            out[f"module.mlp_head.{0 if part == 'head_norm' else 1}.{field}"] = value
        else:
            out["module.v." + name.replace("patches.", "patch_embed.proj.")] = value
    # the image network's own heads are still in those files
    out["module.v.head.weight"] = torch.randn(1000, 192)
    out["module.v.head_dist.weight"] = torch.randn(1000, 192)
    return out


def test_checkpoints_of_the_original_are_read(tmp_path: Path) -> None:
    source = random(7)
    torch.save(original_names(source), tmp_path / "ast.pth")
    ours = random(8, weights=str(tmp_path / "ast.pth"))
    x = torch.randn(2, 1, 64, 48)
    with torch.no_grad():
        assert torch.equal(ours(x), source(x))


def test_weights_of_a_longer_window_and_other_labels_are_taken() -> None:
    source = random(7, frames=144)
    torch.manual_seed(9)
    ours = build(SMALL, 3)
    before = ours.head.weight.clone()
    assert adopt(ours, original_names(source)) == ["head.weight", "head.bias"]
    assert torch.equal(ours.head.weight, before)
    # 13 columns become the 5 in the middle, all 4 rows stay
    kept = source.positions[:, 2:].unflatten(1, (4, 13))[:, :, 4:9].flatten(1, 2)
    assert torch.equal(ours.positions[:, 2:], kept)


@pytest.mark.parametrize(("name", "tokens"), [
    ("deit_tiny_distilled_patch16_224", 2), ("vit_tiny_patch16_224", 1),
])  # fmt: skip
def test_an_image_network_is_a_start(name: str, tokens: int, tmp_path: Path) -> None:
    torch.manual_seed(4)
    image = timm.create_model(name, num_classes=10)
    with torch.no_grad():
        image.pos_embed += 0.1 * torch.randn_like(image.pos_embed)
    save_file(image.state_dict(), tmp_path / "image.safetensors")
    ours = random(backbone=name, weights=str(tmp_path / "image.safetensors"))
    assert torch.equal(ours.blocks[3].mlp.fc1.weight, image.blocks[3].mlp.fc1.weight)
    assert torch.allclose(ours.patches.weight, image.patch_embed.proj.weight.mean(1, True))
    assert ours.tokens.shape[1] == tokens
    short = random(backbone=name, weights=str(tmp_path / "image.safetensors"), layers=3)
    assert len(short.blocks) == 3
    assert torch.equal(ours.tokens[:, :1], image.cls_token)
    # the grid of 14 x 14 is cut to the 4 x 5 in its middle
    middle = image.pos_embed[:, tokens:].unflatten(1, (14, 14))[:, 5:9, 4:9].flatten(1, 2)
    assert torch.equal(ours.positions[:, tokens:], middle)
    anew = random(backbone=name, weights=str(tmp_path / "image.safetensors"), positions="new")
    assert float(anew.positions.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_positions_are_cut_and_stretched() -> None:
    y = torch.arange(12.0).reshape(1, 12, 1)  # 3 rows of 4
    assert carried(y, (3, 4), (3, 4), "bilinear").equal(y)
    assert carried(y, (3, 4), (1, 2), "bilinear").flatten().tolist() == [5.0, 6.0]
    wide = carried(y, (3, 4), (3, 8), "nearest").unflatten(1, (3, 8))[0, 0, :, 0]
    assert wide.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    wide = carried(y, (3, 4), (3, 8), "bilinear").unflatten(1, (3, 8))[0, 0, :, 0]
    assert wide.tolist() == [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]


@pytest.mark.parametrize(
    ("stride", "patches"), [(16, 512), (14, 657), (12, 850), (10, 1212)]
)  # Gong 2021, table 6, gives these for 128 x 1024
def test_patches_are_as_many_as_in_the_paper(stride: int, patches: int) -> None:
    with torch.device("meta"):
        network = build({"network": "ast-tiny", "stride": [stride, stride]}, 5)
    assert network.positions.shape[1] - 2 == patches


@pytest.mark.parametrize("patch", [[2, 128], [32, 32], [16, 16]])
def test_patches_of_any_shape(patch: list[int]) -> None:
    torch.manual_seed(1)
    network = build({"network": "ast-tiny", "frames": 80, "patch": patch, "stride": patch}, 4)
    assert network.eval()(torch.zeros(1, 1, 80, 128)).shape == (1, 4)


def test_a_frozen_network_learns_its_head_only() -> None:
    network = random(freeze=True)
    network(torch.randn(1, 1, 64, 48)).sum().backward()
    learning = {n for n, p in network.named_parameters() if p.grad is not None}
    assert learning == {"head.weight", "head.bias", "head_norm.weight", "head_norm.bias"}


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no weights"):
        random(weights=str(tmp_path / "x.pth"))
    with pytest.raises(ModelError, match="no weights"):
        random(weights=str(tmp_path / "missing.safetensors"))
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="holds no"):
        random(weights=str(tmp_path / "a.safetensors"))
    with torch.device("meta"):
        small = build({"network": "ast-small", "frames": 64, "mels": 48}, 5)
    with pytest.raises(ModelError, match="tokens of shape"):
        adopt(random(), original_names(small))


def test_a_checkpoint_outlives_the_weights_it_began_with(tmp_path: Path) -> None:
    save_file({f"model.{k}": v for k, v in random(3).state_dict().items()},
              tmp_path / "first.safetensors")  # fmt: skip
    description = {**SMALL, "weights": str(tmp_path / "first.safetensors")}
    network = build(description, 5)
    (tmp_path / "first.safetensors").unlink()
    card = Card(
        format=1, name="x", task="tag", rate=16_000, window_s=0.655, hop_s=0.1,
        input=InputSpec(kind="features", features=kaldi_fbank(mels=48)),
        labels=("a", "b", "c", "d", "e"), scores="logit_softmax",
    )  # fmt: skip
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    save_checkpoint(tmp_path / "run.safetensors", tensors, description, card)
    again, _ = load_model(tmp_path / "run.safetensors")
    x = torch.randn(1, 1, 64, 48)
    with torch.no_grad():
        assert torch.equal(again(x), network.eval()(x))
