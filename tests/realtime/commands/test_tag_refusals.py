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


@pytest.mark.parametrize(
    ("args", "service"),
    [
        (["--shell"], "--on"),
        (["--no-voice"], "--save-clips"),
        (["--mqtt-id", "hall"], "--mqtt"),
        (["--mqtt-user", "me"], "--mqtt"),
        (["--mqtt-password-file", "p"], "--mqtt"),
        (["--mqtt-ca", "ca.pem"], "--mqtt"),
    ],
)
def test_options_of_a_service_that_nobody_asked_for(
    refuse, talk, band_model, args, service, tmp_path, capsys
):
    model = ("--model", band_model)
    refuse(talk, *args, *model, says=f"{args[0]} without {service}: add {service}")
    refuse(talk, *args, "-o", tmp_path / "t.csv", *model, says=f"{args[0]} without {service}")
    config = tmp_path / "later.toml"
    config.write_text("shell = true\n[clips]\nvoice = false\n[mqtt]\nid = 'hall'\n")
    assert main([str(talk), "--config", str(config), *map(str, model)]) == 0
    assert capsys.readouterr().err == ""


def test_a_hop_that_is_rounded_is_said_once(talk, band_model, tmp_path, capsys):
    model = ["--model", str(band_model)]
    config = tmp_path / "hop.toml"
    config.write_text("hop_s = 0.098\n")
    for args, origin, used in (
        (["--hop", "0.104"], "--hop: 0.104", 0.1),
        (["--hop", "0.001"], "--hop: 0.001", 0.01),
        (["--config", str(config)], f"{config}: 0.098", 0.1),
        (["--hop", "0.104", "-o", str(tmp_path / "t.csv")], "--hop: 0.104", 0.1),
    ):
        assert main([str(talk), *model, *args]) == 0
        warned = [x for x in capsys.readouterr().err.splitlines() if "warning" in x]
        hop = "is no multiple of the front end's hop in model bands"
        assert warned == [f"warning: {origin} s {hop}, {used:g} s is used"]
    for args in ([], ["--hop", "0.05"], ["--hop", "0.1"]):
        assert main([str(talk), *model, *args]) == 0
        assert capsys.readouterr().err == ""
