"""`--on`: programs run for events, in order, one at a time, and never what a label says."""

import json
import sys
import time

import pytest

from realtime.errors import UsageError
from realtime.outputs import DeviceEvent, Start, Stop
from realtime.outputs.command import Commands

SAY = (
    "import json, os, sys; open(sys.argv[1], 'a').write(json.dumps("
    "[sys.argv[2:], os.environ['RT_EVENT_LABEL']]) + '\\n')"
)


@pytest.fixture
def say(tmp_path):
    """A command that writes its arguments to a file, and what that file holds."""
    script, file = tmp_path / "say.py", tmp_path / "said"
    script.write_text(SAY)
    file.touch()
    command = f"{sys.executable} {script} {file}"
    return command, lambda: [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def commands(house):
    made = []

    def make(table, **kwargs):
        made.append(Commands(table, **kwargs))
        made[-1].open(
            house.opening(labels=("yes", "no", "x y; touch hacked", "$(touch hacked)"))
        )
        return made[-1]

    yield make
    for output in made:
        output.close(complete=True)


def test_a_label_and_any(commands, say):
    command, said = say
    output = commands(
        {"yes": f"{command} 'it was {{label}}' {{score}}", "any": f"{command} any"}
    )
    output.event(Start(label="yes", t=1.0, score=0.98765))
    output.event(Stop(label="yes", t=2.0, peak=0.99))
    output.event(DeviceEvent(state="lost", name="Mic", t=3.0))
    output.event(Start(label="no", t=4.0, score=0.5))
    output.close(complete=True)
    assert said() == [[["it was yes", "0.988"], "yes"], [["any"], "yes"], [["any"], "no"]]
    assert output.counts() == "command: 3 delivered"


@pytest.mark.parametrize("label", ["x y; touch hacked", "$(touch hacked)"])
@pytest.mark.parametrize("shell", [False, True])
def test_a_label_is_never_a_command(commands, say, label, shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, said = say
    output = commands({"any": f'{command} "{{label}}"'}, shell=shell)
    output.event(Start(label=label, t=1.0, score=0.9))
    output.close(complete=True)
    assert said() == [[[label], label]]
    assert not (tmp_path / "hacked").exists()


def test_a_shell_only_if_asked(commands, say, tmp_path):
    command, said = say
    for shell in (False, True):
        output = commands({"yes": f"{command} one | cat; {command} two"}, shell=shell)
        output.event(Start(label="yes", t=1.0, score=0.9))
        output.close(complete=True)
    words = ["one", "|", "cat;", *command.split(), "two"]
    assert [args for args, _ in said()] == [words, ["one"], ["two"]]


def test_one_that_hangs_holds_nobody_up(commands, house, caplog):
    output = commands({"yes": "sleep 60"}, limit_s=0.3)
    began = time.perf_counter()
    for i in range(200):
        output.event(Start(label="yes", t=float(i), score=0.9))
    assert time.perf_counter() - began < 30.0
    house.wait_for(lambda: "was ended" in caplog.text, "the end of the first")
    output.delivery.close(0.1)
    assert output.delivery.lost >= 199 - 1  # another may have begun


def test_one_that_fails_is_counted(commands, caplog):
    output = commands({"yes": "false"})
    output.event(Start(label="yes", t=1.0, score=0.9))
    output.close(complete=True)
    assert output.counts() == "command: 0 delivered, 1 LOST"
    assert "exit status 1" in caplog.text


def test_what_it_prints_is_no_result(commands, capfd):
    output = commands({"yes": "echo printed"})
    output.event(Start(label="yes", t=1.0, score=0.9))
    output.close(complete=True)
    assert "printed" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no command"),
        ("no-such-program {label}", "no program no-such-program"),
        ("echo {lable}", "there is no {lable}"),
        ("echo {label.__class__}", "there is no {label.__class__}"),
        ("echo {}", "there is no {}"),
        ("echo {label", "expected '}'"),
        ("echo 'half", "No closing quotation"),
    ],
)
def test_commands_that_cannot_be(text, message):
    with pytest.raises(UsageError) as e:
        Commands({"yes": text})
    assert message in str(e.value)
    assert "--on yes" in str(e.value)
    assert e.value.hint
