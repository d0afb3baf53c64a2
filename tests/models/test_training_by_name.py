"""`rt-train` takes networks of the catalogue: spectrograms, patches and waveforms."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("timm", reason="needs the train extra")

from safetensors.torch import save_file  # noqa: E402

from models import build  # noqa: E402
from models.checkpoint import load_model  # noqa: E402
from train.command import main as rt_train  # noqa: E402
from train.evaluate import main as rt_eval  # noqa: E402
from train.manifest import Row, write_manifest  # noqa: E402

WORDS = Path(__file__).parents[1] / "data" / "words"
LABELS = ("yes", "no", "stop")

RECIPE = """
name = "tiny"
window_s = {window}
hop_s = {hop}
[data]
manifest = "{manifest}"
root = "{root}"
labels = ["yes", "no", "stop"]
[features]
{features}
[model]
{model}
[mix]
batch = 6
silence = 0.0
fragment = 0.0
[fit]
steps = 2
validate = 2
threads = 1
"""
KALDI = """kind = "mel"
rate = 16000
window = "hann_symmetric"
mels = 32
mel_scale = "kaldi"
preemphasis = 0.97
remove_dc = true
log_floor = 1.1920929e-7
mean = -4.27
std = 9.14"""  # 2 x 4.57: AST's normalisation divides by twice the deviation
MEL = 'kind = "mel"\nrate = 16000\nframe = 480\nhop = 160\nmels = 40'
MFCC = MEL.replace('"mel"', '"mfcc"') + "\ncepstra = 13"
WAVE = 'kind = "waveform"\nrate = 8000\nhop = 80'

CASES = {
    "ast": (
        0.5,
        0.1,
        KALDI,
        'network = "ast-tiny"\nframes = 48\nmels = 32\nlayers = 2\nweights = "{w}"',
    ),
    "bcresnet": (1.0, 0.1, MEL, 'network = "bcresnet-1"'),
    "gmm": (1.0, 0.1, MFCC, 'network = "gmm"\nmels = 13\ncomponents = 2'),
    "waveform": (1.0, 0.1, WAVE, 'network = "m3"\nstem = 32\nstages = [[32, 1]]'),
}


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_trains_and_is_judged(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RT_CACHE", str(tmp_path / "cache"))
    files = [f for label in LABELS for f in sorted((WORDS / label).glob("*.flac"))[:3]]
    rows = [
        Row(f.relative_to(WORDS).as_posix(), f.parent.name, f.stem,
            "val" if i % 3 == 2 else "train", "clip")
        for i, f in enumerate(files)
    ]  # fmt: skip
    write_manifest(tmp_path / "m.csv", rows)
    window, hop, features, model = CASES[name]
    if "{w}" in model:
        torch.manual_seed(1)
        start = build({"network": "ast-tiny", "frames": 48, "mels": 32, "layers": 2}, 3)
        with torch.no_grad():
            start.norm.bias.fill_(0.25)
        tensors = {f"model.{k}": v for k, v in start.state_dict().items()}
        save_file(tensors, tmp_path / "start.safetensors")
        model = model.replace("{w}", str(tmp_path / "start.safetensors"))
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE.format(
        window=window, hop=hop, manifest=tmp_path / "m.csv", root=WORDS, features=features,
        model=model,
    ))  # fmt: skip
    assert rt_train([str(recipe), "-o", str(tmp_path / "run")]) == 0
    best = capsys.readouterr().out.strip()
    network, card = load_model(Path(best))
    if name == "ast":  # it began with the given weights, and says from where without a path
        bias = network.state_dict()["norm.bias"]
        assert torch.allclose(bias, torch.full_like(bias, 0.25), atol=0.02)
        assert card.recipe["model"]["weights"] == "start.safetensors"
    assert card.labels == LABELS
    args = ["tag", best, str(tmp_path / "m.csv"), "--root", str(WORDS), "--split", "val"]
    assert rt_eval([*args, "--json"]) == 0
    assert '"n":3' in capsys.readouterr().out
