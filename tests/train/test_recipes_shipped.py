"""Every recipe that is shipped: it can be read, its network fits, its data set trains."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("timm", reason="needs the train extra")

from models import build  # noqa: E402
from realtime.errors import UsageError  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.gate.recipe import GateRecipe  # noqa: E402
from train.masked import MaskedRecipe  # noqa: E402
from train.optimise import learning_rate  # noqa: E402
from train.recipe import Recipe, convert_recipe, read_recipe, read_tables  # noqa: E402

RECIPES = Path(__file__).parents[2] / "train" / "recipes"
ALL = sorted(p.relative_to(RECIPES).as_posix() for p in RECIPES.rglob("*.toml"))
STUDIES = [name for name in ALL if "/" in name]
TREES = {  # a recipe of each layout, and a network that two steps of take no time
    "ast/fsd50k.toml": "fsd50k",
    "fsd50k/cnn-single.toml": "fsd50k-families",
    "fsd50k/slim.toml": "fsd50k-slim",
    "instances/crnn.toml": "audioset",
    "keywords/dscnn-s.toml": "speech-commands12",
    "keywords/words35.toml": "speech-commands",
    "scenes/gmm.toml": "dcase",
    "waveforms/m3.toml": "urbansound8k",
    "instances/mil-dense-max.toml": "features",
    "esc10.toml": "esc10",
}
SMALL = {"ast/fsd50k.toml": ("model.layers=1", "model.pretrained=false")}


def read(name: str) -> Recipe | GateRecipe | MaskedRecipe:
    tables = read_tables(RECIPES / name)
    tables.pop("search", None)
    kinds = {"gate": GateRecipe, "masked": MaskedRecipe}
    return convert_recipe(tables, kinds.get(tables.get("task", ""), Recipe), RECIPES / name)


@pytest.mark.parametrize("name", ALL)
def test_it_can_be_read(name: str) -> None:
    recipe = read(name)
    assert recipe.name == Path(name).stem
    if isinstance(recipe, Recipe):
        # decisions fall on frames, as the card asks for
        hops = recipe.hop_s * recipe.features.rate / recipe.features.hop
        assert abs(hops - round(hops)) * recipe.features.hop < 1e-6 * recipe.features.rate
        assert recipe.hop_s <= recipe.window_s


def test_inputs_are_those_of_the_studies() -> None:
    sizes = {
        "ast/base.toml": (1024, 128),
        "fsd50k/cnn-multi.toml": (516, 128),
        "fsd50k/cnn-single.toml": (216, 64),
        "fsd50k/vgglike.toml": (101, 96),
        "panns/cnn14.toml": (1001, 64),
        "waveforms/m18.toml": (400, 80),
        "instances/talnet.toml": (400, 64),
        "instances/large-features.toml": (1024, 128),
        "instances/mil-dense.toml": (10, 128),
        "keywords/dscnn-s.toml": (49, 10),
        "audiomae-base.toml": (1024, 128),
    }
    for name, size in sizes.items():
        recipe = read(name)
        assert not isinstance(recipe, GateRecipe)
        spec = recipe.features
        assert (spec.frames_in(round(recipe.window_s * spec.rate)), spec.width) == size, name


def test_rates_fall_as_in_the_studies() -> None:
    for name in ("ast/base.toml", "ast/fsd50k.toml", "instances/cnn-transformer.toml"):
        fit = read_recipe(RECIPES / name).fit
        assert learning_rate(498, fit) < learning_rate(999, fit) == pytest.approx(fit.rate)
        falls = [learning_rate(step, fit) for step in range(1000, fit.steps)]
        assert falls[0] == fit.rate
        halves = sorted(set(falls), reverse=True)
        assert all(b == a / 2 for a, b in itertools.pairwise(halves))
        assert len(halves) == round(1 / fit.drop_every), name


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_network_takes_its_input() -> None:
    seen = set()
    for name in ALL:
        recipe = read(name)
        if not isinstance(recipe, Recipe):
            continue
        spec = recipe.features
        shape = (spec.frames_in(round(recipe.window_s * spec.rate)), spec.width)
        key = json.dumps([recipe.model, shape], sort_keys=True)
        if key in seen:
            continue
        seen.add(key)
        labels = len(recipe.data.labels) or 200
        with torch.device("meta"), torch.no_grad():
            network = build(recipe.model, labels, load=False).eval()
            assert network(torch.zeros(2, 1, *shape)).shape == (2, labels), name
    assert len(seen) > 60


def test_a_base_is_changed_field_by_field(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'name = "a"\n[model]\nnetwork = "x"\ny = 1\n[fit]\nsteps = 3\n'
    )
    (tmp_path / "b.toml").write_text(
        'base = "a.toml"\nname = "b"\n[fit]\nrate = 1.0\n[model]\ny = 2\n'
    )
    (tmp_path / "c.toml").write_text('base = "b.toml"\n[model]\nnetwork = "z"\n')
    assert read_tables(tmp_path / "b.toml") == {
        "name": "b", "model": {"network": "x", "y": 2}, "fit": {"steps": 3, "rate": 1.0},
    }  # fmt: skip
    assert read_tables(tmp_path / "c.toml")["model"] == {"network": "z"}
    (tmp_path / "a.toml").write_text('base = "c.toml"\n')
    with pytest.raises(UsageError, match="base"):
        read_tables(tmp_path / "b.toml")
    (tmp_path / "a.toml").write_text('base = "none.toml"\n')
    with pytest.raises(UsageError, match="No such file"):
        read_tables(tmp_path / "b.toml")


Plant = Callable[[Path], None]


def sound(path: Path, rate: int = 16_000, seconds: float = 0.4, seed: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 0.1, round(rate * seconds))
    soundfile.write(path, noise, rate)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")


def fsd50k(root: Path) -> None:
    ground = root / "FSD50K.ground_truth"
    text(ground / "vocabulary.csv", "0,Clapping,/m/clap\n1,Guitar,/m/guitar\n")
    rows = ["fname,labels,mids,split"]
    for i in range(8):
        part, both = ("val" if i > 5 else "train"), i in (0, 6)
        name = ("Clapping", "Guitar")[i % 2]
        mids = {"Clapping": "/m/clap", "Guitar": "/m/guitar"}
        labels, ids = ("Clapping,Guitar", "/m/clap,/m/guitar") if both else (name, mids[name])
        rows.append(f'{i},"{labels}","{ids}",{part}')
        sound(root / f"FSD50K.dev_audio/{i}.wav", 22_050, seed=i)
    rows += ['8,"Clapping","/m/clap",val', '9,"Guitar","/m/guitar",val']
    for i in (8, 9):
        sound(root / f"FSD50K.dev_audio/{i}.wav", 22_050, seed=i)
    text(ground / "dev.csv", "\n".join(rows) + "\n")
    text(ground / "eval.csv", 'fname,labels,mids\n20,"Guitar","/m/guitar"\n')
    sound(root / "FSD50K.eval_audio/20.wav", 22_050)
    names = (("human", "Human sounds", ["clap"]), ("clap", "Clapping", []),
             ("music", "Music", ["guitar"]), ("guitar", "Guitar", []))  # fmt: skip
    ontology = [
        {
            "id": f"/m/{i}",
            "name": n,
            "child_ids": [f"/m/{c}" for c in below],
            "restrictions": [],
        }
        for i, n, below in names
    ]
    text(root / "ontology.json", json.dumps(ontology))


def audioset(root: Path) -> None:
    names = '0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech"\n'
    text(root / "class_labels_indices.csv", f"index,mid,display_name\n{names}")
    lines = []
    for i in range(200):  # 2 % of the videos are the val part
        label = '"/m/09x0r,/m/05zppz"' if i % 2 else '"/m/09x0r"'
        lines.append(f"video{i:06}, 0.000, 10.000, {label}")
        sound(root / f"sounds/video{i:06}.wav", 32_000, 0.05, i)
    head = "# a\n# b\n# YTID, start_seconds, end_seconds, positive_labels\n"
    text(root / "balanced_train_segments.csv", head + "\n".join(lines) + "\n")


def words(root: Path) -> None:
    for word in ("yes", "no", "bed", "cat"):
        for speaker in range(40):
            sound(root / word / f"{speaker:08x}_nohash_0.wav", 16_000, 0.5, speaker)
    sound(root / "_background_noise_/hiss.wav", 16_000, 40.0)
    names = [
        f"{w}/{s:08x}_nohash_0.wav" for w in ("yes", "no", "bed", "cat") for s in range(40)
    ]
    text(root / "validation_list.txt", "\n".join(n for n in names if n[-14] in "34") + "\n")
    text(root / "testing_list.txt", "\n".join(n for n in names if n[-14] in "5") + "\n")


def scenes(root: Path) -> None:
    setup = []
    for i in range(48):  # 12 % of the places are the val part
        sound(root / f"audio/a{i:03}_0.wav", 44_100, 1.1, i)
        setup.append(f"audio/a{i:03}_0.wav\t{('bus', 'park')[i % 2]}")
    text(root / "meta.txt", "".join(f"{line}\t{line[6:10]}\n" for line in setup))
    for part, mine in (("train", setup[:40]), ("test", setup[40:]), ("evaluate", setup[40:])):
        text(root / f"evaluation_setup/fold1_{part}.txt", "\n".join(mine) + "\n")


def streets(root: Path) -> None:
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in range(1, 11):
        for target, name in ((3, "dog_bark"), (8, "siren")):
            file = f"{fold}00-{target}-0-{fold}.wav"
            sound(root / f"audio/fold{fold}/{file}", 8000, 1.0, fold)
            lines.append(f"{file},{fold}00,0.0,1.0,1,{fold},{target},{name}")
    text(root / "metadata/UrbanSound8K.csv", "\n".join(lines) + "\n")


def embeddings(root: Path) -> None:
    rng = np.random.default_rng(1)
    for label in ("bell", "horn"):
        (root / label).mkdir(parents=True)
        for i in range(60):
            np.save(root / label / f"{i}.npy", rng.normal(size=(10, 128)).astype(np.float32))


def environment(root: Path) -> None:
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for target, name in ((0, "dog"), (10, "rain")):
            file = f"{fold}-{fold}{target}-A-{target}.wav"
            sound(root / "audio" / file, 16_000, 1.0, fold)
            lines.append(f"{file},{fold},{target},{name},True,{fold}{target},A")
    text(root / "meta/esc50.csv", "\n".join(lines) + "\n")


PLANTS: dict[str, Plant] = {
    "fsd50k": fsd50k, "fsd50k-families": fsd50k, "fsd50k-slim": fsd50k, "audioset": audioset,
    "speech-commands": words, "speech-commands12": words, "dcase": scenes,
    "urbansound8k": streets, "features": embeddings, "esc10": environment,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TREES)
def test_two_steps_on_a_tiny_tree_of_its_layout(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    layout, root, manifest = TREES[name], tmp_path / "tree", tmp_path / "m.csv"
    PLANTS[layout](root)
    assert rt_train(["manifest", layout, str(root), "-o", str(manifest)]) == 0
    capsys.readouterr()
    changes = [f"data.manifest={manifest}", f"data.root={root}", "fit.steps=2", "mix.batch=4"]
    changes += ["fit.validate=1", "fit.threads=1", *SMALL.get(name, ())]
    words = [x for change in changes for x in ("--set", change)]
    assert rt_train([str(RECIPES / name), "-o", str(tmp_path / "run"), *words]) == 0
    assert Path(capsys.readouterr().out.strip()).exists()
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 3
    assert (tmp_path / "run" / "curves.png").exists()
    as_run = read_recipe(tmp_path / "run" / "recipe.toml")
    assert as_run.fit.steps == 2
    assert as_run.data.labels
