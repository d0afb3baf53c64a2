"""Every network of the catalogue: shapes, sizes as published, gradients, any length."""

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from models import FAMILIES, build, classes_of, parameters  # noqa: E402
from models.catalogue import CATALOGUE, Entry  # noqa: E402
from models.cost import cost, macs  # noqa: E402
from realtime.errors import UsageError  # noqa: E402

torch.set_num_threads(1)  # two wait for each other on a busy machine

# a small network of every family, its window, and another window that it takes too
SMALL: dict[str, tuple[dict[str, object], tuple[int, int], tuple[int, int] | None]] = {
    "ast": ({"network": "ast-tiny", "frames": 40, "mels": 32, "layers": 2}, (40, 32), (26, 32)),
    "audiomae": (
        {"network": "audiomae", "width": 32, "layers": 2, "heads": 2, "hide_time": 0.0},
        (48, 32),
        (80, 32),
    ),
    "resnet18": ({"network": "resnet18"}, (40, 40), (61, 40)),
    "resnet18, attention": (
        {"network": "resnet18", "pooling": "attention"}, (64, 40), (90, 40)
    ),
    "mn04": ({"network": "mn04"}, (64, 40), (77, 40)),
    "cnn-single": ({"network": "cnn-single"}, (50, 32), (23, 32)),
    "cnn-multi": ({"network": "cnn-multi"}, (516, 128), (300, 64)),
    "vgglike": ({"network": "vgglike"}, (50, 40), (33, 40)),
    "crnn": ({"network": "crnn", "mels": 40}, (40, 40), (57, 40)),
    "cnn6": ({"network": "cnn6", "mels": 32}, (40, 32), (63, 32)),
    "cnn10": ({"network": "cnn10", "mels": 32}, (40, 32), (63, 32)),
    "dscnn-s": ({"network": "dscnn-s"}, (49, 10), (25, 10)),
    "dscnn-l": ({"network": "dscnn-l"}, (49, 10), (25, 10)),
    "dscnn": ({"network": "dscnn", "stem": 4, "stages": [[8, 2, 2]]}, (40, 20), (31, 20)),
    "bcresnet-1": ({"network": "bcresnet-1"}, (60, 40), (33, 80)),
    "kwt-1": ({"network": "kwt-1", "layers": 2}, (98, 40), (50, 40)),
    "m5": ({"network": "m5"}, (20, 80), (31, 80)),
    "m34-res": ({"network": "m34-res"}, (30, 80), (41, 80)),
    "m11 with dense layers, without norm": (
        {"network": "m11", "dense": [32], "norm": False, "taps": 8}, (20, 80), (31, 80)
    ),
    "talnet": ({"network": "talnet", "embedding": 128, "width": 32}, (40, 64), (57, 64)),
    "cnn-transformer": (
        {"network": "cnn-transformer", "embedding": 128, "width": 32, "feedforward": 64},
        (40, 64),
        (57, 64),
    ),
    "transformer": (
        {"network": "transformer", "width": 32, "layers": 2, "feedforward": 64, "mels": 20},
        (40, 20),
        (31, 20),
    ),
    "conformer": (
        {"network": "conformer", "width": 32, "layers": 2, "feedforward": 64, "mels": 20,
         "kernel": 7},
        (40, 20),
        (31, 20),
    ),
    "mil-dense": ({"network": "mil-dense"}, (10, 128), (7, 128)),
    "gmm": ({"network": "gmm", "mels": 5, "components": 3}, (20, 5), (31, 5)),
    "ivector": (
        {"network": "ivector", "mels": 5, "components": 3, "size": 4}, (20, 5), (31, 5)
    ),
    "linear": ({"network": "linear"}, (10, 128), None),
    "dnn": ({"network": "dnn", "units": 16}, (98, 40), None),
    "conv1d": ({"network": "conv1d"}, (10, 128), (7, 128)),
    "conv2d": ({"network": "conv2d"}, (10, 128), (7, 128)),
    "lstm": ({"network": "lstm"}, (10, 128), (7, 128)),
    "gru": ({"network": "gru", "units": 16}, (98, 40), (50, 40)),
}  # fmt: skip


def made(name: str) -> torch.nn.Module:
    torch.manual_seed(5)
    return build(SMALL[name][0], 5)


def test_every_family_is_tried() -> None:
    tried = {str(row[0]["network"]) for row in SMALL.values()}
    families = {CATALOGUE[n].family if n in CATALOGUE else n for n in tried}
    assert families | {"gate"} == set(FAMILIES)  # the gate has tests of its own
    assert {e.family for e in CATALOGUE.values()} <= set(FAMILIES)


