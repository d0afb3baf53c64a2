"""What rt-tag refuses before it hears anything; what the user has stays as it is."""

import pytest
from kit_command import installed

from realtime.commands.tag import main

pytestmark = [installed, pytest.mark.usefixtures("alone")]


@pytest.fixture
def refuse(capsys):
    """Run rt-tag, which has to refuse in one line."""

    def run(*args, says):
        assert main([*map(str, args)]) == 2
        out, err = capsys.readouterr()
        assert err.count("\n") == 1
        assert says in err
        assert not out

    return run


def test_results_over_what_is_read(refuse, talk, band_model, write_wav, bursts, tmp_path):
    before = talk.read_bytes(), band_model.read_bytes()
    config = tmp_path / "own.toml"
    config.write_text("top = 3\n")
    other = write_wav("other.wav", bursts(0.5), 48_000)
    raw = tmp_path / "talk.raw"
    raw.write_bytes(bytes(32_000))
    model = ("--model", band_model)
    refuse(
        talk, "--scores", talk, *model, says="--scores " + str(talk) + " is the input itself"
    )
    refuse(other, talk, "--scores", talk, *model, says="is the input 2 itself")
    refuse(raw, "--rate", 16_000, "--plot", raw, *model, says="--plot")
    refuse(talk, "--scores", band_model, *model, says="is what --model reads itself")
    refuse(talk, "--scores", config, "--config", config, *model, says="what --config reads")
    refuse(talk, "--scores", "x.png", "--plot", "x.png", *model, says="are both x.png")
    assert (talk.read_bytes(), band_model.read_bytes()) == before
    assert config.read_text() == "top = 3\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--json", "--table"], "--json and --table are both given"),
        (["--rate", "8000"], "--rate is for raw PCM"),
        (["--channels", "3"], "--channels is for raw PCM"),
        (["--format", "s24"], "--format is for raw PCM"),
        (["--on", "any", "echo", "--on", "any", "true"], "--on any is given twice"),
        (["--threads", "99999999999"], "use 1 to 1024"),
    ],
)
def test_options_that_contradict(refuse, talk, band_model, args, says):
    refuse(talk, *args, "--model", band_model, says=says)