@pytest.mark.parametrize("name", SMALL)
def test_a_step_reaches_every_parameter(name: str) -> None:
    network = made(name).train()
    with torch.no_grad():  # some ways begin at zero, and what lies before them waits
        for value in network.parameters():
            if not value.any():
                value += 0.1
    x = torch.randn(3, 1, *SMALL[name][1], generator=torch.Generator().manual_seed(1))
    logits = network(x)
    assert logits.shape == (3, 5)
    (logits * torch.randn(3, 5, generator=torch.Generator().manual_seed(2))).sum().backward()
    still = [
        n
        for n, p in network.named_parameters()
        if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.any()
    ]
    assert still == []


@pytest.mark.parametrize("name", [n for n, row in SMALL.items() if row[2]])
def test_windows_of_another_length_are_taken(name: str) -> None:
    shape = SMALL[name][2]
    assert shape is not None
    description = dict(SMALL[name][0])
    if "mels" in description:
        description["mels"] = shape[1]
    network = build(description, 5).eval()
    with torch.no_grad():
        out = network(torch.randn(2, 1, *shape))
    assert out.shape == (2, 5)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", ["linear", "dnn"])
def test_a_network_for_one_length_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="a window of 9 x 30") as e:
        made(name)(torch.zeros(1, 1, 9, 30))
    assert e.value.hint == "set model.frames=9 and model.mels=30"


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"network": "kwt-1", "width": 30, "heads": 4}, "model.width 30"),
        ({"network": "conformer", "width": 30}, "model.width 30"),
        ({"network": "talnet", "mels": 40}, "model.mels 40"),
        ({"network": "ast-tiny", "mels": 8}, "holds no patch"),
        ({"network": "ast", "backbone": "resnet18"}, "resnet18"),
        ({"network": "backbone", "backbone": "resnet81"}, "no network resnet81"),
        ({"network": "cnn14", "chanels": [1]}, "chanels"),
        ({"network": "cnn41"}, "no network 'cnn41'"),
    ],
)
def test_what_cannot_be_is_said(description: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(description, 3)


def test_windows_that_do_not_fit_are_said() -> None:
    with pytest.raises(UsageError, match="a window of 120 frames"):
        build({"network": "kwt-1", "layers": 1}, 3)(torch.zeros(1, 1, 120, 40))
    with pytest.raises(UsageError, match="no multiple of 5"):
        made("bcresnet-1")(torch.zeros(2, 1, 30, 32))


# the largest take seconds to lay out even without values
LARGE = ("efficientnet-b7", "efficientnetv2-m", "efficientnetv2-xl", "densenet121")
PUBLISHED = {n: e for n, e in CATALOGUE.items() if e.published}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_size_is_the_published_one(name: str) -> None:
    entry = PUBLISHED[name]
    with torch.device("meta"):
        network = build({"network": name}, entry.labels)
    size = parameters(network)
    if not entry.within:
        assert size == round(1000 * entry.published)
    assert size == pytest.approx(1000 * entry.published, rel=entry.within or 1e-9)


@pytest.mark.parametrize(
    ("name", "millions", "within"),
    [
        # operations are twice the MACs in the paper of DS-CNN
        ("dscnn-s", 5.4 / 2, 0.02), ("dscnn-m", 19.8 / 2, 0.02), ("dscnn-l", 56.9 / 2, 0.02),
        ("mn04", 110.0, 0.02), ("mn10", 540.0, 0.02),
    ],
)  # fmt: skip
def test_the_work_is_the_published_one(name: str, millions: float, within: float) -> None:
    entry: Entry = CATALOGUE[name]
    counted = cost({"network": name}, entry.labels, (entry.frames, entry.width))
    assert counted.macs == pytest.approx(1e6 * millions, rel=within)


def test_work_is_counted_by_hand() -> None:
    # 49 x 10 by 2 x 2 is 25 x 5; 10 x 4 taps to 64; four times 9 taps and 64 x 64; 12 scores
    by_hand = 25 * 5 * (40 * 64 + 4 * (9 * 64 + 64 * 64)) + 64 * 12
    assert macs(build({"network": "dscnn-s"}, 12), (49, 10)) == by_hand
    # a recurrent layer: three gates from 40 values and 16 units, both ways, twice
    network = build({"network": "gru", "units": 16}, 12)
    layers = 2 * 3 * 16 * (40 + 16) + 2 * 3 * 16 * (32 + 16)
    assert macs(network, (98, 40)) == 98 * layers + 32 * 12


def test_every_entry_has_fields_of_its_family() -> None:
    for name, entry in CATALOGUE.items():
        config = classes_of(entry.family)[1]
        assert set(entry.fields) <= set(config.__struct_fields__), name
